/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_TOUCH_H
#define STORE_TOUCH_H

/*
 * Whoever relies on a link or a blob that is there already, and is about to refer to it (mounts it,
 * uploads it again, was told that it need not be uploaded, names it in a manifest), touches it: the
 * collector leaves alone what was touched less than `grace` ago. A file is touched when nobody has
 * touched it for half of that, or for half an hour, so that what everybody relies on is not
 * written to all the time. When it was touched is its ctime: no copy brings an older one along.
 *
 * Nothing depends on it: what is collected nevertheless comes back (lib/store/trash). So failures
 * are ignored.
 */

#include <sys/stat.h>

#include "lib/store/store.h"

/* `status` is what the file was when it was looked at, or NULL. */
void touch_file(const struct store *store, const char *path, const struct stat *status);

/* The bytes, because somebody has got a link to them. */
void touch_blob(const struct store *store, const struct digest *digest);

/* As if it were new, however young it is. */
void touch_always(const struct store *store, const char *path);

#endif
