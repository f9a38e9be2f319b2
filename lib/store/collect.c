/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/collect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/directory.h"
#include "lib/store/blob.h"
#include "lib/store/link.h"
#include "lib/store/linked.h"
#include "lib/store/prune.h"
#include "lib/store/pulled.h"
#include "lib/store/recall.h"
#include "lib/store/retire.h"
#include "lib/store/walk.h"

struct collection {
    struct store *store;
    const struct collect_options *options;
    struct collect_report *report;
    struct timespec began;     /* by the filesystem's clock */
    struct timespec untouched; /* what was touched later, or then, stays */
    time_t noted_since;        /* when pulls began to be noted; 0: not yet */
    struct digest_keys marked; /* blobs that somebody has a link to */
    struct digest_keys held;   /* blobs that stay in the trash because of `spared` */
    struct names spared;       /* repositories of which nothing may go, in their order */
    bool is_blind;             /* not all links could be seen: nobody's blob may go */
};

static void collection_release(struct collection *collection)
{
    digest_keys_release(&collection->marked);
    digest_keys_release(&collection->held);
    names_release(&collection->spared);
}

static struct timespec collect_before(const struct timespec *time, uint64_t seconds)
{
    struct timespec before = *time;

    before.tv_sec -= (time_t)seconds;
    return before;
}

static void collect_tell_spared(struct collection *collection, const char *path, const char *what,
                                enum collect_spared spared)
{
    collection->report->problems++;
    collection->report->problem(collection->report->context, path, what, spared);
}

static void collect_tell_problem(void *context, const char *path, const char *what)
{
    collect_tell_spared(context, path, what, COLLECT_SPARES_NOTHING);
}

/* Nobody's blob goes because of what is there. */
static void collect_go_blind(struct collection *collection, const char *path, const char *what)
{
    collection->is_blind = true;
    collection->report->spares_blobs = true;
    collect_tell_spared(collection, path, what, COLLECT_SPARES_BLOBS);
}

/* Nothing of a repository goes, nor a blob that it may need. Whether its links could be seen. */
static bool collect_spare(struct collection *collection, const struct repository *repository)
{
    names_add(&collection->spared, repository->name);
    return linked_mark(repository, &collection->marked, &collection->held);
}

static void collect_spare_damaged(struct collection *collection,
                                  const struct repository *repository, const char *what)
{
    struct path path = layout_repository(repository->name);

    collection->report->spared_repositories++;
    if (collect_spare(collection, repository)) {
        collect_tell_spared(collection, path.text, what, COLLECT_SPARES_REPOSITORY);
    } else {
        collect_go_blind(collection, path.text, what);
    }
}

/* Whether that was all. */
static bool collect_lacks_room(struct collection *collection, const struct error *why)
{
    if (why->code == ERROR_NO_SPACE) {
        no_room_add(&collection->report->no_room, why);
    }
    return why->code == ERROR_NO_SPACE;
}

static void collect_tell_found(void *context, const char *path, const char *why)
{
    struct collection *collection = context;

    collection->report->found(collection->report->context, path, why, 0);
}

/* What retention does not keep; the tags that went, or would go. */
static int collect_retire(struct collection *collection, const struct repository *repository,
                          struct names *out_retired, struct error *error)
{
    enum { DAY = 86400 };
    struct collect_report *report = collection->report;
    const struct retire_rules rules = {
        .retention = &collection->options->retention,
        .scene = {.now = collection->began.tv_sec,
                  .noted_since = collection->noted_since,
                  .pull_grain = PULLED_GRAIN,
                  .grace = collection->store->options->grace,
                  .restored_for = collection->options->trash_days * DAY},
        .dry_run = report->dry_run,
        .no_room = &report->no_room,
        .actor = report->actor,
        .judged = report->judged,
        .context = report->context,
    };
    struct retire_report retired = {.judged = 0};

    if (retire_tags(repository, &rules, out_retired, &retired, error) < 0) {
        return -1;
    }
    report->retention_tags += retired.judged;
    report->retired_tags += retired.retired;
    return 0;
}

static int collect_in_repository(struct collection *collection, const struct repository *repository,
                                 struct error *error)
{
    struct collect_report *report = collection->report;
    AUTO_NAMES struct names retired = NAMES_INIT;
    const struct reach_rules reach_rules = {
        .touched = collection->untouched,
        .untagged = collect_before(&collection->began, collection->options->untagged),
        .keep_untagged = collection->options->untagged == 0,
        .without = &retired,
        .problem = collect_tell_problem,
        .context = collection,
    };
    const struct prune_rules prune_rules = {
        .before = collection->untouched,
        .dry_run = report->dry_run,
        .no_room = &report->no_room,
        .found = collect_tell_found,
        .problem = collect_tell_problem,
        .context = collection,
    };
    struct prune_report pruned = {.manifests = 0};
    AUTO_REACH struct reach reach = REACH_INIT;
    struct error reason;

