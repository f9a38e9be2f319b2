/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/json.h"
#include "lib/base/character.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <string.h>

#include "lib/base/clock.h"

/* The number of a character of UTF-8 that has at most three bytes. */
static unsigned character_number(const char *text, size_t length)
{
    unsigned number = (unsigned char)*text & (length == 3 ? 0x0f : length == 2 ? 0x1f : 0x7f);

    while (--length > 0) {
        number = number << 6 | ((unsigned char)*++text & 0x3f);
    }
    return number;
}

/* JSON is UTF-8 (RFC 8259, 8.1), and what was cut in the middle of a character is not: what is none
 * becomes U+FFFD. What is not tame is escaped, which is the same text to whoever parses it: lines
 * of JSON are looked at on terminals, too. */
static void add_characters(struct buffer *out, const char *text)
{
    while (*text) {
        size_t length = character_length(text);

        if (length == 0) {
            buffer_add_text(out, "\xef\xbf\xbd");
        } else if (character_is_tame(text)) {
            buffer_add(out, text, length);
        } else {
            buffer_format(out, "\\u%04x", character_number(text, length));
        }
        text += length + (length == 0);
    }
}

/* cJSON knows how the rest of a string is escaped. It needs at most six bytes for one and two
 * quotes, and wants five bytes of room. */
static void add_string(struct buffer *out, const char *value)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    size_t room = strlen(value) * 6 + 16;
    char *target = buffer_reserve(&text, room);
    cJSON *item = cJSON_CreateStringReference(value);
    cJSON_bool printed = cJSON_PrintPreallocated(item, target, (int)room, 0);

    assert(printed);
    add_characters(out, target);
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
