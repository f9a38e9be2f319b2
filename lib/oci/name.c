/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/oci/name.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_letter_or_digit(char c)
{
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

/* How long the separator between two runs of letters is: ".", "_", "__" or any number of "-". */
static size_t separator_length(const char *text)
{
    if (*text == '.') {
        return 1;
    }
    if (*text == '_') {
        return text[1] == '_' ? 2 : 1;
    }
    return strspn(text, "-");
}

bool name_is_valid(const char *text)
{
    if (strnlen(text, NAME_SIZE) >= NAME_SIZE) {
        return false;
    }
    for (;;) {
        if (!is_lower_or_digit(*text)) {
            return false;
        }
        while (is_lower_or_digit(*text)) {
            text++;
        }
        if (*text == '\0') {
            return true;
        }
        text += *text == '/' ? 1 : separator_length(text);
    }
}

bool tag_is_valid(const char *text)
{
    size_t length = strnlen(text, TAG_SIZE);

    if (length == 0 || length >= TAG_SIZE || !(is_letter_or_digit(*text) || *text == '_')) {
        return false;
    }
    for (; *text; text++) {
        if (!is_letter_or_digit(*text) && !strchr("._-", *text)) {
            return false;
        }
    }
    return true;
}

bool manifest_type_is_valid(const char *text)
{
    static const char tree[] = "application/";
    const char *subtype;

    if (strnlen(text, MEDIA_TYPE_SIZE) >= MEDIA_TYPE_SIZE ||
        strncasecmp(text, tree, sizeof(tree) - 1) != 0) {
        return false;
    }
    subtype = text + sizeof(tree) - 1;
    if (!is_letter_or_digit(*subtype)) {
        return false;
    }
    for (; *subtype; subtype++) {
        if (!is_letter_or_digit(*subtype) && !strchr("!#$&-^_.+", *subtype)) {
            return false;
        }
    }
    return true;
}
