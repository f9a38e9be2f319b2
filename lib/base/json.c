/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/json.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/text.h"

/* JSON is UTF-8 (RFC 8259, 8.1), and what was cut in the middle of a character is not: what is none
 * becomes U+FFFD. */
static void add_characters(struct buffer *out, const char *value)
{
    while (*value) {
        size_t length = text_character(value);

        buffer_add(out, length > 0 ? value : "\xef\xbf\xbd", length > 0 ? length : 3);
        value += length > 0 ? length : 1;
    }
}

/* cJSON knows how a string is escaped. It needs at most six bytes for one and two quotes, and wants
 * five bytes of room. */
static void add_string(struct buffer *out, const char *value)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    size_t room;
    char *target;
    cJSON *item;
    cJSON_bool printed;

    add_characters(&text, value);
    room = text.length * 6 + 16;
    target = buffer_reserve(out, room);
    item = cJSON_CreateStringReference(text.data);
    printed = cJSON_PrintPreallocated(item, target, (int)room, 0);
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

void json_date(struct buffer *out, const char *key, time_t date)
{
    char text[CLOCK_TEXT_SIZE];

    if (clock_write(date, text)) {
        json_text(out, key, text);
    } else {
        json_raw(out, key, "null");
    }
}

void json_raw(struct buffer *out, const char *key, const char *value)
{
    begin_value(out, key);
    buffer_add_text(out, value);
}
