/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COUNT_COUNT_H
#define COUNT_COUNT_H

/*
 * To count: one function for each thing that happens. They cost some additions in shared memory
 * (see lib/observe/count/counters), and may be called anywhere above.
 */

#include "lib/observe/count/tally.h"

/* A request that was answered. */
struct counted_request {
    enum counted_route route;
    const char *method; /* as the client has sent it */
    int status;
    uint64_t microseconds; /* from when it came until its answer had left */
    uint64_t received;     /* bytes of its body */
    uint64_t sent;         /* bytes of the answer's */
    bool is_handed_over;   /* to the web server, which sends them */
    const char *upstream;  /* whose content it was; NULL: ours */
};
void count_request(const struct counted_request *request);

/* `upstream` is the canonical name of one; what is not configured is counted together. */
void count_look(const char *upstream, enum counted_thing thing, enum counted_look look);
void count_fill(const char *upstream, enum counted_fill fill);
/* Bytes that came from an upstream. */
void count_fetched(const char *upstream, uint64_t bytes);
/* `status` is 0 if there was no answer. */
void count_answer(const char *upstream, int status, uint64_t microseconds);
void count_login(enum counted_login login);

#endif
