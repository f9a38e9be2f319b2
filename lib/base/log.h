/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * One line per event on standard error, in one write, so that the lines of several workers do not
 * mix. What could forge a line or drive a terminal comes out as '?' (characters_clean): request
 * paths are an attacker's, and so are the names of files in a store. Never log a token, a password,
 * an Authorization header, or the query of a URL, which may be a signature.
 *
 * Under systemd (JOURNAL_STREAM) a line begins with its priority.
 *
 * A failed request is logged once, by the worker. The library logs nothing above debug, except
 * where nobody is left to whom it could return an error.
 */

#include <stdbool.h>

/* What is logged: a level and those above it in this list. */
enum log_level {
    LOG_LEVEL_ERROR,   /* what the operator has to mend */
    LOG_LEVEL_WARNING, /* what the operator should know */
    LOG_LEVEL_INFO,    /* a line for each request */
    LOG_LEVEL_DEBUG,   /* what processes, locks and other registries do */
};

/* LOG_LEVEL_INFO until this was called. */
void log_set_level(enum log_level level);
bool log_has_level(enum log_level level);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * With the process's number, since what is looked for is mostly who does what. The arguments are
 * evaluated only when it is logged: it costs a comparison otherwise, in loops too.
 */
#define log_debug(...)                                                                             \
    do {                                                                                           \
        if (log_has_level(LOG_LEVEL_DEBUG)) {                                                      \
            log_debug_line(__VA_ARGS__);                                                           \
        }                                                                                          \
    } while (0)
void log_debug_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
