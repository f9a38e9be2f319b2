/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_COMMAND_LINE_H
#define FCGI_COMMAND_LINE_H

/*
 * What commands say: a line of text for people, or an object for machines (--json), from the same
 * calls. Each form takes what is for it and ignores the rest, so that nobody asks which one it is:
 *
 *   AUTO_LINE struct line line = line_begin(json);
 *
 *   line_text(&line, "path", path);     (a member of the object)
 *   line_say(&line, "%s: bad", path);   (a piece of the text)
 *   line_end(&line);                    (writes it, at once)
 *
 * What comes from elsewhere (names, an upstream's words) cannot drive the terminal: it comes out as
 * '?' (characters_clean), in standard error too, and in JSON as an escape. This is the only way
 * from a command to a terminal, as lint sees to.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "lib/base/buffer.h"

struct line {
    bool json;
    struct buffer text;
};

#define AUTO_LINE AUTO(line_release)
struct line line_begin(bool json);
void line_release(struct line *line);

void line_text(struct line *line, const char *key, const char *value);
void line_number(struct line *line, const char *key, uint64_t value);
/* A date in UTC, in both forms; "-" and null for what is none (clock_write). */
void line_date(struct line *line, const char *key, time_t date);
/* A value that is JSON already. */
void line_raw(struct line *line, const char *key, const char *value);
void line_say(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* To standard output. */
void line_end(struct line *line);

/* A line of text on standard error, whatever the form: why there is nothing to say. As short as the
 * message of an error. */
void line_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* On a terminal: empties the line in which the cursor is; writes a piece of it. */
void line_clear(FILE *to);
void line_draw(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Lines that are there already, such as a help; each may be drawn in no other way. */
void line_page(FILE *to, const char *text);

#endif
