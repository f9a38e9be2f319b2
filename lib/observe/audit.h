/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBSERVE_AUDIT_H
#define OBSERVE_AUDIT_H

/*
 * Who has done what, and who was refused: an object of JSON a line, at the end of a file of its own
 * or to syslog. audit_begin(), audit_…(), audit_end().
 *
 * A line is one write to a file that is opened for it: lines of several processes do not mix, and
 * whoever renames the file finds the next line in a new one. Each text is cut, and what is no
 * UTF-8, or a control, is '?': nobody can forge a line, nor drive the terminal of who reads it.
 * What is secret is not given to it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buffer.h"

struct audit_options {
    char *file; /* absolute path; "": none */
    bool syslog;
};

bool audit_is_wanted(const struct audit_options *options);

enum { AUDIT_TEXT = 512 }; /* bytes of a text, at most */

/* Begins a line with the date and what has happened, in one or two words. */
void audit_begin(struct buffer *line, const char *event);
/* Nothing is added for NULL and "". */
void audit_text(struct buffer *line, const char *key, const char *text);
void audit_number(struct buffer *line, const char *key, uint64_t number);

/* Ends and writes it. What cannot be written is for the log: the deed is done. */
void audit_end(struct buffer *line, const struct audit_options *options);

#endif
