/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIGURATION_INI_H
#define CONFIGURATION_INI_H

/*
 * The guard around inih, which silently cuts lines at 200 bytes and names at 50, takes what stands
 * behind a section's bracket for nothing, ends at a NUL byte, and says nothing of a section without
 * keys: here the first four are errors that name file and line, and the last one is told.
 *
 * ini_read() calls begin_section() and take_value() in the order of the file. Either may end the
 * reading with `return ini_complain(reading, …)`. What stands above the first section has the
 * section "".
 */

#include "lib/base/buffer.h"
#include "lib/base/error.h"

struct ini_reading;

struct ini_handler {
    /* 0; -1, complained */
    int (*begin_section)(void *context, struct ini_reading *reading, const char *section);
    int (*take_value)(void *context, struct ini_reading *reading, const char *name,
                      const char *value);
    void *context;
};

/*
 * A comment behind a value begins with a ';' or a '#' that a blank stands in front of: inih knows
 * the first alone.
 *
 * `file` is what messages call it. 0; -1, ERROR_INTERNAL, "FILE:LINE: what is wrong 'with this'".
 */
int ini_read(const char *file, const struct buffer *text, const struct ini_handler *handler,
             struct error *error);

/* The number of the line that is being read, from 1 on. */
unsigned ini_line(const struct ini_reading *reading);

/* The first complaint is the error: "WHAT 'WITH'", or the whole message. Both return -1. */
int ini_complain(struct ini_reading *reading, const char *what, const char *with);
int ini_say(struct ini_reading *reading, const char *message);

#endif
