/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COUNT_PRESENCE_H
#define COUNT_PRESENCE_H

/*
 * Which processes there are on this host, and what they are at. Each has an entry in the shared
 * numbers with its process number; what a killed one leaves is seen by that, and is taken by the
 * next. Where nothing is shared, or there are too many, a process is not seen; nothing else comes
 * of it.
 */

#include <stdbool.h>
#include <stddef.h>

enum presence {
    PRESENCE_IDLE,    /* a worker that waits for a request */
    PRESENCE_BUSY,    /* one that has one */
    PRESENCE_WAITING, /* a process that waits for another registry, with a client */
    PRESENCE_FILLING, /* one that fetches a blob */
    PRESENCE_KEPT,    /* one that keeps a connection for the next */
    PRESENCE_COUNT,
};

/* A process begins. A forked one has its parent's entry in hand until it says so. */
void presence_enter(enum presence presence);
/* It is at something else now: no call. Nothing, for a process that has not entered. */
void presence_change(enum presence presence);
void presence_leave(void);

/* Whether there is any. */
bool presence_is_any(enum presence presence);

/* How many there are of each. */
void presence_count(size_t out[PRESENCE_COUNT]);

#endif
