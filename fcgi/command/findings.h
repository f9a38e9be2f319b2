/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_COMMAND_FINDINGS_H
#define FCGI_COMMAND_FINDINGS_H

/*
 * What `berth check --setup` tells, a line each on standard output:
 *
 *   ok: SUBJECT: what is well
 *   warning: SUBJECT: what works, but not as well as it could — what to do
 *   problem: SUBJECT: what is wrong — what to do
 *
 * or, as JSON, {"result":…,"subject":…,"message":…,"advice":…}. The advice is what stands behind
 * FINDINGS_DO in the text.
 */

#include <stdbool.h>

#define FINDINGS_DO " — "

struct findings {
    bool json;
    unsigned problems; /* so far */
};

void findings_ok(struct findings *findings, const char *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void findings_warning(struct findings *findings, const char *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void findings_problem(struct findings *findings, const char *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
