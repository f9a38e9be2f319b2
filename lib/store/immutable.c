/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/immutable.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/base/memory.h"
#include "lib/oci/digest_keys.h"
#include "lib/store/revision.h"
#include "lib/store/tagged.h"
#include "lib/store/trash.h"

/* What is looked for, and the manifests that may name it: each is read once, so that no circle, no
 * depth and no number of indexes costs more. */
struct immutable {
    const struct repository *repository;
    const struct digest *wanted;
    struct digest_keys seen;
    struct digest *waiting;
    size_t count;
    size_t capacity;
};

static void immutable_release(struct immutable *immutable)
{
    digest_keys_release(&immutable->seen);
    free(immutable->waiting);
}

static void immutable_add(struct immutable *immutable, const struct digest *digest)
{
    struct digest_key key = digest_key_of(digest);

    if (digest_keys_have(&immutable->seen, &key)) {
        return;
    }
    digest_keys_add(&immutable->seen, &key);
    if (immutable->count == immutable->capacity) {
        immutable->capacity = immutable->capacity ? immutable->capacity * 2 : 16;
        immutable->waiting =
            memory_resize(immutable->waiting, immutable->capacity, sizeof(*immutable->waiting));
    }
    immutable->waiting[immutable->count++] = *digest;
}

/* Whether a manifest names what is looked for; what else it names waits. One that is not there, or
 * that nobody understands, cannot be pulled with or without. 1, 0, -1. */
static int immutable_look(struct immutable *immutable, const struct digest *digest,
                          struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct document document;
    struct error ignored;
    int found = revision_read_content(immutable->repository, digest, &stored, error);

    document = stored_manifest_document(&stored);
    if (found <= 0 || !manifest_may_name(&document, immutable->wanted)) {
        return found < 0 ? -1 : 0;
    }
    if (revision_read_type(immutable->repository, &stored, error) < 0) {
        return -1;
    }
    if (stored_manifest_parse(&stored, &manifest, &ignored) < 0) {
        return 0;
    }
    for (size_t i = 0; i < manifest.reference_count; i++) {
        const struct reference *reference = &manifest.references[i];

        if (digest_equal(&reference->digest, immutable->wanted)) {
            return 1;
        }
        if (reference->kind == REFERENCE_MANIFEST) {
            immutable_add(immutable, &reference->digest);
        }
    }
    return 0;
}

/* Whether a tag needs it, and no tag before did. 1, 0, -1. */
static int immutable_needs(struct immutable *immutable, const char *tag,
                           const struct digest *digest, struct error *error)
{
    struct error reason;

    if (digest_equal(digest, immutable->wanted)) {
        return 1;
    }
    immutable_add(immutable, digest);
    while (immutable->count > 0) {
        struct digest next = immutable->waiting[--immutable->count];
        int found = immutable_look(immutable, &next, &reason);

        if (found > 0) {
            return 1;
        }
        if (found < 0) {
            return error_set(error, reason.code,
                             "the tag '%s' is immutable, and what it needs cannot be told: "
                             "%s: %s: see berth check",
                             tag, next.text, reason.message);
        }
    }
    return 0;
}

/* What is in no place cannot be taken from there; and who asks for that costs nothing. */
static bool immutable_is_there(const struct repository *repository, struct path link)
{
    struct stat status;
    struct error ignored;

    return fstatat(repository->store->root, link.text, &status, AT_SYMLINK_NOFOLLOW) == 0 ||
           trash_has(repository->store, TRASH_COLLECTED, link.text, &ignored) != 0;
}

void immutables_release(struct immutables *immutables)
{
    names_release(&immutables->tags);
    free(immutables->digests);
}

void immutables_add(struct immutables *immutables, const char *tag, const struct digest *digest)
{
    if (!tag_is_immutable(immutables->held->repository->store, tag)) {
        return;
    }
    if (immutables->tags.count == immutables->capacity) {
        immutables->capacity = immutables->capacity ? immutables->capacity * 2 : 16;
        immutables->digests =
            memory_resize(immutables->digests, immutables->capacity, sizeof(*immutables->digests));
    }
    immutables->digests[immutables->tags.count] = *digest;
    names_add(&immutables->tags, tag);
}

/* Whether there is anything to ask. */
static bool immutables_matter(const struct immutables *immutables, const struct actor *actor)
{
    const struct repository *repository = immutables->held->repository;

    return !(actor && actor->forces) && repository->store->options->immutable_tags.count > 0 &&
           immutable_is_there(repository,
                              layout_link(repository->name, immutables->kind, immutables->wanted));
}

int immutables_judge(const struct immutables *immutables, const struct actor *actor,
                     struct error *error)
{
    AUTO(immutable_release)
    struct immutable immutable = {.repository = immutables->held->repository,
                                  .wanted = immutables->wanted,
                                  .seen = DIGEST_KEYS_INIT};

    if (!immutables_matter(immutables, actor)) {
        return 0;
    }
    for (size_t i = 0; i < immutables->tags.count; i++) {
        const char *tag = immutables->tags.names[i];
        int found = immutable_needs(&immutable, tag, &immutables->digests[i], error);

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
    return 0;
}

static void immutable_visit(void *context, const char *tag, const struct digest *digest)
{
    immutables_add(context, tag, digest);
}

int immutable_judge(const struct repository_lock *held, enum link_kind kind,
                    const struct digest *digest, const struct actor *actor, struct error *error)
{
    AUTO_IMMUTABLES struct immutables immutables = IMMUTABLES_INIT(held, kind, digest);

    if (immutables_matter(&immutables, actor) &&
        tagged_visit(held->repository, immutable_visit, &immutables, error) < 0) {
        return -1;
    }
    return immutables_judge(&immutables, actor, error);
}
