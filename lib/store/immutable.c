/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/immutable.h"

#include "lib/oci/digest_keys.h"
#include "lib/store/revision.h"
#include "lib/store/walk.h"

enum { IMMUTABLE_DEPTH = 8 }; /* indexes of indexes */

/* What is looked for, and which manifests do not name it. */
struct immutable {
    const struct repository *repository;
    const struct digest *wanted;
    struct digest_keys seen;
};

static void immutable_release(struct immutable *immutable)
{
    digest_keys_release(&immutable->seen);
}

/* Whether a manifest is what is looked for, or names it. 1, 0, -1. */
static int immutable_leads_to(struct immutable *immutable, const struct digest *digest,
                              unsigned depth, struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct digest_key key = digest_key_of(digest);
    struct error ignored;
    int found;

    if (digest_equal(digest, immutable->wanted)) {
        return 1;
    }
    if (depth > IMMUTABLE_DEPTH || digest_keys_have(&immutable->seen, &key)) {
        return 0;
    }
    digest_keys_add(&immutable->seen, &key);
    found = revision_read(immutable->repository, digest, &stored, error);
    if (found <= 0 || stored_manifest_parse(&stored, &manifest, &ignored) < 0) {
        return found < 0 ? -1 : 0;
    }
    found = 0;
    for (size_t i = 0; i < manifest.reference_count && found == 0; i++) {
        const struct reference *reference = &manifest.references[i];

        found = reference->kind == REFERENCE_MANIFEST
                    ? immutable_leads_to(immutable, &reference->digest, depth + 1, error)
                    : digest_equal(&reference->digest, immutable->wanted);
    }
    return found;
}

int immutable_judge(const struct repository_lock *held, const struct digest *digest,
                    const struct actor *actor, struct error *error)
{
    const struct repository *repository = held->repository;
    AUTO_TAG_WALK struct tag_walk walk = tag_walk_begin(repository, NULL);
    AUTO(immutable_release)
    struct immutable immutable = {
        .repository = repository, .wanted = digest, .seen = DIGEST_KEYS_INIT};
    const char *tag;
    enum walk_result result;

    if ((actor && actor->forces) || repository->store->options->immutable_tags.count == 0) {
        return 0;
    }
    while ((result = tag_walk_next(&walk, &tag, error)) > 0) {
        struct digest current;
        int found = 0;

        if (result == WALK_FOUND && tag_is_immutable(repository->store, tag)) {
            found = tag_get(repository, tag, &current, error);
        }
        if (found > 0) {
            found = immutable_leads_to(&immutable, &current, 0, error);
        }
        if (found > 0) {
            return error_set(error, ERROR_TAG_IMMUTABLE,
                             "this cannot be deleted: '%s' needs it, and the tag is immutable "
                             "(immutable_tags)",
                             tag);
        }
        if (found < 0) {
            return -1;
        }
    }
    return (int)result;
}
