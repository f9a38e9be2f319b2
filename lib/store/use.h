/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_USE_H
#define STORE_USE_H

/*
 * When a blob of a cache was last used, by whichever repository, for who makes room there. It is
 * the time of the file's last access: whoever opens or looks up a blob has it at hand, so that a
 * hit costs no call more, and layers that several images share have one. It is set by hand, since
 * filesystems are mounted without it or note it once a day; that they do besides is right as well.
 * The time of the last change is left alone: web servers show it to clients.
 *
 * A note is taken when the last one is an eighth as old as the blob is here, at most once a second
 * and at least once in `use_grain` seconds: often as long as it is new, which is what matters where
 * blobs come and go within minutes, and else once an hour.
 *
 * Whoever is about to remove a blob condemns it first, waits until those who have just been told
 * its path have opened it, and looks again. To who comes meanwhile a condemned blob looks as if it
 * had not been used for decades: it notes its use, which is a pardon.
 */

#include <sys/stat.h>

#include "lib/store/store.h"

/* Whether somebody who uses the blob now has to note it. Never in a store that notes none, or for
 * who only looks. */
bool use_is_due(const struct store *store, const struct stat *status);

/* False if the blob has vanished. */
bool use_note(const struct store *store, const char *path);
void use_note_open(int descriptor);

/* When it was last used, or came here. */
struct timespec use_last(const struct stat *status);

/* As well as it can be said: whoever cannot condemn does not remove. */
void use_condemn(const struct store *store, const char *path);
bool use_is_condemned(const struct stat *status);

#endif
