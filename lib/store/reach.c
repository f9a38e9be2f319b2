/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/reach.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"
#include "lib/base/memory.h"
#include "lib/store/referrers.h"
#include "lib/store/retire.h"
#include "lib/store/revision.h"
#include "lib/store/tag.h"
#include "lib/store/trash.h"
#include "lib/store/walk.h"

void reach_release(struct reach *reach)
{
    for (size_t i = 0; i < reach->dead_tag_count; i++) {
        free(reach->dead_tags[i].name);
    }
    free(reach->dead_tags);
    free(reach->revisions);
    free(reach->edges);
    digest_keys_release(&reach->needed);
    *reach = (struct reach)REACH_INIT;
}

struct reach_revision *reach_get(const struct reach *reach, const struct digest_key *key)
{
    if (reach->revision_count == 0) {
        return NULL;
    }
    return bsearch(key, reach->revisions, reach->revision_count, sizeof(*reach->revisions),
                   digest_key_compare);
}

static void reach_add_edges(struct reach *reach, const struct manifest *manifest,
                            struct reach_revision *revision)
{
    revision->first_edge = reach->edge_count;
    revision->edge_count = manifest->reference_count;
    while (reach->edge_count + manifest->reference_count > reach->edge_capacity) {
        reach->edge_capacity = reach->edge_capacity ? reach->edge_capacity * 2 : 64;
        reach->edges = memory_resize(reach->edges, reach->edge_capacity, sizeof(*reach->edges));
    }
    for (size_t i = 0; i < manifest->reference_count; i++) {
        reach->edges[reach->edge_count++] = digest_key_of(&manifest->references[i].digest);
    }
}

static void reach_complain(struct reach *reach, const struct reach_rules *rules, const char *path,
                           const char *what)
{
    reach->is_blind = true;
    rules->problem(rules->context, path, what);
}

static int reach_stat(const struct reach *reach, const struct digest *digest, struct stat *out)
{
    struct path link = layout_link(reach->repository->name, LINK_REVISION, digest);

    return fstatat(reach->repository->store->root, link.text, out, AT_SYMLINK_NOFOLLOW);
}

/* What a manifest names. 1; 0 if it has just been deleted; -1. */
static int reach_read(struct reach *reach, const struct reach_rules *rules,
                      struct reach_revision *revision, struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct path link = layout_link(reach->repository->name, LINK_REVISION, &revision->digest);
    struct error reason;
    struct stat status;
    int found = revision_read(reach->repository, &revision->digest, &stored, error);

    if (found < 0 || (found == 0 && reach_stat(reach, &revision->digest, &status) < 0)) {
        return found;
    }
    if (found == 0) {
        reach_complain(reach, rules, link.text, "a manifest whose bytes are not there");
        return 1;
    }
    if (stored_manifest_parse(&stored, &manifest, &reason) < 0) {
        reach_complain(reach, rules, link.text,
                       "a manifest that cannot be read: nobody knows what it names");
        return 1;
    }
    reach_add_edges(reach, &manifest, revision);
    revision->has_subject = manifest.has_subject;
    if (manifest.has_subject) {
        revision->subject = digest_key_of(&manifest.subject);
    }
    return 1;
}

static int reach_add_revision(struct reach *reach, const struct reach_rules *rules,
                              const struct digest *digest, struct error *error)
{
    struct reach_revision revision = {.key = digest_key_of(digest), .digest = *digest};
    struct stat status;
    int found;

    if (reach_stat(reach, digest, &status) < 0) { /* just coming or going, or hidden */
        return walk_refuse_links(reach->repository->store,
                                 layout_link(reach->repository->name, LINK_REVISION, digest).text,
                                 error);
    }
    revision.touched = status.st_ctim;
    revision.is_retired = retire_is_noted(reach->repository, digest, &status);
    found = reach_read(reach, rules, &revision, error);
    if (found <= 0) {
        return found;
    }
    if (reach->revision_count == reach->revision_capacity) {
        reach->revision_capacity = reach->revision_capacity ? reach->revision_capacity * 2 : 16;
        reach->revisions =
            memory_resize(reach->revisions, reach->revision_capacity, sizeof(*reach->revisions));
    }
    reach->revisions[reach->revision_count++] = revision;
    return 0;
}

