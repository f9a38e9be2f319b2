/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_REVISION_H
#define STORE_REVISION_H

/* Single manifests by digest: a link in the repository and the bytes among the blobs. */

#include "lib/oci/manifest.h"
#include "lib/store/store.h"

/* Bytes: no configuration lets clients push larger ones. */
enum { MANIFEST_SIZE_LIMIT = 64 * 1024 * 1024 };

/* 1; 0 if the repository has no manifest of this digest; -1. */
int revision_exists(const struct repository *repository, const struct digest *digest,
                    struct error *error);

/* The same, and the digest of the bytes: distribution may keep one algorithm as another's alias. */
int revision_find(const struct repository *repository, const struct digest *digest,
                  struct digest *out_target, struct error *error);

struct stored_manifest {
    struct digest digest;
    char media_type[MEDIA_TYPE_SIZE];
    enum type_source type_source; /* for revision_write(): whether the content tells the type */
    uint64_t size;                /* bytes of the content, also where that is left out */
    struct buffer content;
};

#define STORED_MANIFEST_INIT                                                                       \
    {                                                                                              \
        .content = BUFFER_INIT                                                                     \
    }
#define AUTO_STORED_MANIFEST AUTO(stored_manifest_release)
void stored_manifest_release(struct stored_manifest *manifest);

/* The bytes and the type under which they are stored; good as long as `stored` is. */
struct document stored_manifest_document(const struct stored_manifest *stored);
/* ERROR_MANIFEST_INVALID: another program may have stored what we would not have taken. */
int stored_manifest_parse(const struct stored_manifest *stored, struct manifest *out_manifest,
                          struct error *error);

/* 1, 0, -1. `out_manifest` must be empty. */
int revision_read(const struct repository *repository, const struct digest *digest,
                  struct stored_manifest *out_manifest, struct error *error);

/* The same in two steps, for who may not need the second: the bytes, and then their type. 1, 0, -1;
 * 0, -1. */
int revision_read_content(const struct repository *repository, const struct digest *digest,
                          struct stored_manifest *out_manifest, struct error *error);
int revision_read_type(const struct repository *repository, struct stored_manifest *manifest,
                       struct error *error);

/* Of one that lies in the trash, and stays there: where its link leads, and the same as above. 1,
 * 0, -1. */
int revision_find_in_trash(const struct repository *repository, enum trash which,
                           const struct digest *digest, struct digest *out_target,
                           struct error *error);
int revision_read_in_trash(const struct repository *repository, enum trash which,
                           const struct digest *digest, struct stored_manifest *out_manifest,
                           struct error *error);

/* revision_read() for who wants to know what it is, and not the bytes: a process that has read them
 * before leaves them where they are, and `content` empty. */
int revision_look(const struct repository *repository, const struct digest *digest,
                  struct stored_manifest *out_manifest, struct error *error);

/* Stores bytes, then link; `media_type` too if the document does not tell it, or is
 * long. Durable once `syncs`
 * is flushed. */
int revision_write(const struct repository_lock *held, const struct stored_manifest *manifest,
                   struct sync_set *syncs, struct error *error);

/* For who puts a link to a manifest in its place: without `_layers` neither distribution nor
 * repository_exists() sees the repository, and distribution's collector would take the manifest
 * away. Durable once `syncs` is flushed. */
int revision_make_layers(const struct repository *repository, struct sync_set *syncs,
                         struct error *error);

/* To the trash of what was deleted. 1, 0 if there was none, -1. The bytes stay, and so does what is
 * beside the link: without it, it is nobody's, and with it, it is what it was. */
int revision_remove(const struct repository_lock *held, const struct digest *digest,
                    struct sync_set *syncs, struct error *error);

#endif
