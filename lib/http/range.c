/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/range.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "lib/base/text.h"

/* The two numbers of "12-34"; an empty side is left alone and reported as absent. */
struct sides {
    bool has_first;
    bool has_last;
    uint64_t first;
    uint64_t last;
};

static bool sides_parse(const char *text, size_t length, struct sides *out)
{
    const char *dash = memchr(text, '-', length);
    size_t before;
    size_t after;

    if (!dash) {
        return false;
    }
    before = (size_t)(dash - text);
    after = length - before - 1;
    out->has_first = before > 0;
    out->has_last = after > 0;
    return (!out->has_first || text_number(text, before, &out->first)) &&
           (!out->has_last || text_number(dash + 1, after, &out->last)) &&
           (out->has_first || out->has_last);
}

enum range_answer range_parse(const char *header, uint64_t size, struct range *out)
{
    struct sides sides;
    const char *cursor;
    const char *item;
    size_t length;

    if (!header || strncasecmp(header, "bytes=", 6) != 0) {
        return RANGE_WHOLE;
    }
    cursor = header + 6;
    if (strchr(cursor, ',') || !text_next_item(&cursor, ',', &item, &length) ||
        !sides_parse(item, length, &sides)) {
        return RANGE_WHOLE;
    }
    if (!sides.has_first) { /* the last so many bytes */
        if (sides.last == 0 || size == 0) {
            return RANGE_UNSATISFIABLE;
        }
        out->first = sides.last < size ? size - sides.last : 0;
        out->last = size - 1;
        return RANGE_PART;
    }
    if (sides.has_last && sides.last < sides.first) {
        return RANGE_WHOLE;
    }
    if (sides.first >= size) {
        return RANGE_UNSATISFIABLE;
    }
    out->first = sides.first;
    out->last = sides.has_last && sides.last < size ? sides.last : size - 1;
    return RANGE_PART;
}

bool content_range_parse(const char *header, struct range *out)
{
    struct sides sides;
    size_t length;

    if (strncasecmp(header, "bytes ", 6) == 0) {
        const char *slash = strchr(header, '/');

        header += 6;
        length = slash ? (size_t)(slash - header) : strlen(header);
    } else {
        length = strlen(header);
    }
    if (!sides_parse(header, length, &sides) || !sides.has_first || !sides.has_last ||
        sides.last < sides.first) {
        return false;
    }
    out->first = sides.first;
    out->last = sides.last;
    return true;
}
