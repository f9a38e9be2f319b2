/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_FILL_SLOT_H
#define PROXY_FILL_SLOT_H

/*
 * How many processes may wait for upstreams at a time, on this host: each holds a lock, which ends
 * with it however it ends. One upstream gets at most half of them, so that one that hangs does not
 * take the others' share. There are as many again for fillers, which go on when their clients have
 * left: whoever has had many begun keeps nobody from waiting.
 */

#include "lib/base/lock.h"
#include "lib/proxy/ask/upstream.h"

enum slot_kind {
    SLOT_WAITING, /* for an answer, with a client */
    SLOT_FILLING,
};

struct slot {
    struct lock all;
    struct lock upstream;
};

#define SLOT_INIT                                                                                  \
    {                                                                                              \
        .all = LOCK_INIT, .upstream = LOCK_INIT                                                    \
    }

/* 1; 0 if all are taken; -1. A forked child has the slot too; it is free when both let go. */
int slot_take(struct slot *slot, enum slot_kind kind, const struct upstream *upstream,
              struct error *error);
void slot_release(struct slot *slot);

#endif
