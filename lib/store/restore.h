/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_RESTORE_H
#define STORE_RESTORE_H

/*
 * Takes back what somebody has deleted, as it was: a manifest with its tags, and all that it needs
 * to be pulled, whether that was deleted or collected: children, layers, and the referrers that
 * were collected because it was gone. What was deleted by itself stays so unless it is needed.
 *
 * What comes first is what is pointed at: a tag is back when everything behind it is. Each step is
 * durable, and may be done again.
 */

#include "lib/oci/digest_keys.h"
#include "lib/store/tag.h"

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

/*
 * All return 1; 0 if there is no such thing, neither in the trash nor in its place; -1.
 *
 * Locking: they take repository_lock().
 */

/* The manifest without its tags. */
int restore_untagged(struct restoration *restoration, const struct digest *digest,
                     struct error *error);

/* The manifest, and all tags in the trash that stood for it: those that were deleted with it, by
 * themselves or before. A tag that cannot be read is told, and the others come back. */
int restore_manifest(struct restoration *restoration, const struct digest *digest,
                     struct error *error);

/* A tag alone, or what one that is there needs. ERROR_PRECONDITION: it is there, and stands for
 * another manifest. */
int restore_tag(struct restoration *restoration, const char *tag, struct error *error);

/* All that was deleted in the repository. What cannot be brought back is told, and the rest is. */
int restore_repository(struct restoration *restoration, struct error *error);

#endif
