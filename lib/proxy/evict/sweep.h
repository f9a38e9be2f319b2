/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EVICT_SWEEP_H
#define EVICT_SWEEP_H

#include "lib/store/store.h"

enum {
    SWEEP_LIMIT = 1000, /* entries of each kind that one sweep is for */
    SWEEP_SOON = 10,    /* seconds until the next one, if there are more */
};

/*
 * Removes from a cache what is of no more use: tokens that have expired, answers that are too old
 * to be given, locks and slots that are a day old and not held, the directories that are empty
 * then, fetches that nobody goes on with. Looks at most once an hour; failures are left for the
 * next time. A client waits for it: it looks at SWEEP_LIMIT entries of a kind, by chance which, and
 * when there are more, at as many again some seconds later.
 */
void sweep_cache(struct store *cache);

#endif
