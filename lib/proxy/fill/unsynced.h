/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_FILL_UNSYNCED_H
#define PROXY_FILL_UNSYNCED_H

/*
 * Blobs that this process has published and that are not on the disk yet (blob_settle()). Clients
 * have them already; they are kept open here, which is how this process vouches for them, and are
 * synced when nobody waits: many small ones together cost hardly more than one.
 *
 * A process that ends without it leaves them to be proven by the next who wants them.
 */

#include "lib/store/store.h"

/* Takes the descriptor over. May sync all that there are, so that they do not become too many. */
void unsynced_add(struct store *store, const struct digest *digest, int descriptor);

bool unsynced_has_any(void);

/* Syncs them. What the disk did not keep is gone from the cache, as the log says. */
void unsynced_settle(void);

#endif
