/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/json.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <string.h>

/* cJSON knows how a string is escaped. It needs at most six bytes for one and two quotes, and wants
 * five bytes of room. */
static void add_string(struct buffer *out, const char *value)
{
    size_t room = strlen(value) * 6 + 16;
    char *target = buffer_reserve(out, room);
    cJSON *item = cJSON_CreateStringReference(value);
    cJSON_bool printed = cJSON_PrintPreallocated(item, target, (int)room, 0);

    assert(printed);
    buffer_added(out, strlen(target));
    cJSON_Delete(item);
}

static void begin_value(struct buffer *out, const char *key)
{
    char last = out->length > 0 ? out->data[out->length - 1] : '{';

    if (last != '{' && last != '[' && last != ':') {
        buffer_add(out, ",", 1);
    }
    if (key) {
        add_string(out, key);
        buffer_add(out, ":", 1);
    }
}

void json_open_object(struct buffer *out, const char *key)
{
    begin_value(out, key);
    buffer_add(out, "{", 1);
}

void json_close_object(struct buffer *out)
{
    buffer_add(out, "}", 1);
}

void json_open_array(struct buffer *out, const char *key)
{
    begin_value(out, key);
    buffer_add(out, "[", 1);
}

void json_close_array(struct buffer *out)
{
    buffer_add(out, "]", 1);
}

void json_text(struct buffer *out, const char *key, const char *value)
{
    begin_value(out, key);
    add_string(out, value);
}

void json_number(struct buffer *out, const char *key, uint64_t value)
{
    begin_value(out, key);
    buffer_format(out, "%" PRIu64, value);
}

void json_raw(struct buffer *out, const char *key, const char *value)
{
    begin_value(out, key);
    buffer_add_text(out, value);
}
