/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/restore.h"

#include <string.h>

#include "lib/base/directory.h"
#include "lib/base/text.h"
#include "lib/store/blob.h"
#include "lib/store/referrers.h"
#include "lib/store/repository.h"
#include "lib/store/restoration.h"
#include "lib/store/revision.h"

/* How deep an index of indexes, or a referrer of referrers, is followed. */
enum { RESTORE_DEPTH = 32 };

/* What could not be brought back is told, and the rest is: unless it fares the same, with a disk
 * that is full. 0, -1. */
static int restore_go_on(struct restoration *restoration, const char *name,
                         const struct error *reason, struct error *error)
{
    if (reason->code == ERROR_NO_SPACE) {
        *error = *reason;
        return -1;
    }
    restoration_complain(restoration, name, reason->message);
    return 0;
}

/* A layer that was deleted by itself. 1, 0, -1. */
static int restore_layer(struct restoration *restoration, const struct digest *digest,
                         struct error *error)
{
    int found = restoration_link(restoration, LINK_LAYER, digest, error);

    if (found > 0) {
        restoration->blobs++;
        restoration->restored(restoration->context, "blob", digest->text);
    }
    return found;
}

static int restore_whole(struct restoration *restoration, const struct digest *digest,
                         unsigned depth, struct error *error);

/* What a manifest names. 0, -1. */
static int restore_reference(struct restoration *restoration, const struct reference *reference,
                             unsigned depth, struct error *error)
{
    uint64_t problems = restoration->problems;
    struct blob blob;
    int found = 0;

    if (reference->kind == REFERENCE_MANIFEST) {
        found = restore_whole(restoration, &reference->digest, depth + 1, error);
    }
    if (found == 0) {
        found = blob_find(restoration->repository, &reference->digest, &blob, error);
    }
    if (found == 0) {
        found = restore_layer(restoration, &reference->digest, error);
    }
    if (found == 0 && restoration->problems == problems &&
        !repository_may_lack(restoration->repository, reference)) {
        restoration_complain(restoration, reference->digest.text,
                             "what comes back needs this, which is not even in the trash");
    }
    return found < 0 ? -1 : 0;
}

/* A manifest, wherever its link is. 1, 0, -1. */
static int restore_read(const struct restoration *restoration, const struct digest *digest,
                        struct stored_manifest *out, struct error *error)
{
    const struct repository *repository = restoration->repository;
    int found = revision_read_in_trash(repository, TRASH_DELETED, digest, out, error);

    if (found == 0) {
        found = revision_read_in_trash(repository, TRASH_COLLECTED, digest, out, error);
    }
    return found == 0 ? revision_read(repository, digest, out, error) : found;
}