static int reach_add_revisions(struct reach *reach, const struct reach_rules *rules,
                               struct error *error)
{
    AUTO_LINK_WALK struct link_walk walk = link_walk_begin(reach->repository, LINK_REVISION);
    struct digest digest;
    enum walk_result found;

    while ((found = link_walk_next(&walk, &digest, error)) > 0) {
        if (found == WALK_STRAY) {
            rules->problem(rules->context, walk.stray.text, "this has no digest as its name");
        } else if (reach_add_revision(reach, rules, &digest, error) < 0) {
            return -1;
        }
    }
    if (reach->revision_count > 1) {
        qsort(reach->revisions, reach->revision_count, sizeof(*reach->revisions),
              digest_key_compare);
    }
    return (int)found;
}

/* Whether a manifest was here, and was taken out. 1, 0, -1. */
static int reach_is_in_trash(const struct reach *reach, const struct digest *digest,
                             struct error *error)
{
    struct path link = layout_link(reach->repository->name, LINK_REVISION, digest);
    int found = trash_has(reach->repository->store, TRASH_DELETED, link.text, error);

    return found ? found : trash_has(reach->repository->store, TRASH_COLLECTED, link.text, error);
}

bool reach_tag_is_alive(const struct repository *repository, const char *tag)
{
    const struct reach reach = {.repository = repository};
    struct digest subject;
    struct stat status;

    return referrers_read_fallback_tag(tag, &subject) && reach_stat(&reach, &subject, &status) == 0;
}

/* Whether it is a tag for referrers of what is in the trash. 1, 0, -1. */
static int reach_is_dead_tag(const struct reach *reach, const char *tag, struct error *error)
{
    struct digest subject;
    struct digest_key key;

    if (!referrers_read_fallback_tag(tag, &subject)) {
        return 0;
    }
    key = digest_key_of(&subject);
    return reach_get(reach, &key) ? 0 : reach_is_in_trash(reach, &subject, error);
}

static void reach_add_dead_tag(struct reach *reach, const char *tag, const struct digest *digest)
{
    reach->dead_tags =
        memory_resize(reach->dead_tags, reach->dead_tag_count + 1, sizeof(*reach->dead_tags));
    reach->dead_tags[reach->dead_tag_count++] =
        (struct reach_tag){.name = memory_text(tag), .digest = *digest};
}

/* Whether a tag goes before what is reached by it is looked at. */
static bool reach_is_without(const struct reach_rules *rules, const char *tag)
{
    return rules->without && names_sorted_have(rules->without, tag);
}

/* What a tag stands for. 1, 0, -1. */
static int reach_read_tag(struct reach *reach, const struct reach_rules *rules, const char *tag,
                          struct digest *out_digest, struct error *error)
{
    const struct repository *repository = reach->repository;
    struct path current = layout_tag_current(repository->name, tag);
    bool is_there = true;
    int found = 0;

    for (int i = 0; i < 2 && found == 0 && is_there; i++) { /* just pushed, or just deleted? */
        struct stat status;

        found = tag_get(repository, tag, out_digest, error);
        is_there = found == 0 && fstatat(repository->store->root, current.text, &status,
                                         AT_SYMLINK_NOFOLLOW) == 0;
    }
    if (is_there) {
        reach_complain(reach, rules, current.text,
                       "an empty or garbled tag: nobody knows what it stands for");
    } else if (found == 0) {
        found = walk_refuse_links(repository->store, current.text, error);
        if (found == 0) {
            reach_add_dead_tag(reach, tag, &(struct digest){.text = ""});
        }
    }
    return found;
}

