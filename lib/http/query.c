/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/query.h"

#include <string.h>

#include "lib/base/text.h"

/* No decoded text has a NUL in it, so one can stand between two of them. */
static bool query_add_text(struct buffer *pairs, const char *text, size_t length)
{
    bool decoded = text_percent_decode(text, length, pairs);

    buffer_add(pairs, "", 1);
    return decoded;
}

/* One part between two '&'. */
static bool query_add_part(struct buffer *pairs, const char *text, size_t length)
{
    const char *equals = memchr(text, '=', length);
    AUTO_BUFFER struct buffer unused = BUFFER_INIT;

    if (!equals) {
        return query_add_text(&unused, text, length);
    }
    return query_add_text(pairs, text, (size_t)(equals - text)) &&
           query_add_text(pairs, equals + 1, length - (size_t)(equals - text) - 1);
}

bool query_parse(struct query *out, const char *text)
{
    buffer_clear(&out->pairs);
    while (*text) {
        size_t length = strcspn(text, "&");

        if (!query_add_part(&out->pairs, text, length)) {
            buffer_clear(&out->pairs);
            return false;
        }
        text += length;
        text += *text == '&';
    }
    return true;
}

void query_release(struct query *query)
{
    buffer_release(&query->pairs);
}

const char *query_value(const struct query *query, const char *name, unsigned n)
{
    const char *cursor = query->pairs.data;
    const char *end = cursor + query->pairs.length;

    while (cursor < end) {
        const char *value = cursor + strlen(cursor) + 1;

        if (strcmp(cursor, name) == 0 && n-- == 0) {
            return value;
        }
        cursor = value + strlen(value) + 1;
    }
    return NULL;
}
