/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/hurt.h"

#include "lib/store/blob.h"
#include "lib/store/repository.h"

enum {
    HURT_DEPTH = 8,        /* indexes of indexes */
    HURT_MANIFESTS = 5000, /* that are read for one tag */
};

struct hurt {
    const struct repository *repository;
    struct digest_keys *damaged;
    unsigned left; /* manifests that may be read */
    struct digest culprit;
};

static bool hurt_is_damaged(struct hurt *hurt, const struct digest *digest)
{
    struct digest_key key = digest_key_of(digest);

    if (!digest_keys_have(hurt->damaged, &key)) {
        return false;
    }
    hurt->culprit = *digest;
    return true;
}

static int hurt_look(struct hurt *hurt, const struct digest *digest, unsigned depth,
                     struct error *error);

static int hurt_look_at_reference(struct hurt *hurt, const struct reference *reference,
                                  unsigned depth, struct error *error)
{
    struct blob blob;
    int found = 0;

    if (hurt_is_damaged(hurt, &reference->digest)) {
        return 1;
    }
    if (reference->kind == REFERENCE_MANIFEST) {
        found = revision_exists(hurt->repository, &reference->digest, error);
        if (found > 0) {
            return hurt_look(hurt, &reference->digest, depth + 1, error);
        }
    }
    if (found == 0) {
        found = blob_find(hurt->repository, &reference->digest, &blob, error);
    }
    if (found != 0 || repository_may_lack(hurt->repository, reference)) {
        return found < 0 ? -1 : 0;
    }
    hurt->culprit = reference->digest;
    return 1;
}

/* A manifest that is there. */
static int hurt_look(struct hurt *hurt, const struct digest *digest, unsigned depth,
                     struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct error reason;
    int found;

    if (hurt_is_damaged(hurt, digest)) {
        return 1;
    }
    if (depth > HURT_DEPTH || hurt->left == 0) {
        return 0;
    }
    hurt->left--;
    found = revision_read(hurt->repository, digest, &stored, error);
    if (found <= 0 || stored_manifest_parse(&stored, &manifest, &reason) < 0) {
        return found < 0 ? -1 : 0; /* not there, or another program's */
    }
    for (size_t i = 0; i < manifest.reference_count; i++) {
        int result = hurt_look_at_reference(hurt, &manifest.references[i], depth, error);

        if (result != 0) {
            return result;
        }
    }
    return 0;
}

int hurt_find(const struct repository *repository, const struct digest *manifest,
              struct digest_keys *damaged, struct digest *out_culprit, struct error *error)
{
    struct hurt hurt = {.repository = repository, .damaged = damaged, .left = HURT_MANIFESTS};
    int result = hurt_look(&hurt, manifest, 0, error);

    if (result > 0) {
        *out_culprit = hurt.culprit;
    }
    return result;
}
