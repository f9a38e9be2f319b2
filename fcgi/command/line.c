/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/line.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "lib/base/json.h"

struct line line_begin(bool json)
{
    struct line line = {.json = json, .text = BUFFER_INIT};

    if (json) {
        json_open_object(&line.text, NULL);
    }
    return line;
}

void line_release(struct line *line)
{
    buffer_release(&line->text);
}

void line_text(struct line *line, const char *key, const char *value)
{
    if (line->json) {
        json_text(&line->text, key, value);
    }
}

void line_number(struct line *line, const char *key, uint64_t value)
{
    if (line->json) {
        json_number(&line->text, key, value);
    }
}

void line_date(struct line *line, const char *key, uint64_t seconds)
{
    time_t date = (time_t)seconds;
    struct tm parts;
    char text[64] = "";

    if (gmtime_r(&date, &parts)) {
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    line_text(line, key, text);
    line_say(line, "%s", text);
}

void line_raw(struct line *line, const char *key, const char *value)
{
    if (line->json) {
        json_raw(&line->text, key, value);
    }
}

void line_say(struct line *line, const char *format, ...)
{
    va_list arguments;

    if (line->json) {
        return;
    }
    va_start(arguments, format);
    buffer_format_list(&line->text, format, arguments);
    va_end(arguments);
}

/* How many bytes behind a first one belong to it; -1 if it is no first byte. */
static int line_following(unsigned char first)
{
    return first < 0x80                     ? 0
           : first >= 0xc2 && first <= 0xdf ? 1
           : first >= 0xe0 && first <= 0xef ? 2
           : first >= 0xf0 && first <= 0xf4 ? 3
                                            : -1;
}

void line_clean(char *text)
{
    unsigned char *byte = (unsigned char *)text;

    while (*byte) {
        int following = line_following(*byte);
        int found = 0;

        while (found < following && (byte[found + 1] & 0xc0) == 0x80) {
            found++;
        }
        /* U+0080 to U+009f are controls of eight bits, 0xc2 and another byte. */
        if (found != following || *byte < 0x20 || *byte == 0x7f ||
            (*byte == 0xc2 && byte[1] < 0xa0)) {
            *byte = '?';
            found = 0;
        }
        byte += found + 1;
    }
}

void line_end(struct line *line)
{
    if (line->json) {
        json_close_object(&line->text);
    } else {
        line_clean(line->text.data);
    }
    (void)printf("%s\n", line->text.data);
    (void)fflush(stdout);
}

void line_complain(const char *format, ...)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    va_list arguments;

    va_start(arguments, format);
    buffer_format_list(&text, format, arguments);
    va_end(arguments);
    line_clean(text.data);
    (void)fprintf(stderr, "%s\n", text.data);
}
