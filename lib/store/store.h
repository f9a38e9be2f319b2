/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

/*
 * A place for blobs and repositories: a root directory in distribution's layout and a directory for
 * what is still on its way, on the same filesystem. Several processes on several hosts may have the
 * same store open.
 *
 * What the modules of this floor promise together:
 * - A name below the root holds bytes of that digest: verified before the rename.
 * - What an answer relied on is on disk before the function that allows the answer returns.
 * - A crash at any point leaves nothing that a reader can see; what remains lies in the temporary
 *   directory until expire_abandoned() takes it.
 */

#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/id.h"
#include "lib/base/lock.h"
#include "lib/base/names.h"
#include "lib/base/sync.h"
#include "lib/oci/digest.h"
#include "lib/oci/name.h"
#include "lib/store/layout.h"

/* Which manifests are taken although content that they name is not in the repository. */
enum accept_sparse {
    SPARSE_NO,
    SPARSE_INDEX, /* an index whose children are absent */
    SPARSE_ALL,
};

struct store_options {
    char *root;                  /* absolute path */
    char *temporary;             /* absolute path */
    uint64_t minimum_free_space; /* bytes */
    uint64_t upload_expiry;      /* seconds since the last byte */
    enum accept_sparse accept_sparse;
    struct names immutable_tags; /* patterns of tags that are never moved nor deleted */
    uint64_t grace; /* seconds for which nothing is collected that was touched: lib/store/touch */
    /* A cache: what is in it can be had again. Its names, links and tags need not survive a power
     * cut; but what is found under a digest after one is right or gone, as in any store. */
    bool may_be_lost;
    /* Seconds that a repository's lock is waited for; 0: until it is free. */
    unsigned lock_patience;
    /* Seconds between two notes of a blob's use, at most, see lib/store/use; 0: none are taken. */
    uint64_t use_grain;
};

struct store {
    const struct store_options *options;
    int root; /* descriptors of the two directories */
    int temporary;
    mode_t file_mode;          /* of new files: 0666 and the umask of when it was opened */
    struct sync_memory synced; /* below the root */
    bool is_whole;             /* was, when last seen: see store_mend() */
    bool only_looks;           /* and may change nothing: see store_look() */
    bool keeps_no_marks;       /* nor does its filesystem keep those of lib/store/settle */
    bool puts_off_syncs;       /* of blobs: see settle_put_off() */
    bool keeps_order;          /* of names: see lib/base/journal */
    uint64_t *lost;            /* NULL, or counts what was deleted for good: see trash_put() */
};

#define STORE_INIT                                                                                 \
    {                                                                                              \
        .options = NULL, .root = -1, .temporary = -1                                               \
    }

/*
 * Opens a store and makes what is missing of it. Fails with a message for the operator when the two
 * directories cannot be used together: renames and links between them are tried, because equal
 * device numbers prove nothing (bind mounts). What is there can be read also where nothing can be
 * written (ERROR_NO_SPACE): then whoever writes tries again to make the rest. `options` must
 * outlive the store.
 */
int store_open(struct store *store, const struct store_options *options, struct error *error);

/*
 * Makes what is missing of an open store, because it could not be made then, or because somebody
 * has removed it since. store_replace() and store_discard() do so by themselves when they miss it.
 */
int store_mend(struct store *store, struct error *error);

/* Whether there was something to mend after a call that failed with `number`, and it is mended now.
 * Then the call is worth another try. */
bool store_mends(struct store *store, int number);

/*
 * The same for who only looks: nothing is made and nothing is tried; -1 if there is no root. The
 * temporary directory may be missing, so that nothing can be written.
 */
int store_look(struct store *store, const struct store_options *options, struct error *error);
void store_close(struct store *store);

/*
 * A store of which parts may be taken away at any time: what removes bytes for good wants one of
 * these, and store_as_cache() alone makes it, of a store that may be lost. So no mistake can take
 * away what is hosted. The store must outlive it.
 */
struct cache {
    struct store *store;
};
int store_as_cache(struct store *store, struct cache *out_cache, struct error *error);

/* Whether we may make files in it, as far as that shows without trying. */
int store_check_writable(const struct store *store, struct error *error);

/* ERROR_NO_SPACE, saying what lacks, where and whose reserve it is, if less than minimum_free_space
 * would be left after `bytes` more, or if a smaller part of the filesystem's inodes is left than
 * that is of its bytes. */
int store_check_space(const struct store *store, uint64_t bytes, struct error *error);

/* How many bytes have to go for that; 0 if none, or if it cannot be told. */
uint64_t store_lacks(const struct store *store, uint64_t bytes);
/* How many inodes, in the same way. */
uint64_t store_lacks_inodes(const struct store *store);

/* How a file is replaced. */
enum replace_manner {
    REPLACE_DURABLY, /* the content is synced before it gets its name */
    REPLACE_SHARED,  /* what may be lost */
    REPLACE_PRIVATE, /* and is only for its owner to read */
};

/* Puts a file with this content in the place of what is there, at once. Makes directories. */
int store_replace(struct store *store, struct file_place to, const struct buffer *content,
                  enum replace_manner manner, struct error *error);

/*
 * Writes a small file durably: content first, then the name; the caller flushes `syncs`. Replaces
 * what is there. The content is synced in a cache as well: what a name stands for is right or gone.
 */
int store_write(struct store *store, const char *path, const struct buffer *content,
                struct sync_set *syncs, struct error *error);

/*
 * Takes a file or directory out of sight at once and removes it. What cannot be removed any more
 * lies among the pieces, until expire_abandoned() takes it. 1, 0 if there was none, -1.
 */
int store_discard(struct store *store, struct file_place place, struct error *error);

/*
 * For a sync_set on a store: what is above `blobs` and `repositories` was synced when the store was
 * opened, and nobody removes it. The names of what may be lost are not synced.
 */
#define STORE_SYNCS_INIT(store)                                                                    \
    {                                                                                              \
        .root = (store)->options->may_be_lost ? -1 : (store)->root, .floor = LAYOUT_FIXED_LEVELS,  \
        .memory = &(store)->synced, .in_order = (store)->keeps_order                               \
    }

/* A repository of a store. The name has passed name_is_valid(). */
struct repository {
    struct store *store;
    char name[NAME_SIZE];
};

/*
 * The lock of a repository: whatever is removed from it, and its tags and manifests, change under
 * this lock only. Functions that need it ask for it, and repository_lock() alone makes one. Layers
 * are added without it: link_add() says how that goes together.
 *
 * Several repositories share a lock, so that nobody may hold two.
 */
struct repository_lock {
    const struct repository *repository;
    struct lock lock;
};

#define REPOSITORY_LOCK_INIT                                                                       \
    {                                                                                              \
        .repository = NULL, .lock = LOCK_INIT                                                      \
    }
#define AUTO_REPOSITORY_LOCK AUTO(repository_lock_release)

/* Waits for it, and fails if lock_patience is over: ERROR_LOCK_HELD. `repository` has to outlive
 * the lock. */
int repository_lock(const struct repository *repository, struct repository_lock *out_lock,
                    struct error *error);
void repository_lock_release(struct repository_lock *lock);

#endif
