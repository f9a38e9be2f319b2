/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/recall.h"

#include "lib/base/directory.h"
#include "lib/store/blob.h"
#include "lib/store/referrers.h"
#include "lib/store/restoration.h"
#include "lib/store/revision.h"
#include "lib/store/walk.h"

/* After so many that all brought something back, nobody can tell. */
enum { RECALL_LOOKS = 8 };

/* Looks for what one manifest names. 1 if a manifest came back, 0, -1. */
static int recall_named(const struct reach *reach, const struct reach_revision *revision,
                        struct digest_keys *present, struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct error reason;
    int found = revision_read(reach->repository, &revision->digest, &stored, error);
    int came_back = 0;

    if (found <= 0 || stored_manifest_parse(&stored, &manifest, &reason) < 0) {
        return found < 0 ? -1 : 0;
    }
    for (size_t i = 0; i < manifest.reference_count; i++) {
        const struct reference *reference = &manifest.references[i];
        struct digest_key key = digest_key_of(&reference->digest);
        struct blob blob;

        if (digest_keys_have(present, &key)) {
            continue;
        }
        found = revision_exists(reach->repository, &reference->digest, error);
        came_back |= found > 0;
        if (found == 0) {
            found = blob_find(reach->repository, &reference->digest, &blob, error);
        }
        if (found < 0) {
            return -1;
        }
        if (found > 0) {
            digest_keys_add(present, &key);
        }
    }
    return came_back;
}

/* What there is as links, of either kind, by name only. */
static int recall_find_present(const struct reach *reach, struct digest_keys *out,
                               struct error *error)
{
    AUTO_LINK_WALK struct link_walk walk = link_walk_begin(reach->repository, LINK_LAYER);
    struct digest digest;
    enum walk_result found;

    for (size_t i = 0; i < reach->revision_count; i++) {
        digest_keys_add(out, &reach->revisions[i].key);
    }
    while ((found = link_walk_next(&walk, &digest, error)) > 0) {
        if (found == WALK_FOUND) {
            struct digest_key key = digest_key_of(&digest);

            digest_keys_add(out, &key);
        }
    }
    return (int)found;
}

/* Of one live manifest, by what is noted beside it. 1 if one came back, 0, -1. */
static int recall_referrers_of(const struct reach *reach, const struct digest *subject,
                               struct digest_keys *present, struct error *error)
{
    struct path directory = layout_referrers(reach->repository->name, subject);
    AUTO_NAMES struct names names = NAMES_INIT;
    int came_back = 0;

    if (directory_list(reach->repository->store->root, directory.text, &names, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count; i++) {
        struct digest referrer;
        struct digest_key key;
        struct error ignored;
        int found = 0;

        if (digest_parse(&referrer, names.names[i], &ignored) == 0) {
            key = digest_key_of(&referrer);
            found = digest_keys_have(present, &key)
                        ? 0
                        : revision_exists(reach->repository, &referrer, error);
        }
        if (found < 0) {
            return -1;
        }
        came_back |= found;
    }
    return came_back;
}

/* Referrers that went with a subject which somebody has pushed again since. 1 if one came back, 0,
 * -1. */
static int recall_referrers(const struct reach *reach, enum digest_algorithm algorithm,
                            struct digest_keys *present, struct error *error)
{
    struct path subjects = layout_subjects(reach->repository->name, algorithm);
    AUTO_NAMES struct names names = NAMES_INIT;
    int came_back = 0;

