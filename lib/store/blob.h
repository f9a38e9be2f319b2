/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_BLOB_H
#define STORE_BLOB_H

/*
 * Blobs are stored once, whoever has them; a repository sees one only through its own link.
 *
 * This is the only door to their bytes: whoever wants to open, read, compare, publish or remove
 * them, or hand them to the web server, does it here, so that there is one place that knows where
 * they are. What is missing is looked for once more where it goes back from by itself
 * (TRASH_COLLECTED, see lib/store/trash): who moves a blob away without being sure moves it there.
 * Two levels:
 *   - what a repository has: blob_find(), then blob_open() or blob_path(); blob_publish(),
 *     blob_mount(), repository_delete_blob();
 *   - what is stored for anybody: blob_is_stored(), blob_open_stored(), blob_read(), … These answer
 *     no client by themselves: a digest is no permission.
 */

#include <time.h>

#include "lib/store/store.h"

struct blob {
    struct digest digest; /* as asked for */
    struct digest target; /* of the bytes on disk: distribution keeps sha512 as links to sha256 */
    uint64_t size;        /* bytes */
    bool is_settled;      /* the bytes: see lib/store/settle */
};

/* 1; 0 if the repository does not have it; -1. */
int blob_find(const struct repository *repository, const struct digest *digest,
              struct blob *out_blob, struct error *error);

/* Somebody was told that it is there, and will refer to it: see lib/store/touch. */
void blob_touch(const struct repository *repository, const struct blob *blob);

/* A descriptor for reading, or -1: ERROR_BLOB_UNKNOWN if it has just vanished. */
int blob_open(const struct repository *repository, const struct blob *blob, struct error *error);

/* Where it is below the store's root, for the web server to send. */
struct path blob_path(const struct blob *blob);

/*
 * Makes a complete file, open as `descriptor`, the blob `digest` of the repository. The caller has
 * verified the digest. The bytes are synced, then get their name, then the link follows, then the
 * directories are synced: a name in the store never stands for bytes that may be lost. A blob of
 * that name that is there is replaced, so that pushing again mends a damaged one. Durable on
 * return.
 *
 * In a cache the sync may be put off: then it is the caller's to call blob_settle() soon, and to
 * keep the descriptor until then. Who does not leaves a blob that is read before it is believed.
 */
int blob_publish(const struct repository *repository, const struct digest *digest,
                 struct file_place file, int descriptor, struct error *error);

/* Gives the repository a blob that another one has. Durable on return. 1, 0 if it has gone, -1. */
int blob_mount(const struct repository *repository, const struct blob *blob, struct error *error);

/*
 * Removes a link of the repository whose bytes, `target`, are not there. Looks for them under the
 * lock, and once more when the link is gone, so that whoever has brought them and relies on the
 * link keeps it. 1: removed; 0: the bytes are there, and so is the link; -1.
 */
int blob_remove_link(const struct repository_lock *held, const char *link,
                     const struct digest *target, struct sync_set *syncs, struct error *error);

/* Somebody's bytes, whoever has a link to them. */

/* Whether there are any. 1, 0, -1. */
int blob_is_stored(const struct store *store, const struct digest *digest, uint64_t *out_size,
                   struct error *error);

/* For a collector: whether they are in their place and nobody has touched them since a time. 1, 0,
 * -1; not looked for elsewhere. */
int blob_is_untouched(const struct store *store, const struct digest *digest,
                      const struct timespec *since, uint64_t *out_size, struct error *error);

/* For the same: whether there is anything in their place. */
bool blob_is_in_place(const struct store *store, const struct digest *digest);

struct no_room; /* lib/store/trash */

/* Moves them to where whoever misses them finds them: see trash_collect(). 1, 0 if there are none,
 * -1. */
int blob_collect(const struct store *store, const struct digest *digest, struct no_room *no_room,
                 struct error *error);

/* Removes the directory of a blob that is not there, as a crash leaves it. Whether there was one;
 * whoever publishes one at this moment makes it again. */
bool blob_sweep(const struct store *store, const struct digest *digest);

/* Adds all of them to `out`. 1; 0 if there are none; -1, also if they are more than `limit`. */
int blob_read(const struct store *store, const struct digest *digest, size_t limit,
              struct buffer *out, struct error *error);

