/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/configuration/ini.h"

#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"

#define BLANKS " \t\v\f\r" /* as inih skips them */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

enum {
    /* What Debian's inih takes; longer ones it would cut without a word. */
    LINE_LIMIT = 198,
    NAME_LIMIT = 49,
};

struct ini_reading {
    const struct ini_handler *handler;
    const char *file;
    const char *cursor;    /* what inih has not seen yet */
    unsigned line;         /* the number of the line that it sees now */
    struct buffer section; /* the one that has begun */
    struct error *error;
    bool failed;
};

int ini_say(struct ini_reading *reading, const char *message)
{
    if (!reading->failed) {
        reading->failed = true;
        (void)error_set(reading->error, ERROR_INTERNAL, "%s:%u: %s", reading->file, reading->line,
                        message);
    }
    return -1;
}

int ini_complain(struct ini_reading *reading, const char *what, const char *with)
{
    AUTO_BUFFER struct buffer message = BUFFER_INIT;

    buffer_format(&message, "%s '%s'", what, with);
    return ini_say(reading, message.data);
}

unsigned ini_line(const struct ini_reading *reading)
{
    return reading->line;
}

/* Whether inih would cut this line, or a name in it. */
static bool ini_cuts(const char *line, size_t length)
{
    const char *name = line + strspn(line, BLANKS);
    size_t end = *name == '[' ? strcspn(name + 1, "]\n") : strcspn(name, "=:\n");

    if (*name == ';' || *name == '#' || *name == '\n' || *name == '\0') {
        return false;
    }
    while (end > 0 && (name[end - 1] == ' ' || name[end - 1] == '\t')) {
        end--;
    }
    return length > LINE_LIMIT || end > NAME_LIMIT;
}

/* Begins a section if the line does. */
static int ini_begin_section(struct ini_reading *reading, const char *line)
{
    const char *name = line + strspn(line, BLANKS);
    const char *rest;

    if (*name != '[') {
        return 0;
    }
    rest = name + 1 + strcspn(name + 1, "]\n");
    buffer_clear(&reading->section);
    buffer_add(&reading->section, name + 1, (size_t)(rest - name) - 1);
    if (*rest != ']') {
        return ini_complain(reading, "the bracket is not closed:", reading->section.data);
    }
    rest++;
    rest += strspn(rest, BLANKS);
    if (*rest != '\0' && *rest != '\n' && *rest != ';' && *rest != '#') {
        return ini_complain(reading,
                            "only a comment may stand behind a section:", reading->section.data);
    }
    return reading->handler->begin_section(reading->handler->context, reading,
                                           reading->section.data);
}

/* How much of a line is in front of a comment that inih would take for a part of the value. */
static size_t ini_without_comment(const char *line, size_t length)
{
    for (size_t i = 1; i < length; i++) {
        if (line[i] == '#' && (line[i - 1] == ' ' || line[i - 1] == '\t')) {
            return i;
        }
    }
    return length;
}

/* inih's reader, in the manner of fgets(). A comment may be of any length: it is not passed on. */
static char *ini_next_line(char *out, int size, void *stream)
{
    struct ini_reading *reading = stream;
    size_t length = strcspn(reading->cursor, "\n");
    bool skip = length > LINE_LIMIT;

    if (*reading->cursor == '\0' || reading->failed) {
        return NULL;
    }
    reading->line++;
    if (ini_cuts(reading->cursor, length)) {
        (void)ini_say(reading, "this line, or a name in it, is too long (198 and 49 bytes)");
        return NULL;
    }
    if (ini_begin_section(reading, reading->cursor) < 0) {
        return NULL;
    }
    (void)snprintf(out, (size_t)size, "%.*s\n",
                   skip ? 0 : (int)ini_without_comment(reading->cursor, length), reading->cursor);
    reading->cursor += length;
    if (*reading->cursor == '\n') {
        reading->cursor++;
    }
    return out;
}

/* inih's handler: 1 is good, 0 an error. An indented line it takes for more of the value above. */
static int ini_take_value(void *user, const char *section, const char *name, const char *value)
{
    struct ini_reading *reading = user;

    if (strcmp(section, reading->section.data) != 0) {
        return ini_complain(reading, "this line must not be indented:", value) == 0;
    }
    return reading->handler->take_value(reading->handler->context, reading, name, value) == 0;
}

int ini_read(const char *file, const struct buffer *text, const struct ini_handler *handler,
             struct error *error)
{
    struct ini_reading reading = {
        .handler = handler, .file = file, .section = BUFFER_INIT, .error = error};
    int line;

    if (strlen(text->data) != text->length) {
        return error_set(error, ERROR_INTERNAL, "%s: there is a NUL byte in it", file);
    }
    reading.cursor = text->data;
    if (text_begins(reading.cursor, BYTE_ORDER_MARK)) {
        reading.cursor += strlen(BYTE_ORDER_MARK);
    }
    line = ini_parse_stream(ini_next_line, &reading, ini_take_value, &reading);
    buffer_release(&reading.section);
    if (reading.failed) {
        return -1;
    }
    if (line != 0) {
        return error_set(error, ERROR_INTERNAL, "%s:%d: neither a [section] nor key = value", file,
                         line);
    }
    return 0;
}
