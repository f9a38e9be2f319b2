/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_REPOSITORY_H
#define STORE_REPOSITORY_H

/* The manifests of a repository. */

#include "lib/oci/digest_set.h"
#include "lib/store/revision.h"
#include "lib/store/tag.h"

/* Whether anything was ever pushed to it. 1, 0, -1. */
int repository_exists(const struct repository *repository, struct error *error);

/* `reference` is a tag or a digest, in text. 1; 0 if the repository has no such manifest; -1. */
int repository_get_manifest(const struct repository *repository, const char *reference,
                            struct stored_manifest *out_manifest, struct error *error);

/* The same without the bytes, perhaps: see revision_look(). */
int repository_look_at_manifest(const struct repository *repository, const char *reference,
                                struct stored_manifest *out_manifest, struct error *error);

/* Whether a manifest is taken although the repository does not have this. */
bool repository_may_lack(const struct repository *repository, const struct reference *reference);

enum { PUT_TAGS_LIMIT = 256, MISSING_LIMIT = 100 };

struct manifest_put {
    struct document document;
    const struct manifest *manifest; /* the document, parsed */
    struct digest digest;            /* of the document: checked by the caller */
    const char *const *tags;         /* each once */
    size_t tag_count;
    const struct actor *actor; /* see lib/store/tag */
    enum history_event event;  /* what the tags' histories tell: HISTORY_PUSHED */
    /* What the first tag, or without tags the digest, has to stand for now, and what it must not
     * stand for; NULL: never mind. */
    const struct digest_set *expected;
    const struct digest_set *unwanted;
};

/*
 * Stores a manifest and points the tags to it. ERROR_MANIFEST_BLOB_UNKNOWN: `out_missing` holds
 * {"digest":…} for what is not there, one a line, each once, and no more than MISSING_LIMIT of them
 * are looked for. ERROR_PRECONDITION: not what was expected. ERROR_TAG_IMMUTABLE or ERROR_DENIED: a
 * tag would move that has to stay, see tag_judge(); nothing was stored.
 *
 * The bytes come first, then the referrers' entry, then the revision: whatever is visible is
 * complete. Then all that, and everything that the manifest names, is brought to disk; and only
 * then do the tags move, and are brought to disk themselves. A failure leaves no tag moved.
 *
 * Locking: takes repository_lock().
 */
int repository_put_manifest(const struct repository *repository, const struct manifest_put *put,
                            struct buffer *out_missing, struct error *error);

/*
 * Moves a manifest, and all tags that stand for it, to the trash of what was deleted. Durable on
 * return. 1; 0 if there was none; -1, ERROR_TAG_IMMUTABLE if one of the tags has to stay, or
 * another one that has to needs it (lib/store/immutable): then all is as it was. Locking: takes
 * repository_lock().
 */
int repository_delete_manifest(const struct repository *repository, const struct digest *digest,
                               const struct actor *actor, struct error *error);

/* Takes a blob from the repository: its link goes to the trash of what was deleted; the bytes stay.
 * Durable on return. 1, 0 if it had none, -1; ERROR_TAG_IMMUTABLE as above. Locking: takes
 * repository_lock(). */
int repository_delete_blob(const struct repository *repository, const struct digest *digest,
                           struct error *error);

/*
 * The same for all of its manifests and tags, for who wants the repository gone. What is pushed in
 * the meantime waits for the lock, and stays. Durable on return. 1, 0 if there was nothing, -1.
 * Locking: takes repository_lock().
 */
int repository_delete_all(const struct repository *repository, const struct actor *actor,
                          struct error *error);

/*
 * Moves a tag only to that trash; the manifest stays. 1; 0 if there was none; -1,
 * ERROR_PRECONDITION if it stands for none of `expected`, unless that is NULL, or
 * ERROR_TAG_IMMUTABLE. Locking: takes repository_lock().
 */
int repository_delete_tag(const struct repository *repository, const char *tag,
                          const struct digest_set *expected, const struct actor *actor,
                          struct error *error);

#endif