/* A small blob from memory, without a link; durable once `syncs` is flushed. */
int blob_write(struct store *store, const struct digest *digest, const struct buffer *content,
               struct sync_set *syncs, struct error *error);

/* Its name, too, will be durable once `syncs` is flushed, whoever has made it. */
void blob_add_to_syncs(const struct digest *digest, struct sync_set *syncs);

/* An open blob: these very bytes, also when others take their place. */
struct blob_file {
    int descriptor;
    uint64_t size; /* bytes */
    bool is_file;  /* and no directory, pipe, … */
    bool use_is_due;
};

#define BLOB_FILE_INIT                                                                             \
    {                                                                                              \
        .descriptor = -1                                                                           \
    }
#define AUTO_BLOB_FILE AUTO(blob_file_close)

/* 1, 0, -1. */
int blob_open_stored(const struct store *store, const struct digest *digest,
                     struct blob_file *out_file, struct error *error);
void blob_file_close(struct blob_file *file);

/* Reads it all. */
enum blob_soundness {
    BLOB_CHECK_FAILED = -1,
    BLOB_DAMAGED, /* it was read whole, and has another digest */
    BLOB_SOUND,
    BLOB_UNREAD,     /* it was not wanted any more */
    BLOB_UNREADABLE, /* EIO, with the error set: a bad disk, or one that is only away */
};
/* Called after each piece, with its bytes: false if no more is wanted. */
struct blob_reader {
    bool (*read)(void *context, uint64_t bytes);
    void *context;
};
enum blob_soundness blob_check(const struct blob_file *file, const struct digest *digest,
                               const struct blob_reader *reader, struct error *error);

/* For a cache: syncs what blob_publish() has put off, if it has. -1: the disk did not keep the
 * bytes, and the blob is gone. */
int blob_settle(struct store *store, const struct digest *digest, int descriptor,
                struct error *error);

/*
 * Whether a blob that blob_find() has found in a cache may be believed as it is (lib/store/settle).
 * If not, it is to be proven, which takes the time to read it: it is right then (1), and
 * settled if that can be known, or damaged and gone (0). ERROR_CLIENT_GONE: nobody waits for it any
 * more.
 */
bool blob_is_believed(const struct store *store, const struct blob *blob);
int blob_prove(struct store *store, const struct digest *digest, struct error *error);

/*
 * Moves these very bytes, which are damaged, out of the way, to where such are kept. If the
 * collector's trash has the same blob it is read, and a good one takes their place instead: then
 * they are gone, and nobody lacks anything.
 */
enum blob_aside {
    BLOB_ASIDE_FAILED = -1, /* they are where they were, or where they come back from */
    BLOB_ASIDE_OTHER,       /* nothing to do: others have taken their place meanwhile */
    BLOB_ASIDE_MOVED,
    BLOB_ASIDE_REPLACED,
};
enum blob_aside blob_set_aside(struct store *store, const struct digest *digest,
                               const struct blob_file *file, struct error *error);

/* For who makes room in a cache: see lib/store/use. */
struct blob_status {
    uint64_t room; /* bytes that it takes on the disk */
    struct timespec used;
    ino_t inode;
    bool is_condemned;
};

/* What so many bytes take. */
uint64_t blob_room(uint64_t size);

/* 1, 0, -1. */
int blob_inspect(const struct store *store, const struct digest *digest,
                 struct blob_status *out_status, struct error *error);

/* To be removed in a moment, unless somebody uses it meanwhile. */
void blob_condemn(const struct cache *cache, const struct digest *digest);

/*
 * Removes a condemned blob, for good; whoever has it open keeps it. 1; 0 if it has gone, is not the
 * one that was seen, or was used since; -1.
 */
int blob_drop(const struct cache *cache, const struct digest *digest,
              const struct blob_status *seen, struct error *error);

/* Whether a file that somebody has open has become the blob. */
enum blob_match {
    BLOB_MATCH_FAILED = -1,
    BLOB_ABSENT,
    BLOB_SAME,
    BLOB_OTHER, /* the blob is there, but made of another file */
};
enum blob_match blob_match(const struct store *store, const struct digest *digest, int descriptor,
                           struct error *error);

#endif
