/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SYNC_H
#define BASE_SYNC_H

/*
 * Names that survive a power cut: a file is there again only if every directory on the way to it
 * was synced after the name was made. See lib/base/file for the order of steps.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/cleanup.h"
#include "lib/base/error.h"

/*
 * Directories whose names, up to the root, this process has synced. A directory is known by its
 * inode and its time of birth, so that one which was removed and made anew, by whomever, is another
 * one; where the filesystem does not tell the time of birth, nothing is ever known. Nor is one that
 * is named by a digest: it may be moved away and back. And one is known only when it is older than
 * a tick of the clock by which filesystems date births (SYNC_TICK): what takes its place later was
 * then born at another time, also under the same inode.
 */
enum { SYNC_TICK = 20 * 1000 * 1000 }; /* nanoseconds; a tick is 10 ms at most */
enum { SYNC_MEMORY_SETS = 128, SYNC_MEMORY_WAYS = 4 };
struct sync_mark {
    uint64_t device;
    uint64_t inode;
    int64_t born; /* nanoseconds since the epoch; 0: no mark */
};
struct sync_memory {
    /* A directory is one of the four that its inode leads to, the newest first. */
    struct sync_mark marks[SYNC_MEMORY_SETS][SYNC_MEMORY_WAYS];
};

/* Directories below `root` that are to be synced, each once. */
struct sync_set {
    int root;                   /* -1: nothing of this needs to be durable */
    size_t floor;               /* the topmost levels, which are known to be synced */
    bool in_order;              /* one sync does it all: lib/base/journal */
    struct sync_memory *memory; /* or NULL */
    char **paths;
    size_t count;
    size_t capacity;
};

#define SYNC_SET_INIT(root_directory)                                                              \
    {                                                                                              \
        .root = (root_directory), .paths = NULL, .count = 0, .capacity = 0                         \
    }
#define AUTO_SYNC_SET AUTO(sync_set_release)

/* Adds every directory on the way from the root to `path`, but for those of the topmost `floor`
 * levels and those above one that is known; not `path` itself. */
void sync_set_add(struct sync_set *set, const char *path);

/* The same for a directory that is not removed: not even the one above it, if it is known. */
void sync_set_add_lasting(struct sync_set *set, const char *directory);

/* Syncs them, the deepest first, and empties the set. Where names are kept in order, one sync of
 * the root puts on the disk whatever was done below it before, the set or no set. */
int sync_set_flush(struct sync_set *set, struct error *error);
void sync_set_release(struct sync_set *set);

/* A single open directory: the names in it. `path` is for the message. */
int sync_directory(int descriptor, const char *path, struct error *error);

#endif
