/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_SWEEP_H
#define PROXY_SWEEP_H

#include "lib/store/store.h"

/*
 * Removes from a cache what is of no more use: tokens that have expired, answers that are too old
 * to be given, locks and slots that are a day old and not held, the directories that are empty
 * then, fetches that nobody goes on with. Looks at most once an hour; failures are left for the
 * next time.
 */
void sweep_cache(struct store *cache);

#endif
