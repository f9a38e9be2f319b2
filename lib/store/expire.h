/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_EXPIRE_H
#define STORE_EXPIRE_H

#include "lib/store/store.h"

enum {
    EXPIRE_LIMIT = 1000, /* entries of each directory that one look is for */
    EXPIRE_SOON = 10,    /* seconds until the next one, if there are more */
};

/*
 * Removes the upload sessions, and whatever else lies in the temporary directory, that nobody has
 * touched for upload_expiry, and what trials left behind in the store; looks at most once an hour.
 * Somebody waits for it: it looks at EXPIRE_LIMIT entries of a directory, by chance which, and when
 * there are more, at as many again some seconds later.
 * Time is the filesystem's, so that hosts need not agree about it.
 *
 * Locking: takes the lock of each session that it removes, and passes over those in use.
 */
int expire_abandoned(struct store *store, struct error *error);

/* The same at once, and of everything: for who has time. */
int expire_all(struct store *store, struct error *error);

#endif
