/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_TRASH_H
#define STORE_TRASH_H

/*
 * What was taken out of a store, and can still be put back: two trees like the store's own, below
 * `_berth/trash`.
 *
 * - TRASH_COLLECTED: what the collector found unreferenced. It comes back by itself when somebody
 *   misses it: blob_…() and link_follow() look here before they say that something is absent. So
 *   the collector needs to lock out no writer: whatever it takes from under somebody's feet is
 *   found again.
 * - TRASH_DELETED: what somebody has deleted. It comes back only when it is restored.
 *
 * Only files come back, never directories: one that did would be taken for the one that was synced
 * (lib/base/sync). And what somebody writes to must not be moved with a directory either: a host
 * that knows this one under its old name (NFS) would write into the trash, and be told that all is
 * well; where files alone are moved, the directory is gone and its name is looked up anew. So only
 * one is ever put here as a whole: see trash_put_tree().
 *
 * When something was put here is its ctime, which a rename sets, or that of the directory that it
 * came with. A second file of the same path takes the place of the first. What lies here is removed
 * by trash_empty() alone; blob_set_aside() puts a blob from here in the place of a damaged one.
 */

#include <time.h>

#include "lib/store/store.h"

/*
 * Moves a file here, and removes the directory that held nothing else. 1, 0 if there was none, -1.
 * What is deleted does not come back by itself any more either: a collected one of that path goes
 * with it; and where there is no room for the directories that it takes to lie here, it is removed,
 * since that is how room is made, and counted in the store's `lost`; not so with TRASH_RETIRED,
 * where ERROR_NO_SPACE says that it stays: nobody has asked for it to go. A cache has no trash, and
 * what is put there is removed. Durable once `path` is flushed.
 *
 * Locking: what belongs to a repository needs repository_lock().
 */
int trash_put(const struct store *store, enum trash which, const char *path, struct error *error);

/*
 * Moves the directory of what a tag has stood for, layout_tag_index(), with all that is in it: one
 * rename instead of the three directories that each link takes here, and the three that it leaves.
 * False if nothing was moved, since that cannot be done at once: something of it lies here already,
 * the filesystem is not this machine's alone, there is no such directory, the disk fails. Then put
 * each file. What another host writes there nevertheless, as said above, nobody relies on: it is
 * link_note()'s.
 *
 * Locking: needs repository_lock().
 */
bool trash_put_tree(const struct store *store, enum trash which, const char *path);

/*
 * Makes the directories that a file needs to lie here, before anything is said of its going: then
 * it has room. 0; -1, ERROR_NO_SPACE.
 */
int trash_make_room(const struct store *store, enum trash which, const char *path,
                    struct error *error);

/* What stays for want of room, and why the first of it does. */
struct no_room {
    uint64_t count;
    struct error why;
};
void no_room_add(struct no_room *no_room, const struct error *why);

/*
 * trash_put() for the collector, which goes on where there is no room for the directories that a
 * move takes: to empty the trash is what gives room. Then it counts in `no_room`, and the file
 * stays.
 */
int trash_collect(const struct store *store, const char *path, struct no_room *no_room,
                  struct error *error);

/*
 * Moves a file back to where it was, unless something is there by now; durably, also if it was
 * somebody else who did it, and not settled. 1: it may be in its place now; 0: there was none, for
 * which look again in its place before you say that something is absent; -1. What is back may be
 * taken away once more before you see it: then try again, but not more often than TRASH_TRIES.
 */
enum { TRASH_TRIES = 5 };
int trash_take_back(const struct store *store, enum trash which, const char *path,
                    struct error *error);

/* What the filesystem calls now, so that the clocks of hosts do not matter. */
struct timespec trash_now(const struct store *store);
/* Until what is put here has a later date than this, which takes some milliseconds; no longer where
 * dates are coarse. */
void trash_wait_past(const struct store *store, const struct timespec *time);

/* Whether there is such a file. 1, 0, -1. */
int trash_has(const struct store *store, enum trash which, const char *path, struct error *error);

/* How trash_empty() chooses, and what it tells. */
struct trash_emptying {
    struct timespec before; /* what was put here at this time, or later, stays */
    /* Whether a file, of this path in the store, may go; NULL: all may. */
    bool (*may_go)(void *context, const char *path);
    void *context;
    bool dry_run; /* counts only */
    uint64_t files;
    uint64_t bytes;
    uint64_t left_files; /* what stays */
    uint64_t left_bytes;
};

/*
 * Unlinks what has lain here for long, tags before manifests, and these, in the order in which they
 * were put here, before what they name (see lib/store/revision), and removes the directories that
 * are empty then. Looks at the time right before; whoever takes a file back in that moment has it,
 * and nothing is left to be removed.
 */
int trash_empty(const struct store *store, enum trash which, struct trash_emptying *emptying,
                struct error *error);

/* Whether a file was touched, in any way, before this time. */
bool trash_is_before(const struct stat *status, const struct timespec *time);

#endif
