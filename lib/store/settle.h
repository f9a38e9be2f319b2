/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_SETTLE_H
#define STORE_SETTLE_H

/*
 * Files that are settled: their names, and those of all directories above them, were synced while
 * they had them. Whoever relies on what somebody else has made has to sync the way to it, unless it
 * is settled: so a manifest's push need not sync four directories for each of its layers again.
 *
 * The mark is the sticky bit, which means nothing on a file. It is set after the syncs and need not
 * be durable itself; a file that takes the name does not have it, and to lose it (a copy, another
 * owner's file, a filesystem without it) costs syncs and nothing else. All workers on all hosts see
 * it. Who moves such a file, or a directory above it, away and back must settle_forget() it before
 * it is back. Copies that keep modes (cp -a, rsync -a) keep the mark too: whoever restores a store
 * syncs the filesystem before it is served, as the README says.
 *
 * settle_begin() before the sync_set is flushed, settle_end() afterwards, so that it is the file of
 * that name at the time of the sync that is marked, whoever has put it there.
 *
 * A cache (may_be_lost) syncs no names. There only blobs are marked, and the mark says that their
 * bytes were synced: after a power cut a name without it may stand for anything. But nobody waits
 * for a disk because of what can be had again, so the sync comes after the name, and until then
 * whoever has written the bytes vouches for them with his life: he claims the file (lock_claim()),
 * and as long as he does, no power cut can have come in between. What is neither settled nor
 * vouched for is proven before it is believed (blob_prove()). Nothing is put off where others may
 * read what is not synced yet, as on network filesystems, or where the filesystem keeps no marks.
 */

#include <stdbool.h>
#include <sys/stat.h>

#include "lib/store/store.h"

/* A descriptor for settle_end(); -1 if there is nothing to mark. */
int settle_begin(const struct store *store, const char *path);
void settle_end(const struct store *store, int descriptor);
/* The same for a file of the store's own mode, which we have put there before the flush; in a
 * cache, for a blob that was synced. */
void settle_own(const struct store *store, int descriptor);

/* For a file of a cache that is to become a blob, before it gets its name: whether it may be synced
 * later. Then it is claimed by this process as long as the descriptor is open. */
bool settle_put_off(const struct store *store, int descriptor);

/* Of an open file that was to become a blob of a cache: whether its digest was verified, as far as
 * that is said where marks are kept, whatever has become of its name. */
bool settle_is_vouched_for(int descriptor);

/* Of an open blob of a cache that is not ours: whether its bytes may be believed as they are. */
bool settle_is_believed(const struct store *store, int descriptor);

/* 0, also if there is no such file; -1. */
int settle_forget(const struct store *store, const char *path, struct error *error);

bool settle_is_done(const struct stat *status);
/* The same of a path; false whatever keeps us from looking. */
bool settle_is_done_at(const struct store *store, const char *path);

#endif