/* 1 if its manifest has come back from the trash, 0, -1. */
static int reach_add_tag(struct reach *reach, const struct reach_rules *rules, const char *tag,
                         struct error *error)
{
    struct reach_revision *revision;
    struct digest_key key;
    struct digest digest;
    int found = reach_read_tag(reach, rules, tag, &digest, error);
    int dead;

    if (found <= 0) {
        return found;
    }
    reach->tag_count++;
    key = digest_key_of(&digest);
    revision = reach_get(reach, &key);
    dead = reach_is_dead_tag(reach, tag, error);
    if (dead < 0) {
        return -1;
    }
    if (dead) {
        reach_add_dead_tag(reach, tag, &digest);
    } else if (revision && reach_is_without(rules, tag)) {
        revision->is_retired = true;
    } else if (revision) {
        revision->is_root = true;
    } else {
        return revision_exists(reach->repository, &digest, error);
    }
    return 0;
}

static int reach_add_tags(struct reach *reach, const struct reach_rules *rules, struct error *error)
{
    AUTO_TAG_WALK struct tag_walk walk = tag_walk_begin(reach->repository, NULL);
    const char *tag;
    enum walk_result found;
    int came_back = 0;

    while ((found = tag_walk_next(&walk, &tag, error)) > 0) {
        int result = 0;

        if (found == WALK_STRAY) {
            rules->problem(rules->context, walk.stray.text, "this can be no tag");
        } else {
            result = reach_add_tag(reach, rules, tag, error);
        }
        if (result < 0) {
            return -1;
        }
        came_back |= result;
    }
    return found == WALK_FAILED ? -1 : came_back;
}

/* A referrer of what was here, whether it says so itself or only its tag does. */
static int reach_find_orphans(struct reach *reach, struct error *error)
{
    for (size_t i = 0; i < reach->revision_count; i++) {
        struct reach_revision *revision = &reach->revisions[i];

        if (revision->has_subject && !reach_get(reach, &revision->subject)) {
            AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
            AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
            struct error reason;
            int found = revision_read(reach->repository, &revision->digest, &stored, error);

            if (found > 0 && stored_manifest_parse(&stored, &manifest, &reason) == 0 &&
                manifest.has_subject) {
                found = reach_is_in_trash(reach, &manifest.subject, error);
            }
            if (found < 0) {
                return -1;
            }
            revision->is_orphan = found > 0;
        }
    }
    for (size_t i = 0; i < reach->dead_tag_count; i++) {
        struct digest_key key = digest_key_of(&reach->dead_tags[i].digest);
        struct reach_revision *revision =
            reach->dead_tags[i].digest.text[0] ? reach_get(reach, &key) : NULL;

        if (revision) {
            revision->is_orphan = true;
        }
    }
    return 0;
}

static bool reach_is_since(const struct timespec *touched, const struct timespec *time)
{
    return touched->tv_sec != time->tv_sec ? touched->tv_sec > time->tv_sec
                                           : touched->tv_nsec >= time->tv_nsec;
}

/* What can be reached by itself, besides what tags stand for. */
static bool reach_is_root(const struct reach *reach, const struct reach_rules *rules,
                          const struct reach_revision *revision)
{
    if (reach_is_since(&revision->touched, &rules->touched)) {
        return true;
    }
    if (revision->is_orphan || revision->is_retired) {
        return false;
    }
    if (revision->has_subject) {
        return !reach_get(reach, &revision->subject); /* it lives with its subject */
    }
    return rules->keep_untagged || reach_is_since(&revision->touched, &rules->untagged);
}

struct reach_referrer {
    struct digest_key subject;
    size_t revision;
};

/* Work to be done: revisions that live, whose neighbours are to be looked at. */
struct reach_work {
    struct reach *reach;
    size_t *queue;
    size_t count;
    struct reach_referrer *referrers; /* sorted by their subjects */
    size_t referrer_count;
};

static void reach_work_release(struct reach_work *work)
{
    free(work->queue);
    free(work->referrers);
}