    if (collect_retire(collection, repository, &retired, &reason) < 0 &&
        !collect_lacks_room(collection, &reason)) {
        collect_tell_spared(collection, layout_repository(repository->name).text, reason.message,
                            COLLECT_SPARES_TAGS);
    }
    if (recall_reach(&reach, repository, &reach_rules, error) < 0 ||
        prune_repository(&reach, &prune_rules, &collection->marked, &pruned, error) < 0) {
        return -1;
    }
    if (reach.is_blind && (!reach.is_unsettled || !collect_spare(collection, repository))) {
        collect_spare_damaged(collection, repository, "nobody knows what this needs");
    }
    report->repositories++;
    report->manifests += reach.revision_count;
    report->tags += reach.tag_count;
    report->collected_manifests += pruned.manifests;
    report->collected_tags += pruned.tags;
    report->collected_links += pruned.links;
    report->removed_repositories += pruned.repositories;
    report->step(report->context);
    return 0;
}

/*
 * What is no repository to us may be one to another program, or to whoever has moved it there: what
 * its links lead to stays. False if not all of them can be seen.
 */
static bool collect_mark_stray(struct collection *collection, struct path path, unsigned depth)
{
    enum { DEPTH = 16 };
    const struct store *store = collection->store;
    AUTO_NAMES struct names names = NAMES_INIT;
    struct digest target;
    struct stat status;
    struct error ignored;
    bool is_all = true;

    if (fstatat(store->root, path.text, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return file_is_gone(errno);
    }
    if (S_ISREG(status.st_mode) && link_read(store, path.text, &target, &ignored) > 0) {
        struct digest_key key = digest_key_of(&target);

        digest_keys_add(&collection->marked, &key);
    }
    if (!S_ISDIR(status.st_mode)) {
        return !S_ISLNK(status.st_mode);
    }
    if (depth > DEPTH || directory_list(store->root, path.text, &names, &ignored) < 0) {
        return false;
    }
    for (size_t i = 0; i < names.count; i++) {
        is_all &=
            strlen(path.text) + strlen(names.names[i]) + 2 <= sizeof(path.text) &&
            collect_mark_stray(collection, layout_below(path.text, names.names[i]), depth + 1);
    }
    return is_all;
}

static int collect_in_repositories(struct collection *collection, struct error *error)
{
    AUTO_REPOSITORY_WALK struct repository_walk walk =
        repository_walk_begin(collection->store, "", NULL);
    struct repository repository;
    enum walk_result found;

    walk.removes_empty = !collection->report->dry_run;
    walk.passes_closed = true;
    while ((found = repository_walk_next(&walk, &repository, error)) > 0) {
        struct error reason;

        if (walk.closed.message[0]) {
            collect_go_blind(collection, walk.stray.text, walk.closed.message);
        } else if (found == WALK_STRAY) {
            if (collect_mark_stray(collection, walk.stray, 0)) {
                collect_tell_problem(collection, walk.stray.text, "this can be no repository");
            } else {
                collect_go_blind(collection, walk.stray.text,
                                 "this can be no repository, and not all in it can be seen");
            }
        } else if (collect_in_repository(collection, &repository, &reason) < 0 &&
                   (!collect_lacks_room(collection, &reason) ||
                    !collect_spare(collection, &repository))) {
            collect_spare_damaged(collection, &repository, reason.message);
        }
    }
    return (int)found;
}

static int collect_blob(struct collection *collection, const struct digest *digest,
                        struct error *error)
{
    struct collect_report *report = collection->report;
    struct digest_key key = digest_key_of(digest);
    uint32_t links = digest_keys_count(&collection->marked, &key);
    bool is_marked = links > 0;
    const struct blob blob = {.target = *digest};
    uint64_t size = 0;
    int goes = 0;
    int found = 1;

    if (!is_marked && !collection->is_blind) {
        goes = blob_is_untouched(collection->store, digest, &collection->untouched, &size, error);
    }
    if (goes > 0 && !report->dry_run) {
        goes = blob_collect(collection->store, digest, &report->no_room, error);
    }
    if (goes < 0) {
        return -1;
    }
    if (goes > 0) {
        report->collected_blobs++;
        report->collected_bytes += size;
        report->found(report->context, blob_path(&blob).text, "no repository has this", size);
        return 0;
    }
    if (!is_marked && size == 0 &&
        (report->dry_run ? !blob_is_in_place(collection->store, digest)
                         : blob_sweep(collection->store, digest))) {
        return 0;
    }
    if (is_marked) { /* what is not in its place comes back */
        found = blob_is_stored(collection->store, digest, &size, error);
    }
    report->blobs += found > 0;
    report->bytes += found > 0 ? size : 0;
    report->linked_bytes += found > 0 ? size * links : 0;
    return found < 0 ? -1 : 0;
}

static int collect_blobs(struct collection *collection, struct error *error)
{
    enum { STEP = 256 };
    AUTO_BLOB_WALK struct blob_walk walk = blob_walk_begin(collection->store);
    struct digest digest;
    struct error reason;
    enum walk_result found;
    unsigned count = 0;

    walk.passes_closed = true;
    while ((found = blob_walk_next(&walk, &digest, error)) > 0) {
        if (found == WALK_STRAY) {
            collect_tell_problem(collection, walk.stray.text,
                                 walk.closed.message[0] ? walk.closed.message
                                                        : "this does not belong here");
        } else if (collect_blob(collection, &digest, &reason) < 0) { /* it stays */
            collect_tell_problem(collection, blob_path(&(struct blob){.target = digest}).text,
                                 reason.message);
        }
        if (++count % STEP == 0) {
            collection->report->step(collection->report->context);
        }
    }
    return (int)found;
}

static int collect_compare_name(const void *name, const void *member)
{
    return strcmp(name, *(char *const *)member);
}

/* Whether what lies in the trash is of a repository of which nothing may go. */
static bool collect_is_spared(const struct collection *collection, const char *path)
{
    char name[NAME_SIZE];

    return collection->spared.count > 0 && layout_read_repository(path, name) &&
           bsearch(name, collection->spared.names, collection->spared.count,
                   sizeof(*collection->spared.names), collect_compare_name) != NULL;
}

/* A blob that somebody has a link to comes back instead, unless it was pushed again and is there:
 * then this is a copy too many. */
static bool collect_may_go(void *context, const char *path)
{
    struct collection *collection = context;
    struct digest_key key;
    struct digest digest;
    struct error ignored;
    uint64_t size;

    if (collection->is_blind || collect_is_spared(collection, path)) {
        return false;
    }
    if (!layout_read_blob(path, &digest)) {
        return true;
    }
    key = digest_key_of(&digest);
    if (!digest_keys_have(&collection->marked, &key)) {
        return !digest_keys_have(&collection->held, &key);
    }
    return collection->report->dry_run
               ? blob_is_in_place(collection->store, &digest)
               : blob_is_stored(collection->store, &digest, &size, &ignored) > 0;
}

/* What was deleted first: it names what was collected after it, and somebody may restore it while
 * this goes on. */
static void collect_trash(struct collection *collection)
{
    static const enum trash order[TRASH_COUNT] = {TRASH_DELETED, TRASH_COLLECTED};
    enum { DAY = 86400 };
    struct collect_report *report = collection->report;
    /* What was collected a moment ago somebody may still rely on, who was told that it is there. */
    uint64_t least = collection->store->options->grace;

    for (int i = 0; i < TRASH_COUNT; i++) {
        enum trash which = order[i];
        uint64_t seconds = !report->empty_trash       ? collection->options->trash_days * DAY
                           : which == TRASH_COLLECTED ? least
                                                      : 0;
        struct trash_emptying emptying = {
            .before = collect_before(&collection->began, seconds),
            .may_go = collect_may_go,
            .context = collection,
            .dry_run = report->dry_run,
        };
        struct error reason;

        if (trash_empty(collection->store, which, &emptying, &reason) < 0) {
            collect_tell_problem(collection, layout_trash(which, "").text, reason.message);
        }
        report->emptied_files += emptying.files;
        report->emptied_bytes += emptying.bytes;
        report->trash[which] = (struct collect_trash){emptying.left_files, emptying.left_bytes};
        report->step(report->context);
    }
}

static int collect_all(struct collection *collection, struct error *error)
{
    if (collect_in_repositories(collection, error) < 0 || collect_blobs(collection, error) < 0) {
        return -1;
    }
    collect_trash(collection);
    return 1;
}

int collect_store(struct store *store, const struct collect_options *options,
                  struct collect_report *report, struct error *error)
{
    AUTO(collection_release)
    struct collection collection = {.store = store, .options = options, .report = report};
    AUTO_LOCK struct lock lock = LOCK_INIT;

    if (!report->dry_run) {
        switch (lock_take_or_make(&lock, (struct file_place){store->root, LAYOUT_COLLECT_LOCK},
                                  LOCK_TRY, error)) {
        case LOCK_TAKEN:
            break;
        case LOCK_BUSY:
            return 0;
        case LOCK_ABSENT:
        case LOCK_FAILED:
            return -1;
        }
    }
    collection.began = trash_now(store);
    collection.untouched = collect_before(&collection.began, store->options->grace);
    if (!report->dry_run) {
        pulled_begin(store);
    }
    if (pulled_since(store, &collection.noted_since, error) < 0) {
        return -1;
    }
    return collect_all(&collection, error);
}
