/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/cookie.h"

#include <string.h>

#include "lib/base/text.h"

/* A pair, or the part of one that a look wants. */
struct cookie_part {
    const char *text;
    size_t length;
};

/* RFC 6265, 4.1.1: a cookie-octet. */
static bool cookie_letter_is_valid(char letter)
{
    return letter > ' ' && letter < 0x7f && !strchr("\",;\\", letter);
}

static bool cookie_value_is_valid(const struct cookie_part *value)
{
    for (size_t i = 0; i < value->length; i++) {
        if (!cookie_letter_is_valid(value->text[i])) {
            return false;
        }
    }
    return value->length <= COOKIE_VALUE_LIMIT;
}

/* Whether the pair is of that name: then its value. */
static bool cookie_take_value(const struct cookie_part *pair, const char *name,
                              struct cookie_part *out)
{
    size_t length = strlen(name);

    if (pair->length <= length || strncmp(pair->text, name, length) != 0 ||
        pair->text[length] != '=') {
        return false;
    }
    *out = (struct cookie_part){pair->text + length + 1, pair->length - length - 1};
    if (out->length >= 2 && out->text[0] == '"' && out->text[out->length - 1] == '"') {
        out->text++;
        out->length -= 2;
    }
    return true;
}

bool cookie_find(const char *field, const char *name, struct buffer *out)
{
    struct cookie_part value = {NULL, 0};
    struct cookie_part pair;
    unsigned count = 0;

    if (!field || strnlen(field, COOKIE_FIELD_LIMIT + 1) > COOKIE_FIELD_LIMIT) {
        return false;
    }
    while (text_next_item(&field, ';', &pair.text, &pair.length)) {
        count += cookie_take_value(&pair, name, &value);
    }
    if (count != 1 || !cookie_value_is_valid(&value)) {
        return false;
    }
    buffer_add(out, value.text, value.length);
    return true;
}