    if (directory_list(reach->repository->store->root, subjects.text, &names, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count && came_back >= 0; i++) {
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        const struct reach_revision *revision = NULL;
        struct digest subject;
        struct error ignored;

        buffer_format(&text, "%s:%s", digest_algorithm_name(algorithm), names.names[i]);
        if (digest_parse(&subject, text.data, &ignored) == 0) {
            struct digest_key key = digest_key_of(&subject);

            revision = reach_get(reach, &key);
        }
        if (revision && revision->is_live) {
            int found = recall_referrers_of(reach, &subject, present, error);

            came_back = found < 0 ? -1 : came_back | found;
        }
    }
    return came_back;
}

static void recall_ignore(void *context, const char *one, const char *other)
{
    (void)context;
    (void)one;
    (void)other;
}

/* One of them, which stands for a manifest that was collected, too: what somebody has deleted since
 * stays so. 0, -1. */
static int recall_fallback_tag(struct restoration *restoration, const char *tag,
                               struct error *error)
{
    const struct repository *repository = restoration->repository;
    struct digest digest;
    int found = tag_get(repository, tag, &digest, error);

    if (found != 0) {
        return found < 0 ? -1 : 0; /* what is there by now stays */
    }
    found = restoration_read_tag(restoration, TRASH_COLLECTED, tag, &digest, error);
    if (found > 0) {
        found = revision_exists(repository, &digest, error);
    }
    if (found > 0) {
        found = restoration_tag(restoration, TRASH_COLLECTED, tag, error);
    }
    return found < 0 ? -1 : 0;
}

/* The same of tags by which clients keep referrers. 1 if one came back, 0, -1. */
static int recall_fallback_tags(const struct reach *reach, struct error *error)
{
    static const struct actor nobody = {.name = "@collector"};
    AUTO_RESTORATION struct restoration restoration = RESTORATION_INIT(reach->repository);
    AUTO_NAMES struct names tags = NAMES_INIT;

    restoration.restored = restoration.problem = recall_ignore;
    restoration.actor = &nobody;
    if (restoration_list(&restoration, TRASH_COLLECTED, layout_tags(reach->repository->name), &tags,
                         error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < tags.count; i++) {
        const struct reach_revision *revision = NULL;
        struct digest subject;

        if (referrers_read_fallback_tag(tags.names[i], &subject)) {
            struct digest_key key = digest_key_of(&subject);

            revision = reach_get(reach, &key);
        }
        if (revision && revision->is_live &&
            recall_fallback_tag(&restoration, tags.names[i], error) < 0) {
            return -1;
        }
    }
    return restoration.tags > 0;
}

/* All of these. 1 if a manifest came back, so that more may be needed than was known; 0; -1. */
static int recall_needed(const struct reach *reach, struct error *error)
{
    AUTO_DIGEST_KEYS struct digest_keys present = DIGEST_KEYS_INIT;
    int came_back = 0;

    if (recall_find_present(reach, &present, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < reach->revision_count; i++) {
        const struct reach_revision *revision = &reach->revisions[i];
        bool is_whole = true;
        int result = 0;

        for (size_t j = 0; j < revision->edge_count && is_whole; j++) {
            is_whole = digest_keys_have(&present, &reach->edges[revision->first_edge + j]);
        }
        if (revision->is_live && !is_whole) {
            result = recall_named(reach, revision, &present, error);
        }
        if (result < 0) {
            return -1;
        }
        came_back |= result;
    }
    for (int i = 0; i < DIGEST_ALGORITHM_COUNT; i++) {
        int result = recall_referrers(reach, (enum digest_algorithm)i, &present, error);

        if (result < 0) {
            return -1;
        }
        came_back |= result;
    }
    if (!reach->repository->store->only_looks) {
        int result = recall_fallback_tags(reach, error);

        came_back = result < 0 ? -1 : came_back | result;
    }
    return came_back;
}

int recall_reach(struct reach *reach, const struct repository *repository,
                 const struct reach_rules *rules, struct error *error)
{
    int looks = repository->store->only_looks ? 1 : RECALL_LOOKS;
    int again = 1;

    for (int i = 0; again > 0 && i < looks; i++) {
        again = reach_look(reach, repository, rules, error);
        if (again == 0) {
            again = recall_needed(reach, error);
        }
    }
    if (again > 0) { /* so busy that nobody can tell */
        reach->is_unsettled = !reach->is_blind;
        reach->is_blind = true;
    }
    return again < 0 ? -1 : 0;
}
