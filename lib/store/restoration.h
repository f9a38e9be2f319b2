/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_RESTORATION_H
#define STORE_RESTORATION_H

/*
 * For lib/store/restore: what a restoration is, and single steps of it, one link or one tag out of
 * the trash. What that needs is the caller's, who brings it back first.
 */

#include "lib/oci/digest_keys.h"
#include "lib/store/link.h"
#include "lib/store/tag.h"
#include "lib/store/trash.h"

struct restoration {
    const struct repository *repository;
    /* Called for each thing that is back: "manifest", "tag", or a layer that was deleted by itself,
     * "blob", and its digest or name. */
    void (*restored)(void *context, const char *kind, const char *name);
    /* Called for what cannot be brought back, with the reason. */
    void (*problem)(void *context, const char *name, const char *why);
    void *context;
    const struct actor *actor; /* see lib/store/tag */
    uint64_t manifests;
    uint64_t tags;
    uint64_t blobs;
    uint64_t problems;
    struct digest_keys seen;   /* manifests */
    struct digest_keys failed; /* of these */
    struct names collected;    /* tags that a collector has taken, sorted */
    bool has_listed;           /* these */
};

#define RESTORATION_INIT(a_repository)                                                             \
    {                                                                                              \
        .repository = (a_repository), .seen = DIGEST_KEYS_INIT, .failed = DIGEST_KEYS_INIT,        \
        .collected = NAMES_INIT                                                                    \
    }
#define AUTO_RESTORATION AUTO(restoration_release)
void restoration_release(struct restoration *restoration);

/* Tells, and counts, what cannot be brought back. */
void restoration_complain(struct restoration *restoration, const char *name, const char *why);

/* The names in a directory of the trash, sorted. */
int restoration_list(const struct restoration *restoration, enum trash which, struct path directory,
                     struct names *out, struct error *error);

/* Whether a link was deleted, and its bytes are there; if they are not, that is told. 1, 0, -1. */
int restoration_look(struct restoration *restoration, enum link_kind kind,
                     const struct digest *digest, struct error *error);

/*
 * Brings such a link back. 1, 0, -1.
 *
 * Locking: takes repository_lock().
 */
int restoration_link(struct restoration *restoration, enum link_kind kind,
                     const struct digest *digest, struct error *error);

/* What a tag in the trash stands for. 1, 0, -1. */
int restoration_read_tag(const struct restoration *restoration, enum trash which, const char *tag,
                         struct digest *out, struct error *error);

/*
 * A tag, its history and what is known of its pulls. What is in its place stays; and what would
 * stand for nothing stays away, and is told: the manifest may have been deleted again since it was
 * back. 1; 0 if there is no such tag in that trash; -1.
 *
 * Locking: takes repository_lock().
 */
int restoration_tag(struct restoration *restoration, enum trash which, const char *tag,
                    struct error *error);

#endif
