/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_UPLOAD_H
#define STORE_UPLOAD_H

/*
 * Blobs on their way in. A session collects bytes until the client names the digest; only then does
 * the blob appear in the store, whole and verified.
 *
 * Calling sequence: upload_start() or upload_open(); upload_write() or upload_adopt() any number of
 * times; then upload_finish(), upload_cancel() or upload_suspend(). A session that is suspended can
 * be opened again by any process on any host, also after a restart. One that is simply dropped
 * (AUTO_UPLOAD) keeps the bytes that were written, and will hash them again.
 *
 * A session is a directory: `data`, the bytes so far; `state`, whose it is and the hash up to some
 * offset; `lock`, held for the length of a request.
 *
 * Locking: an open upload holds the session's lock. A second request is refused, never made to
 * wait, and its bytes are never mixed in.
 */

#include "lib/base/lock.h"
#include "lib/store/store.h"

struct upload {
    const struct repository *repository;
    char id[ID_SIZE];
    struct lock lock;
    int data;      /* descriptor; -1 while there are no bytes */
    uint64_t size; /* bytes collected */
    struct hash hash;
    uint64_t hashed; /* bytes that `hash` has seen, from the start */
    uint64_t saved;  /* bytes that the state speaks of, trusted or not */
    bool is_closed;  /* see upload_finish() */
    /* The digest of the first `known_size` bytes by another algorithm, once it was computed; else
     * empty. So that who asks by turns does not make us read them again and again. */
    struct digest known;
    uint64_t known_size;
};

#define UPLOAD_INIT                                                                                \
    {                                                                                              \
        .repository = NULL, .lock = LOCK_INIT, .data = -1                                          \
    }
#define AUTO_UPLOAD AUTO(upload_release)

/* `algorithm` is the one that the client means to name; another one works, more slowly. */
int upload_start(struct upload *upload, const struct repository *repository,
                 enum digest_algorithm algorithm, struct error *error);

/* ERROR_UPLOAD_UNKNOWN: no such session of this repository. ERROR_UPLOAD_BUSY: in use. */
int upload_open(struct upload *upload, const struct repository *repository, const char *id,
                struct error *error);

/* How many bytes a session has, also while it is in use. ERROR_UPLOAD_UNKNOWN. */
int upload_status(const struct repository *repository, const char *id, uint64_t *out_size,
                  struct error *error);

/* Appends; a closed session does not. After ERROR_NO_SPACE the session is of no use: cancel it. */
int upload_write(struct upload *upload, const void *bytes, size_t length, struct error *error);

/*
 * Appends the content of a file that the web server has written, without copying it if it can be
 * linked and is the first to come. The file keeps its own name, which is the web server's to
 * remove.
 */
int upload_adopt(struct upload *upload, const char *path, struct error *error);

/* Takes back what was written since the session had `size` bytes. */
int upload_rewind(struct upload *upload, uint64_t size, struct error *error);

/* Remembers the hash for the next request and closes the session. ERROR_NO_SPACE ends it, as that
 * of upload_write() does. */
int upload_suspend(struct upload *upload, struct error *error);

/*
 * Makes it the repository's blob, durably, and ends the session. ERROR_DIGEST_INVALID if the bytes
 * have another digest: then the session is still there, suspended. ERROR_NO_SPACE before the bytes
 * were safe ends the session, and so does ERROR_DATA_LOST: another try would find that the disk has
 * nothing to say against bytes that it has dropped.
 *
 * Any other failure leaves a session that can be finished by another request. When the bytes had
 * become the blob already, and only the link or a sync failed, it is a closed one: `is_closed`,
 * with the size that it had, but without bytes; what is written to it is dropped, since all has
 * arrived. Finishing it with the digest that its saved hash proves gives the repository the blob.
 * With another one, or when the blob has gone, there is no way on: ERROR_UPLOAD_UNKNOWN, and the
 * session is removed.
 */
int upload_finish(struct upload *upload, const struct digest *digest, struct error *error);

/* Nobody can go on with it, whatever of it is left to expire. */
int upload_cancel(struct upload *upload, struct error *error);

void upload_release(struct upload *upload);

#endif