/* All that a manifest names. 0, -1. */
static int restore_references(struct restoration *restoration, const struct digest *digest,
                              unsigned depth, struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct error ignored;
    int found = restore_read(restoration, digest, &stored, error);

    if (found <= 0 || stored_manifest_parse(&stored, &manifest, &ignored) < 0) {
        return found < 0 ? -1 : 0; /* what another program has stored comes back as it was */
    }
    for (size_t i = 0; i < manifest.reference_count; i++) {
        if (restore_reference(restoration, &manifest.references[i], depth, error) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Those that were collected because their subject had gone; what was deleted by itself stays so. */
static int restore_referrers(struct restoration *restoration, const struct digest *digest,
                             unsigned depth, struct error *error)
{
    const struct repository *repository = restoration->repository;
    struct path directory = layout_referrers(repository->name, digest);
    AUTO_NAMES struct names names = NAMES_INIT;

    if (directory_list(repository->store->root, directory.text, &names, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count; i++) {
        struct digest referrer;
        struct error ignored;
        int found = 0;

        if (digest_parse(&referrer, names.names[i], &ignored) == 0) {
            found = revision_exists(repository, &referrer, error);
        }
        if (found > 0) {
            found = restore_whole(restoration, &referrer, depth + 1, error);
        }
        if (found < 0) {
            return -1;
        }
    }
    return 0;
}

/* One of the tags by which clients keep referrers, with what it stands for. 1, 0, -1. */
static int restore_collected_tag(struct restoration *restoration, const char *tag, unsigned depth,
                                 struct error *error)
{
    struct digest referrer;
    int found = restoration_read_tag(restoration, TRASH_COLLECTED, tag, &referrer, error);

    if (found > 0) {
        found = restore_whole(restoration, &referrer, depth + 1, error);
    }
    return found > 0 ? restoration_tag(restoration, TRASH_COLLECTED, tag, error) : found;
}

static int restore_list_collected(struct restoration *restoration, struct error *error)
{
    restoration->has_listed = true;
    return restoration_list(restoration, TRASH_COLLECTED,
                            layout_tags(restoration->repository->name), &restoration->collected,
                            error);
}

/* Those of one manifest: "sha256-DIGITS", with an ending or without. There may be as many as
 * manifests come back, so that they are listed once: see restore_late_tags(). */
static int restore_fallback_tags(struct restoration *restoration, const struct digest *digest,
                                 unsigned depth, struct error *error)
{
    const struct names *collected = &restoration->collected;
    char prefix[TAG_SIZE];

    if (!restoration->has_listed && restore_list_collected(restoration, error) < 0) {
        return -1;
    }
    referrers_fallback_tag(digest, prefix);
    for (size_t i = names_find(collected, prefix);
         i < collected->count && text_begins(collected->names[i], prefix); i++) {
        if (restore_collected_tag(restoration, collected->names[i], depth, error) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Those that a collector has taken after they were listed, and before their manifest was back. 1 if
 * there were any, 0, -1. */
static int restore_late_tags(struct restoration *restoration, struct error *error)
{
    AUTO_NAMES struct names known = restoration->collected;
    int any = 0;

    restoration->collected = (struct names)NAMES_INIT;
    if (restore_list_collected(restoration, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < restoration->collected.count; i++) {
        const char *tag = restoration->collected.names[i];
        struct digest subject;
        int found = 0;

        if (!names_sorted_have(&known, tag) && referrers_read_fallback_tag(tag, &subject)) {
            struct digest_key key = digest_key_of(&subject);

            found = digest_keys_have(&restoration->seen, &key)
                        ? restore_collected_tag(restoration, tag, 0, error)
                        : 0;
        }
        if (found < 0) {
            return -1;
        }
        any |= found;
    }
    return any;
}

/* Until none is late any more. 0, -1. */
static int restore_latecomers(struct restoration *restoration, struct error *error)
{
    int any = restoration->has_listed;

    while (any > 0) {
        any = restore_late_tags(restoration, error);
    }
    return any;
}

/* Whether there is a manifest, anywhere, and whether it is away from its place. 1, 0, -1. */
static int restore_find(struct restoration *restoration, const struct digest *digest,
                        bool *out_is_away, struct error *error)
{
    const struct repository *repository = restoration->repository;
    struct digest target;
    uint64_t size;
    int found = restoration_look(restoration, LINK_REVISION, digest, error);

    if (found == 0) {
        found = revision_find_in_trash(repository, TRASH_COLLECTED, digest, &target, error);
        if (found > 0) {
            found = blob_is_stored(repository->store, &target, &size, error);
        }
    }
    *out_is_away = found > 0;
    return found == 0 ? revision_exists(repository, digest, error) : found;
}

/* A manifest that was found: what it names, then its link, then what points at it. 1; 0 if it was
 * removed from the trash meanwhile; -1. */
static int restore_in_order(struct restoration *restoration, const struct digest *digest,
                            unsigned depth, struct error *error)
{
    int found;

    if (restore_references(restoration, digest, depth, error) < 0 ||
        restoration_link(restoration, LINK_REVISION, digest, error) < 0) {
        return -1;
    }
    found = revision_exists(restoration->repository, digest, error); /* comes back */
    if (found > 0 && (restore_referrers(restoration, digest, depth, error) < 0 ||
                      restore_fallback_tags(restoration, digest, depth, error) < 0)) {
        return -1;
    }
    return found;
}

/* A manifest without its tags. 1, 0 if there is none, -1: and again for whoever needs it, too. */
static int restore_whole(struct restoration *restoration, const struct digest *digest,
                         unsigned depth, struct error *error)
{
    struct digest_key key = digest_key_of(digest);
    bool is_away = false;
    int found;

    if (digest_keys_have(&restoration->failed, &key)) {
        return error_set(error, ERROR_INTERNAL, "%s could not be brought back", digest->text);
    }
    if (depth > RESTORE_DEPTH || digest_keys_have(&restoration->seen, &key)) {
        return 1;
    }
    found = restore_find(restoration, digest, &is_away, error);
    if (found == 0) {
        return 0;
    }
    digest_keys_add(&restoration->seen, &key);
    if (found > 0) {
        found = restore_in_order(restoration, digest, depth, error);
    }
    if (found <= 0) {
        digest_keys_add(&restoration->failed, &key);
        return found;
    }
    if (is_away) {
        restoration->manifests++;
        restoration->restored(restoration->context, "manifest", digest->text);
    }
    return 1;
}

/* A tag whose manifest is back. One that was pushed again meanwhile stays what it is. */
static int restore_tag_of(struct restoration *restoration, const char *tag,
                          const struct digest *digest, struct error *error)
{
    struct digest current;
    int found = tag_get(restoration->repository, tag, &current, error);

    if (found == 0) {
        return restoration_tag(restoration, TRASH_DELETED, tag, error);
    }
    if (found > 0 && !digest_equal(&current, digest)) {
        restoration_complain(restoration, tag,
                             "the tag was pushed again, and stays what it is now");
    }
    return found < 0 ? -1 : 0;
}

int restore_untagged(struct restoration *restoration, const struct digest *digest,
                     struct error *error)
{
    int found = restore_whole(restoration, digest, 0, error);

    return found > 0 && restore_latecomers(restoration, error) < 0 ? -1 : found;
}

int restore_manifest(struct restoration *restoration, const struct digest *digest,
                     struct error *error)
{
    AUTO_NAMES struct names tags = NAMES_INIT;
    int found = restore_untagged(restoration, digest, error);

    if (found <= 0) {
        return found;
    }
    if (restoration_list(restoration, TRASH_DELETED, layout_tags(restoration->repository->name),
                         &tags, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < tags.count; i++) {
        struct digest of_tag;
        struct error reason;

        found = tag_is_valid(tags.names[i]) ? restoration_read_tag(restoration, TRASH_DELETED,
                                                                   tags.names[i], &of_tag, &reason)
                                            : 0;
        if (found > 0 && digest_equal(&of_tag, digest)) {
            found = restore_tag_of(restoration, tags.names[i], digest, &reason);
        }
        if (found < 0 && restore_go_on(restoration, tags.names[i], &reason, error) < 0) {
            return -1;
        }
    }
    return 1;
}

int restore_tag(struct restoration *restoration, const char *tag, struct error *error)
{
    struct digest current;
    struct digest digest;
    int found = restoration_read_tag(restoration, TRASH_DELETED, tag, &digest, error);
    int present = tag_get(restoration->repository, tag, &current, error);

    if (found < 0 || present < 0) {
        return -1;
    }
    if (present > 0 && (found == 0 || digest_equal(&current, &digest))) {
        return restore_untagged(restoration, &current, error) < 0 ? -1 : 1;
    }
    if (present > 0) {
        return error_set(error, ERROR_PRECONDITION,
                         "the tag '%s' is there and stands for %s: delete it first", tag,
                         current.text);
    }
    if (found > 0) {
        found = restore_untagged(restoration, &digest, error);
    }
    return found > 0 ? restoration_tag(restoration, TRASH_DELETED, tag, error) : found;
}

/* Manifests, or layers, of one algorithm. 1 if there were any, 0, -1. */
static int restore_links(struct restoration *restoration, enum link_kind kind,
                         enum digest_algorithm algorithm, struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    struct path directory = layout_links(restoration->repository->name, kind, algorithm);
    struct error reason;
    int any = 0;

    if (restoration_list(restoration, TRASH_DELETED, directory, &names, &reason) < 0) {
        return restore_go_on(restoration, directory.text, &reason, error);
    }
    for (size_t i = 0; i < names.count; i++) {
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        struct digest digest;
        int found = 0;

        buffer_format(&text, "%s:%s", digest_algorithm_name(algorithm), names.names[i]);
        if (digest_parse(&digest, text.data, &reason) == 0) {
            found = kind == LINK_REVISION ? restore_whole(restoration, &digest, 0, &reason)
                                          : restore_layer(restoration, &digest, &reason);
        }
        if (found < 0 && restore_go_on(restoration, text.data, &reason, error) < 0) {
            return -1;
        }
        any |= found != 0;
    }
    return any;
}

/* One that was deleted, with its manifest. 1, 0 if there is no such thing, -1. */
static int restore_deleted_tag(struct restoration *restoration, const char *tag,
                               struct error *error)
{
    struct digest digest;
    int found = tag_is_valid(tag)
                    ? restoration_read_tag(restoration, TRASH_DELETED, tag, &digest, error)
                    : 0;

    if (found > 0) {
        found = restore_whole(restoration, &digest, 0, error);
    }
    if (found > 0 && restore_tag_of(restoration, tag, &digest, error) < 0) {
        found = -1;
    }
    return found;
}

int restore_repository(struct restoration *restoration, struct error *error)
{
    AUTO_NAMES struct names tags = NAMES_INIT;
    struct path directory = layout_tags(restoration->repository->name);
    struct error reason;
    int any = 0;

    for (int i = 0; i < 2 * DIGEST_ALGORITHM_COUNT; i++) {
        enum link_kind kind = i < DIGEST_ALGORITHM_COUNT ? LINK_LAYER : LINK_REVISION;
        int found = restore_links(restoration, kind,
                                  (enum digest_algorithm)(i % DIGEST_ALGORITHM_COUNT), error);

        if (found < 0) {
            return -1;
        }
        any |= found;
    }
    if (restoration_list(restoration, TRASH_DELETED, directory, &tags, &reason) < 0 &&
        restore_go_on(restoration, directory.text, &reason, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < tags.count; i++) {
        int found = restore_deleted_tag(restoration, tags.names[i], &reason);

        if (found < 0 && restore_go_on(restoration, tags.names[i], &reason, error) < 0) {
            return -1;
        }
        any |= found != 0;
    }
    if (restore_latecomers(restoration, &reason) < 0 &&
        restore_go_on(restoration, directory.text, &reason, error) < 0) {
        return -1;
    }
    return any || restoration->problems > 0;
}
