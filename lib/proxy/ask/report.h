/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_ASK_REPORT_H
#define PROXY_ASK_REPORT_H

/* What a client is told about the upstream besides content or error. */

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buffer.h"
#include "lib/base/error.h"

/* What an answer has waited for. */
enum report_wait {
    WAIT_UPSTREAM, /* the upstream's answers, log-ins included */
    WAIT_LOGIN,    /* of those: the token service */
    WAIT_FILL,     /* a download, until its size was known, or its end near */
    WAIT_COUNT,
};

struct report {
    struct buffer warning; /* for a Warning header; empty: none */
    struct buffer detail;  /* JSON for errors[].detail, one value a line; may be empty */
    unsigned retry_after;  /* seconds; 0: unknown */
    struct {
        bool any;
        uint64_t milliseconds;
    } waits[WAIT_COUNT];
};

#define REPORT_INIT                                                                                \
    {                                                                                              \
        .warning = BUFFER_INIT, .detail = BUFFER_INIT                                              \
    }

void report_release(struct report *report);

/* It has waited since `begun`, of clock_milliseconds(). */
void report_waited(struct report *report, enum report_wait wait, int64_t begun);

/* Adds what it has waited for, as the header Server-Timing has it; nothing if it has not. */
void report_add_timing(const struct report *report, struct buffer *out);

/*
 * A code that was noted down as a number, perhaps by another version of this program, which counts
 * otherwise: one of those that asking an upstream can fail with, else ERROR_UPSTREAM.
 */
enum error_code report_code(uint64_t number);

/*
 * A client gets what the cache has: `what` says that, and the error why. What is ours is told to
 * the log, and a client only that it is.
 */
void report_warn(struct report *report, const char *what, const struct error *error);

/* Notes that this upstream answered with `status` (0: not at all) and what it said. */
void report_failure(struct report *report, const char *upstream, int status, const char *message);

#endif
