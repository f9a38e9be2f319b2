/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/challenge.h"

#include <string.h>
#include <strings.h>

void challenge_release(struct challenge *challenge)
{
    buffer_release(&challenge->realm);
    buffer_release(&challenge->service);
    buffer_release(&challenge->scope);
}

/* A token of RFC 9110: scheme and parameter names. */
static size_t token_length(const char *text)
{
    return strcspn(text, " \t,=\"");
}

/* Reads a quoted string or a token and returns what is behind it. */
static const char *read_value(const char *text, struct buffer *out)
{
    buffer_clear(out);
    if (*text != '"') {
        size_t length = strcspn(text, " \t,");

        buffer_add(out, text, length);
        return text + length;
    }
    for (text++; *text && *text != '"'; text++) {
        if (*text == '\\' && text[1]) {
            text++;
        }
        buffer_add(out, text, 1);
    }
    return *text == '"' ? text + 1 : text;
}

static struct buffer *member_for(struct challenge *challenge, const char *name, size_t length)
{
    if (length == 5 && strncasecmp(name, "realm", 5) == 0) {
        return &challenge->realm;
    }
    if (length == 7 && strncasecmp(name, "service", 7) == 0) {
        return &challenge->service;
    }
    return length == 5 && strncasecmp(name, "scope", 5) == 0 ? &challenge->scope : NULL;
}

static enum challenge_scheme scheme_of(const char *name, size_t length)
{
    if (length == 6 && strncasecmp(name, "bearer", 6) == 0) {
        return CHALLENGE_BEARER;
    }
    return length == 5 && strncasecmp(name, "basic", 5) == 0 ? CHALLENGE_BASIC : CHALLENGE_NONE;
}

bool challenge_parse(struct challenge *out, const char *field)
{
    enum challenge_scheme current = CHALLENGE_NONE;
    AUTO_BUFFER struct buffer value = BUFFER_INIT;

    while (*field) {
        const char *name = field += strspn(field, " \t,");
        size_t length = token_length(name);

        field += length;
        if (*field != '=') { /* a scheme; its parameters follow */
            current = scheme_of(name, length);
            if (current > out->scheme) {
                out->scheme = current;
                buffer_clear(&out->realm);
                buffer_clear(&out->service);
                buffer_clear(&out->scope);
            }
            if (length == 0 && *field) {
                field++;
            }
            continue;
        }
        field = read_value(field + 1, &value);
        if (current == out->scheme && current != CHALLENGE_NONE) {
            struct buffer *member = member_for(out, name, length);

            if (member) {
                buffer_clear(member);
                buffer_add(member, value.data, value.length);
            }
        }
    }
    return out->scheme != CHALLENGE_NONE;
}
