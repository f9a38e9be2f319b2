/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/prune.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/directory.h"
#include "lib/store/link.h"
#include "lib/store/retire.h"
#include "lib/store/revision.h"
#include "lib/store/tag.h"
#include "lib/store/walk.h"

/* How many things are moved while the lock is held once. */
enum { PRUNE_BATCH = 100 };

struct prune {
    struct reach *reach;
    const struct prune_rules *rules;
    struct prune_report *report;
    struct digest_keys *marked;
    struct digest_keys present; /* links that stay, by the digests that they are for */
    uint64_t left;              /* things that stay */
    enum link_kind kind;        /* of the batch */
    struct digest batch[PRUNE_BATCH];
    size_t batch_count;
};

static void prune_release(struct prune *prune)
{
    digest_keys_release(&prune->present);
}

static bool prune_is_untouched(const struct prune *prune, const char *path)
{
    struct stat status;

    return fstatat(prune->reach->repository->store->root, path, &status, AT_SYMLINK_NOFOLLOW) ==
               0 &&
           trash_is_before(&status, &prune->rules->before);
}

static bool prune_is_there(const struct prune *prune, const char *path)
{
    struct stat status;

    return fstatat(prune->reach->repository->store->root, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What a crash has left: the directory of a link that is not there. Whoever puts one there at this
 * moment makes it again. 0, -1. */
static int prune_sweep(const struct prune *prune, const char *link, struct error *error)
{
    const struct store *store = prune->reach->repository->store;

    if (walk_refuse_links(store, link, error) < 0) {
        return -1;
    }
    if (!prune->rules->dry_run) {
        (void)unlinkat(store->root, layout_above(link).text, AT_REMOVEDIR);
    }
    return 0;
}

/* A link that stays. */
static int prune_keep(struct prune *prune, const struct digest *digest, struct error *error)
{
    const struct repository *repository = prune->reach->repository;
    struct path path = layout_link(repository->name, prune->kind, digest);
    struct digest_key key = digest_key_of(digest);
    struct digest target;
    int found = link_follow(repository, prune->kind, digest, &target, error);

    if (found == 0 && prune_is_there(prune, path.text)) {
        found = link_follow(repository, prune->kind, digest, &target, error); /* just pushed? */
    }
    if (found > 0) {
        digest_keys_add(&prune->present, &key);
        key = digest_key_of(&target);
    } else if (found == 0 && prune_is_there(prune, path.text)) { /* what it was for, by its name */
        prune->rules->problem(prune->rules->context, path.text,
                              "an empty, garbled or wrong link: see 'berth check --repair'");
    } else {
        return found < 0 ? -1 : prune_sweep(prune, path.text, error);
    }
    digest_keys_add(prune->marked, &key);
    prune->left++;
    return 0;
}

static void prune_count(struct prune *prune, const char *path)
{
    if (prune->kind == LINK_REVISION) {
        prune->report->manifests++;
    } else {
        prune->report->links++;
    }
    prune->rules->found(prune->rules->context, path,
                        prune->kind == LINK_REVISION
                            ? "no tag, index or subject leads to this manifest"
                            : "no manifest of the repository names this");
}

/* A link that goes, unless somebody has touched it. */
static int prune_take(struct prune *prune, const struct digest *digest, struct error *error)
{
    const struct repository *repository = prune->reach->repository;
    struct path path = layout_link(repository->name, prune->kind, digest);
    int moved = prune_is_untouched(prune, path.text);

    if (moved > 0 && !prune->rules->dry_run) {
        moved = trash_collect(repository->store, path.text, prune->rules->no_room, error);
    }
    if (moved > 0) {
        prune_count(prune, path.text);
    }
    return moved == 0 ? prune_keep(prune, digest, error) : moved < 0 ? -1 : 0;
}

static int prune_flush(struct prune *prune, struct error *error)
{
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;

    if (prune->batch_count == 0) {
        return 0;
    }
    if (!prune->rules->dry_run && repository_lock(prune->reach->repository, &lock, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < prune->batch_count; i++) {
        if (prune_take(prune, &prune->batch[i], error) < 0) {
            return -1;
        }
    }
    prune->batch_count = 0;
    return 0;
}

/* Keeps a link, or puts it into the batch of those that go. */
static int prune_judge(struct prune *prune, const struct digest *digest, bool is_needed,
                       struct error *error)
{
    struct path path = layout_link(prune->reach->repository->name, prune->kind, digest);
    bool goes = !is_needed && !prune->reach->is_blind;

    if (goes && !prune_is_untouched(prune, path.text)) { /* touched, or not there */
        return prune_is_there(prune, path.text) ? prune_keep(prune, digest, error)
                                                : prune_sweep(prune, path.text, error);
    }
    if (!goes) {
        return prune_keep(prune, digest, error);
    }
    prune->batch[prune->batch_count++] = *digest;
    return prune->batch_count == PRUNE_BATCH ? prune_flush(prune, error) : 0;
}

/* Directories of manifests that were not there when it was looked what can be reached. */
static int prune_sweep_revisions(struct prune *prune, struct error *error)
{
    const struct repository *repository = prune->reach->repository;
    AUTO_LINK_WALK struct link_walk walk = link_walk_begin(repository, LINK_REVISION);
    struct digest digest;
    enum walk_result found;

    while ((found = link_walk_next(&walk, &digest, error)) > 0) {
        if (found == WALK_FOUND) {
            struct digest_key key = digest_key_of(&digest);

            if (!reach_get(prune->reach, &key) &&
                prune_sweep(prune, layout_link(repository->name, LINK_REVISION, &digest).text,
                            error) < 0) {
                return -1;
            }
        }
    }
    return (int)found;
}

/* One that could go, and stays: somebody has touched it, or there is no room. */
static bool prune_has_stayed(struct prune *prune, const struct reach_revision *revision)
{
    return revision && !revision->is_live && digest_keys_have(&prune->present, &revision->key);
}

/* Then all that it names stays, too, or it would last longer than that in the trash. */
static void prune_spare_named(struct prune *prune, const struct reach_revision *revision)
{
    struct reach *reach = prune->reach;

    for (size_t i = 0; i < revision->edge_count; i++) {
        const struct digest_key *key = &reach->edges[revision->first_edge + i];
        struct reach_revision *child = reach_get(reach, key);

        digest_keys_add(&reach->needed, key);
        if (child) {
            child->is_spared = true;
        }
    }
}

/* Those of one rank. 0, -1. */
static int prune_rank(struct prune *prune, unsigned rank, unsigned *last, struct error *error)
{
    const struct reach *reach = prune->reach;

    for (size_t i = 0; i < reach->revision_count; i++) {
        const struct reach_revision *revision = &reach->revisions[i];
        bool stays = revision->is_live || revision->is_spared;

        *last = revision->rank > *last ? revision->rank : *last;
        if (revision->rank != rank) {
            continue;
        }
        if (!stays && revision->has_subject) {
            stays = prune_has_stayed(prune, reach_get(reach, &revision->subject));
        }
        if (prune_judge(prune, &revision->digest, stays, error) < 0) {
            return -1;
        }
    }
    return prune_flush(prune, error);
}

/*
 * What names others before them: so it lies in the trash for longer, and what comes back from there
 * finds them.
 */
static int prune_revisions(struct prune *prune, struct error *error)
{
    const struct reach *reach = prune->reach;
    const struct store *store = reach->repository->store;
    uint64_t moved = prune->report->manifests;
    unsigned last = 0;

    prune->kind = LINK_REVISION;
    for (unsigned rank = 0; rank <= last; rank++) {
        if (prune->report->manifests > moved && !prune->rules->dry_run) {
            struct timespec now = trash_now(store);

            trash_wait_past(store, &now); /* or their dates would be the same */
        }
        moved = prune->report->manifests;
        if (prune_rank(prune, rank, &last, error) < 0) {
            return -1;
        }
        for (size_t i = 0; i < reach->revision_count; i++) {
            const struct reach_revision *revision = &reach->revisions[i];

            if (revision->rank == rank && prune_has_stayed(prune, revision)) {
                prune_spare_named(prune, revision);
            }
        }
    }
    return prune_sweep_revisions(prune, error);
}

static int prune_layers(struct prune *prune, struct error *error)
{
    AUTO_LINK_WALK struct link_walk walk = link_walk_begin(prune->reach->repository, LINK_LAYER);
    struct digest digest;
    enum walk_result found;

    prune->kind = LINK_LAYER;
    while ((found = link_walk_next(&walk, &digest, error)) > 0) {
        struct digest_key key;

        if (found == WALK_STRAY) {
            prune->rules->problem(prune->rules->context, walk.stray.text,
                                  "this has no digest as its name");
            prune->left++;
            continue;
        }
        key = digest_key_of(&digest);
        if (prune_judge(prune, &digest, digest_keys_have(&prune->reach->needed, &key), error) < 0) {
            return -1;
        }
    }
    return found == WALK_FAILED ? -1 : prune_flush(prune, error);
}

/* 1 if it has gone, 0, -1. */
static int prune_tag(const struct prune *prune, const struct reach_tag *tag, struct error *error)
{
    const struct repository *repository = prune->reach->repository;
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    struct path current = layout_tag_current(repository->name, tag->name);
    struct digest digest;
    int found;

    if (!prune->rules->dry_run && repository_lock(repository, &lock, error) < 0) {
        return -1;
    }
    found = tag_get(repository, tag->name, &digest, error);
    if (found < 0) {
        return -1;
    }
    if (found ? !digest_equal(&digest, &tag->digest) || !prune_is_untouched(prune, current.text)
              : tag->digest.text[0] != '\0') {
        return 0; /* somebody else's by now */
    }
    if (found && reach_tag_is_alive(repository, tag->name)) {
        return 0; /* its subject was pushed again, or restored, meanwhile */
    }
    if (!prune->rules->dry_run && tag_put_in_trash(&lock, TRASH_COLLECTED, tag->name, error) < 0) {
        if (error->code != ERROR_NO_SPACE) {
            return -1;
        }
        no_room_add(prune->rules->no_room, error);
        return 0;
    }
    if (found) {
        prune->rules->found(prune->rules->context, current.text,
                            "a tag for referrers of a manifest that was deleted");
    }
    return found;
}

/* After the manifests: a tag whose manifest stays for now stays with it. */
static int prune_tags(struct prune *prune, struct error *error)
{
    const struct reach *reach = prune->reach;

    prune->left += reach->tag_count;
    for (size_t i = 0; i < reach->dead_tag_count; i++) {
        struct digest_key key = digest_key_of(&reach->dead_tags[i].digest);
        int gone = 0;

        bool has_manifest =
            reach->dead_tags[i].digest.text[0] && digest_keys_have(&prune->present, &key);

        if (!reach->is_blind && !has_manifest) {
            gone = prune_tag(prune, &reach->dead_tags[i], error);
        }
        if (gone < 0) {
            return -1;
        }
        prune->report->tags += (uint64_t)gone;
        prune->left -= (uint64_t)gone;
    }
    return 0;
}

/* Whether the repository has a manifest, or may have it again. 1, 0, -1. */
static int prune_is_known(const struct prune *prune, const struct digest *digest,
                          struct error *error)
{
    const struct repository *repository = prune->reach->repository;
    struct path link = layout_link(repository->name, LINK_REVISION, digest);
    struct stat status;
    int found = trash_has(repository->store, TRASH_DELETED, link.text, error);

    if (found == 0) {
        found = trash_has(repository->store, TRASH_COLLECTED, link.text, error);
    }
    if (found == 0) {
        found = fstatat(repository->store->root, link.text, &status, 0) == 0;
    }
    return found;
}

/* What was kept beside a manifest that has gone for good: a file for `digest`. */
static int prune_companion(struct prune *prune, const char *path, const struct digest *digest,
                           struct error *error)
{
    const struct repository *repository = prune->reach->repository;
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    struct digest_key key = digest_key_of(digest);
    int known = reach_get(prune->reach, &key) != NULL;

    if (!known) {
        known = prune_is_known(prune, digest, error);
    }
    if (known != 0 || prune->rules->dry_run || !prune_is_untouched(prune, path)) {
        return known < 0 ? -1 : 0;
    }
    if (repository_lock(repository, &lock, error) < 0) {
        return -1;
    }
    known = prune_is_known(prune, digest, error);
    if (known == 0 && prune_is_untouched(prune, path)) {
        known = trash_collect(repository->store, path, prune->rules->no_room, error);
    }
    return known < 0 ? -1 : 0;
}

/* Whether a manifest that is there was touched since it was noted to be retired. */
static bool prune_is_stale(const struct prune *prune, const struct digest *digest)
{
    const struct repository *repository = prune->reach->repository;
    struct stat status;

    return fstatat(repository->store->root,
                   layout_link(repository->name, LINK_REVISION, digest).text, &status,
                   AT_SYMLINK_NOFOLLOW) == 0 &&
           !retire_is_noted(repository, digest, &status);
}

/* The note of that goes as well: a copy of the store, whose times are others, would make it true
 * again. */
static int prune_retired(struct prune *prune, const char *path, const struct digest *digest,
                         struct error *error)
{
    const struct repository *repository = prune->reach->repository;
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;

    if (!prune_is_stale(prune, digest)) {
        return prune_companion(prune, path, digest, error);
    }
    if (prune->rules->dry_run) {
        return 0;
    }
    if (repository_lock(repository, &lock, error) < 0) {
        return -1;
    }
    return prune_is_stale(prune, digest)
               ? trash_collect(repository->store, path, prune->rules->no_room, error)
               : 0;
}

/* The files of a directory, which are named by digests, or, behind `algorithm`, by their digits. */
static int prune_companions_in(struct prune *prune, const char *directory, const char *algorithm,
                               int (*visit)(struct prune *prune, const char *path,
                                            const struct digest *digest, struct error *error),
                               struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;

    if (directory_list(prune->reach->repository->store->root, directory, &names, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count; i++) {
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        struct digest digest;
        struct error ignored;

        buffer_format(&text, "%s%s%s", algorithm, *algorithm ? ":" : "", names.names[i]);
        if (digest_parse(&digest, text.data, &ignored) == 0 &&
            visit(prune, layout_below(directory, names.names[i]).text, &digest, error) < 0) {
            return -1;
        }
    }
    return 0;
}

static int prune_companions(struct prune *prune, enum digest_algorithm algorithm,
                            struct error *error)
{
    const struct repository *repository = prune->reach->repository;
    struct path subjects = layout_subjects(repository->name, algorithm);
    AUTO_NAMES struct names names = NAMES_INIT;

    if (directory_list(repository->store->root, subjects.text, &names, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count; i++) {
        struct path directory = layout_below(subjects.text, names.names[i]);

        if (prune_companions_in(prune, directory.text, "", prune_companion, error) < 0) {
            return -1;
        }
    }
    if (prune_companions_in(prune, layout_pulled_digests(repository->name, algorithm).text,
                            digest_algorithm_name(algorithm), prune_companion, error) < 0 ||
        prune_companions_in(prune, layout_all_retired(repository->name, algorithm).text,
                            digest_algorithm_name(algorithm), prune_retired, error) < 0) {
        return -1;
    }
    return prune_companions_in(prune, layout_media_types(repository->name, algorithm).text,
                               digest_algorithm_name(algorithm), prune_companion, error);
}

/* What is left of a tag that is not there: of one whose deletion was cut short, or that another
 * program has deleted. */
static int prune_history(struct prune *prune, const char *tag, struct error *error)
{
    const struct repository *repository = prune->reach->repository;
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    struct path current = layout_tag_current(repository->name, tag);
    struct path path = layout_history(repository->name, tag);
    struct stat status;

    if (fstatat(repository->store->root, current.text, &status, AT_SYMLINK_NOFOLLOW) == 0 ||
        !prune_is_untouched(prune, path.text) || prune->rules->dry_run) {
        return 0;
    }
    if (repository_lock(repository, &lock, error) < 0) {
        return -1;
    }
    if (fstatat(repository->store->root, current.text, &status, AT_SYMLINK_NOFOLLOW) == 0 ||
        !file_is_gone(errno) || !prune_is_untouched(prune, path.text)) {
        return 0;
    }
    return trash_collect(repository->store, path.text, prune->rules->no_room, error) < 0 ? -1 : 0;
}

static int prune_histories(struct prune *prune, struct error *error)
{
    const struct repository *repository = prune->reach->repository;
    AUTO_NAMES struct names names = NAMES_INIT;

    if (directory_list(repository->store->root, layout_histories(repository->name).text, &names,
                       error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count; i++) {
        if (tag_is_valid(names.names[i]) && prune_history(prune, names.names[i], error) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Removes a directory in which there is nothing but directories. Whether it has gone. */
static bool prune_hollow(const struct store *store, const char *path)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    struct error ignored;

    if (unlinkat(store->root, path, AT_REMOVEDIR) == 0 || errno == ENOENT) {
        return true;
    }
    if ((errno != ENOTEMPTY && errno != EEXIST) ||
        directory_list(store->root, path, &names, &ignored) < 0) {
        return false;
    }
    for (size_t i = 0; i < names.count; i++) {
        if (!prune_hollow(store, layout_below(path, names.names[i]).text)) {
            return false;
        }
    }
    return unlinkat(store->root, path, AT_REMOVEDIR) == 0;
}

/*
 * Removes a repository in which nothing is left, and the names above it that hold nothing else. The
 * layers' directory last: without it distribution does not see the rest. Whoever pushes to it at
 * this moment makes the directories again.
 */
static int prune_whole(struct prune *prune, struct error *error)
{
    const struct repository *repository = prune->reach->repository;
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    struct path path = layout_repository(repository->name);
    struct path layers = layout_layers(repository->name);
    AUTO_NAMES struct names names = NAMES_INIT;
    bool is_hollow = true;

    if (repository_lock(repository, &lock, error) < 0 ||
        directory_list(repository->store->root, path.text, &names, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count; i++) {
        struct path child = layout_below(path.text, names.names[i]);

        if (names.names[i][0] == '_' && strcmp(child.text, layers.text) != 0) {
            is_hollow &= prune_hollow(repository->store, child.text);
        }
    }
    if (!is_hollow || !prune_hollow(repository->store, layers.text)) {
        return 0;
    }
    prune->report->repositories++;
    while (strcmp(path.text, LAYOUT_REPOSITORIES) != 0 &&
           unlinkat(repository->store->root, path.text, AT_REMOVEDIR) == 0) {
        path = layout_above(path.text);
    }
    return 0;
}

int prune_repository(struct reach *reach, const struct prune_rules *rules,
                     struct digest_keys *marked, struct prune_report *report, struct error *error)
{
    AUTO(prune_release)
    struct prune prune = {.reach = reach, .rules = rules, .marked = marked, .report = report};

    if (prune_revisions(&prune, error) < 0 || prune_layers(&prune, error) < 0 ||
        prune_tags(&prune, error) < 0 || prune_histories(&prune, error) < 0) {
        return -1;
    }
    for (int i = 0; i < DIGEST_ALGORITHM_COUNT; i++) {
        if (prune_companions(&prune, (enum digest_algorithm)i, error) < 0) {
            return -1;
        }
    }
    if (prune.left == 0 && rules->dry_run) {
        report->repositories++;
    }
    return prune.left == 0 && !rules->dry_run ? prune_whole(&prune, error) : 0;
}
