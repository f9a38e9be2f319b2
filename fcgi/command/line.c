/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/line.h"

#include <stdarg.h>
#include <string.h>

#include "lib/base/character.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
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

void line_date(struct line *line, const char *key, time_t date)
{
    char text[CLOCK_TEXT_SIZE];

    if (line->json) {
        json_date(&line->text, key, date);
    }
    line_say(line, "%s", clock_write(date, text) ? text : "-");
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

void line_end(struct line *line)
{
    if (line->json) {
        json_close_object(&line->text);
    } else {
        characters_clean(line->text.data);
    }
    (void)printf("%s\n", line->text.data);
    (void)fflush(stdout);
}

void line_complain(const char *format, ...)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct error fit; /* no longer than a message may be, whatever was typed */
    va_list arguments;

    va_start(arguments, format);
    buffer_format_list(&text, format, arguments);
    va_end(arguments);
    (void)error_set(&fit, ERROR_REQUEST_INVALID, "%s", text.data);
    characters_clean(fit.message);
    (void)fprintf(stderr, "%s\n", fit.message);
}

void line_clear(FILE *to)
{
    (void)fputs("\r\033[K", to);
}

void line_draw(FILE *to, const char *format, ...)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    va_list arguments;

    va_start(arguments, format);
    buffer_format_list(&text, format, arguments);
    va_end(arguments);
    characters_clean(text.data);
    (void)fputs(text.data, to);
    (void)fflush(to);
}

void line_page(FILE *to, const char *text)
{
    for (size_t length = 0; *text; text += length) {
        AUTO_BUFFER struct buffer line = BUFFER_INIT;

        length = strcspn(text, "\n");
        buffer_add(&line, text, length);
        characters_clean(line.data);
        (void)fputs(line.data, to);
        if (text[length] == '\n') {
            (void)fputc('\n', to);
            length++;
        }
    }
    (void)fflush(to);
}
