/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_EXPIRE_H
#define STORE_EXPIRE_H

#include "lib/store/store.h"

/*
 * Removes the upload sessions, and whatever else lies in the temporary directory, that nobody has
 * touched for upload_expiry, and what trials left behind in the store; looks at most once an hour.
 * Time is the filesystem's, so that hosts need not agree about it.
 *
 * Locking: takes the lock of each session that it removes, and passes over those in use.
 */
int expire_abandoned(struct store *store, struct error *error);

#endif
