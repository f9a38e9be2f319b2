/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_FILL_SLOT_H
#define PROXY_FILL_SLOT_H

/*
 * How many processes may wait for upstreams at a time, on this host: each holds a lock, which ends
 * with it however it ends. One upstream gets at most half of them, so that one that hangs does not
 * take the others' share.
 */

#include "lib/base/lock.h"
#include "lib/store/store.h"

struct slot {
    struct lock all;
    struct lock upstream;
};

#define SLOT_INIT                                                                                  \
    {                                                                                              \
        .all = LOCK_INIT, .upstream = LOCK_INIT                                                    \
    }

/* 1; 0 if all are taken; -1. A forked child has the slot too; it is free when both let go. */
int slot_take(struct slot *slot, struct store *store, const char *upstream, uint64_t maximum,
              struct error *error);
void slot_release(struct slot *slot);

#endif
