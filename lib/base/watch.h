/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_WATCH_H
#define BASE_WATCH_H

/*
 * Waits for a change in a directory: of what its files hold, or which there are. Only what this
 * host does is noticed, and where the system has no more watches to give, nothing is: whoever waits
 * looks again after a time of his own in any case, and needs no watch to be right.
 *
 * Open it before looking at what is waited for, so that no change falls in between. Who opens a
 * file, reads it or locks it changes nothing.
 */

#include <stdint.h>

struct watch {
    int descriptor; /* -1: nothing is noticed */
};

#define WATCH_INIT                                                                                 \
    {                                                                                              \
        .descriptor = -1                                                                           \
    }

/* `path` is below the open directory. One that is open already stays. */
void watch_open(struct watch *watch, int directory, const char *path);

/* The same for changes of which files there are: what is written to them wakes nobody. */
void watch_open_names(struct watch *watch, int directory, const char *path);

/* Returns at a change since it was opened or last waited, or when the time is over. A signal may
 * end it early. */
void watch_wait(struct watch *watch, int64_t milliseconds);

void watch_close(struct watch *watch);

#endif
