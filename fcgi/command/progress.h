/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_COMMAND_PROGRESS_H
#define FCGI_COMMAND_PROGRESS_H

/*
 * How far a long command is, on standard output: on a terminal a line for each thing that is
 * redrawn as it grows; otherwise a plain line when it is done; or JSON, an object a line.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buffer.h"

enum progress_form {
    PROGRESS_BARS,
    PROGRESS_LINES,
    PROGRESS_JSON,
};

struct progress {
    enum progress_form form;
    const char *topic; /* what the things are part of */
    const char *thing;
    uint64_t size;
    int64_t began; /* milliseconds */
    int64_t drawn;
};

/* Chooses bars or lines by where standard output goes. */
void progress_init(struct progress *progress, bool json);

/* `thing` must last until progress_end(). */
void progress_begin(struct progress *progress, const char *thing, uint64_t size);
void progress_step(struct progress *progress, uint64_t done);

/* `result` is a word for what became of it: "fetched", "cached". */
void progress_end(struct progress *progress, const char *result);

/* Takes the line away, for something else to be said; the next step draws it again. */
void progress_clear(struct progress *progress);

/* It will not be done: leaves the line. */
void progress_abandon(struct progress *progress);

#endif