static void reach_enliven(struct reach_work *work, struct reach_revision *revision)
{
    if (revision && !revision->is_live) {
        revision->is_live = true;
        work->queue[work->count++] = (size_t)(revision - work->reach->revisions);
    }
}

static void reach_sort_referrers(struct reach_work *work)
{
    const struct reach *reach = work->reach;

    for (size_t i = 0; i < reach->revision_count; i++) {
        if (reach->revisions[i].has_subject) {
            work->referrers[work->referrer_count++] =
                (struct reach_referrer){reach->revisions[i].subject, i};
        }
    }
    if (work->referrer_count > 1) {
        qsort(work->referrers, work->referrer_count, sizeof(*work->referrers), digest_key_compare);
    }
}

static void reach_enliven_referrers(struct reach_work *work, const struct digest_key *subject)
{
    size_t low = 0;
    size_t high = work->referrer_count;

    while (low < high) { /* the first of them */
        size_t middle = low + (high - low) / 2;

        if (digest_key_compare(&work->referrers[middle].subject, subject) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < work->referrer_count &&
           digest_key_compare(&work->referrers[low].subject, subject) == 0;
         low++) {
        reach_enliven(work, &work->reach->revisions[work->referrers[low].revision]);
    }
}

/* Each is in the queue once, so that no circle and no number of indexes costs more. */
static void reach_spread(struct reach *reach, const struct reach_rules *rules)
{
    AUTO(reach_work_release)
    struct reach_work work = {
        .reach = reach,
        .queue = memory_allocate(reach->revision_count + 1, sizeof(*work.queue)),
        .referrers = memory_allocate(reach->revision_count + 1, sizeof(*work.referrers)),
    };

    reach_sort_referrers(&work);
    for (size_t i = 0; i < reach->revision_count; i++) {
        struct reach_revision *revision = &reach->revisions[i];

        revision->is_root |= reach_is_root(reach, rules, revision);
        if (revision->is_root) {
            reach_enliven(&work, revision);
        }
    }
    while (work.count > 0) {
        const struct reach_revision *revision = &reach->revisions[work.queue[--work.count]];

        for (size_t i = 0; i < revision->edge_count; i++) {
            const struct digest_key *key = &reach->edges[revision->first_edge + i];

            digest_keys_add(&reach->needed, key);
            reach_enliven(&work, reach_get(reach, key));
        }
        reach_enliven_referrers(&work, &revision->key);
    }
}

/* One goes after another that does not live. Whether that was news. */
static bool reach_sink(struct reach_revision *below, const struct reach_revision *above)
{
    if (!below || !above || above->is_live || below->is_live || below->rank > above->rank ||
        above->rank >= REACH_RANKS) {
        return false;
    }
    below->rank = above->rank + 1;
    return true;
}

static void reach_rank(struct reach *reach)
{
    bool is_new = true;

    for (unsigned pass = 0; is_new && pass < REACH_RANKS; pass++) {
        is_new = false;
        for (size_t i = 0; i < reach->revision_count; i++) {
            struct reach_revision *revision = &reach->revisions[i];

            for (size_t j = 0; j < revision->edge_count && !revision->is_live; j++) {
                is_new |=
                    reach_sink(reach_get(reach, &reach->edges[revision->first_edge + j]), revision);
            }
            if (revision->has_subject) {
                is_new |= reach_sink(revision, reach_get(reach, &revision->subject));
            }
        }
    }
}

int reach_look(struct reach *reach, const struct repository *repository,
               const struct reach_rules *rules, struct error *error)
{
    int came_back;

    reach_release(reach);
    reach->repository = repository;
    if (reach_add_revisions(reach, rules, error) < 0) {
        return -1;
    }
    came_back = reach_add_tags(reach, rules, error);
    if (came_back != 0 || reach_find_orphans(reach, error) < 0) {
        return came_back > 0 ? 1 : -1;
    }
    reach_spread(reach, rules);
    reach_rank(reach);
    return 0;
}
