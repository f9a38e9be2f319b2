/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_BLOB_H
#define STORE_BLOB_H

/*
 * Blobs are stored once, whoever has them; a repository sees one only through its own link.
 */

#include "lib/store/store.h"

struct blob {
    struct digest digest; /* as asked for */
    struct digest target; /* of the bytes on disk: distribution keeps sha512 as links to sha256 */
    uint64_t size;        /* bytes */
};

/* 1; 0 if the repository does not have it; -1. */
int blob_find(const struct repository *repository, const struct digest *digest,
              struct blob *out_blob, struct error *error);

/* A descriptor for reading, or -1: ERROR_BLOB_UNKNOWN if it has just vanished. */
int blob_open(const struct repository *repository, const struct blob *blob, struct error *error);

/*
 * Makes a complete file, open as `descriptor`, the blob `digest` of the repository. The caller has
 * verified the digest. The bytes are synced, then get their name, then the link follows, then the
 * directories are synced: a name in the store never stands for bytes that may be lost. A blob of
 * that name that is there is replaced, so that pushing again mends a damaged one. Durable on
 * return.
 */
int blob_publish(const struct repository *repository, const struct digest *digest,
                 struct file_place file, int descriptor, struct error *error);

/* The same for a small one in memory, without a link; durable once `syncs` is flushed. */
int blob_write(struct store *store, const struct digest *digest, const struct buffer *content,
               struct sync_set *syncs, struct error *error);

/* Gives the repository a blob that another one has. Durable on return. 1, 0 if it has gone, -1. */
int blob_mount(const struct repository *repository, const struct blob *blob, struct error *error);

/* Takes the blob from the repository; the bytes stay for the others. 1, 0 if it had none, -1. */
int blob_unlink(const struct repository *repository, const struct digest *digest,
                struct error *error);

/* Whether somebody's bytes of this digest are stored. 1, 0, -1. */
int blob_is_stored(const struct store *store, const struct digest *digest, uint64_t *out_size,
                   struct error *error);

#endif
