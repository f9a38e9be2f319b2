/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/evict/clean.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/directory.h"
#include "lib/store/repository.h"
#include "lib/store/walk.h"

enum { DANGLING_SECONDS = 86400 };

/* Calls `visit` for each link of a kind that a repository has. */
static int
clean_visit(struct clean *clean, const struct repository *repository, enum link_kind kind,
            int (*visit)(struct clean *clean, const struct repository *repository,
                         enum link_kind kind, const struct digest *digest, struct error *error),
            struct error *error)
{
    AUTO_LINK_WALK struct link_walk walk = link_walk_begin(repository, kind);
    struct digest digest;
    enum walk_result result;

    while ((result = link_walk_next(&walk, &digest, error)) > 0) {
        inventory_step(clean->inventory);
        if (result == WALK_FOUND && visit(clean, repository, kind, &digest, error) < 0) {
            return -1;
        }
    }
    return (int)result;
}

static int clean_manifest(struct clean *clean, const struct repository *repository,
                          enum link_kind kind, const struct digest *digest, struct error *error)
{
    struct inventory_item *item = inventory_find(clean->inventory, digest);
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct blob_status now;
    int found;

    (void)kind;
    if (!item || !item->is_chosen) {
        return 0;
    }
    inventory_step(clean->inventory);
    if (kept_lock(clean->cache->store, &lock, error) < 0 ||
        kept_refresh(clean->cache->store, clean->kept, error) < 0) {
        return -1;
    }
    inventory_step(clean->inventory); /* that may have cost the whole patience of the lock */
    found = blob_inspect(clean->cache->store, digest, &now, error);
    if (found < 0) {
        return -1;
    }
    if (kept_has(clean->kept, digest) || (found > 0 && !now.is_condemned)) {
        item->is_chosen = false;
        return 0;
    }
    return repository_delete_manifest(repository, digest, NULL, error) < 0 ? -1 : 0;
}

static int clean_chosen(struct clean *clean, const struct repository *repository,
                        struct error *error)
{
    return clean_visit(clean, repository, LINK_REVISION, clean_manifest, error);
}

/* Calls `visit` for each repository. One of which something cannot be looked at is passed. */
static int clean_each(struct clean *clean,
                      int (*visit)(struct clean *clean, const struct repository *repository,
                                   struct error *error),
                      struct error *error)
{
    AUTO_REPOSITORY_WALK struct repository_walk walk =
        repository_walk_begin(clean->cache->store, "", NULL);
    struct repository repository;
    enum walk_result result;

    walk.passes_closed = true;
    while ((result = repository_walk_next(&walk, &repository, error)) > 0) {
        inventory_step(clean->inventory); /* one may have cost the whole patience of its lock */
        if (walk.closed.message[0]) {
            passed_add(&clean->inventory->passed, &walk.closed);
        } else if (result == WALK_FOUND && visit(clean, &repository, error) < 0) {
            passed_add(&clean->inventory->passed, error);
        }
    }
    return (int)result;
}

int clean_manifests(struct clean *clean, struct error *error)
{
    return clean_each(clean, clean_chosen, error);
}

/* Whether a link leads nowhere for good, as far as was seen. */
static bool clean_is_dead(const struct clean *clean, const struct digest *digest, const char *link)
{
    const struct inventory_item *item = inventory_find(clean->inventory, digest);
    struct stat status;
    uint64_t age;

    if (item || clean->is_bare) {
        return !item || item->is_gone;
    }
    if (fstatat(clean->cache->store->root, link, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return false;
    }
    age = clock_age(status.st_mtime);
    return age > DANGLING_SECONDS && age < UINT64_MAX;
}

/* 1 if it is gone; 0 if the bytes are there after all; -1. */
static int clean_layer(const struct repository *repository, const char *link,
                       const struct digest *digest, struct error *error)
{
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(repository->store);
    int removed = repository_lock(repository, &lock, error);

    if (removed == 0) {
        removed = blob_remove_link(&lock, link, digest, &syncs, error);
    }
    return removed;
}

/* The same for a manifest, with its tags. */
static int clean_revision(const struct repository *repository, const struct digest *digest,
                          struct error *error)
{
    uint64_t size;
    int found = blob_is_stored(repository->store, digest, &size, error);

    return found ? (found < 0 ? -1 : 0)
                 : repository_delete_manifest(repository, digest, NULL, error);
}

static int clean_link(struct clean *clean, const struct repository *repository, enum link_kind kind,
                      const struct digest *digest, struct error *error)
{
    struct path link = layout_link(repository->name, kind, digest);
    int removed = 0;

    if (clean_is_dead(clean, digest, link.text)) {
        removed = kind == LINK_LAYER ? clean_layer(repository, link.text, digest, error)
                                     : clean_revision(repository, digest, error);
    }
    clean->links += removed > 0;
    return removed < 0 ? -1 : 0;
}

/* Whether a repository has a link of a kind. 1, 0, -1. */
static int clean_has_link(const struct repository *repository, enum link_kind kind,
                          struct error *error)
{
    AUTO_LINK_WALK struct link_walk walk = link_walk_begin(repository, kind);
    struct digest digest;
    enum walk_result result = link_walk_next(&walk, &digest, error);

    return result < 0 ? -1 : result > 0;
}

/* Tags without manifests, and what else was kept beside those. */
static int clean_remains(const struct repository_lock *held, struct sync_set *syncs,
                         struct error *error)
{
    const struct repository *repository = held->repository;
    AUTO_TAG_WALK struct tag_walk walk = tag_walk_begin(repository, NULL);
    struct tag_change change = {.tag = NULL};
    enum walk_result result;

    while ((result = tag_walk_next(&walk, &change.tag, error)) > 0) {
        if (result == WALK_FOUND &&
            (tag_judge(held, &change, error) < 0 || tag_delete(&change, syncs, error) < 0)) {
            return -1;
        }
    }
    return (int)result;
}

/*
 * Removes an empty repository's directories, and those above that hold nothing else. Only what is
 * empty is removed: a link may come without the lock, and whoever puts something into a directory
 * that has just gone makes it again.
 */
static void clean_directories(const struct repository *repository)
{
    struct store *store = repository->store;
    struct path path = layout_repository(repository->name);
    AUTO_NAMES struct names entries = NAMES_INIT;
    struct error ignored;

    (void)directory_list(store->root, path.text, &entries, &ignored);
    for (size_t i = 0; i < entries.count; i++) {
        if (entries.names[i][0] == '_') {
            directory_prune(store->root, layout_below(path.text, entries.names[i]).text);
        }
    }
    while (strcmp(path.text, LAYOUT_REPOSITORIES) != 0 &&
           unlinkat(store->root, path.text, AT_REMOVEDIR) == 0) {
        path = layout_above(path.text);
    }
}

/* Removes it if it has nothing left. */
static int clean_empty(struct clean *clean, const struct repository *repository,
                       struct error *error)
{
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(repository->store);
    int found = clean_has_link(repository, LINK_LAYER, error);

    if (found == 0) {
        found = clean_has_link(repository, LINK_REVISION, error);
    }
    if (found != 0) {
        return found < 0 ? -1 : 0;
    }
    if (repository_lock(repository, &lock, error) < 0) {
        return -1;
    }
    found = clean_has_link(repository, LINK_REVISION, error);
    if (found != 0) {
        return found < 0 ? -1 : 0;
    }
    if (clean_remains(&lock, &syncs, error) < 0) {
        return -1;
    }
    clean_directories(repository);
    found = repository_exists(repository, error);
    clean->repositories += found == 0;
    return found < 0 ? -1 : 0;
}

static int clean_repository(struct clean *clean, const struct repository *repository,
                            struct error *error)
{
    int found;

    clean->is_bare = false;
    if (clean_visit(clean, repository, LINK_REVISION, clean_link, error) < 0) {
        return -1;
    }
    found = clean_has_link(repository, LINK_REVISION, error);
    clean->is_bare = found == 0;
    if (found < 0 || clean_visit(clean, repository, LINK_LAYER, clean_link, error) < 0) {
        return -1;
    }
    return clean_empty(clean, repository, error);
}

int clean_links(struct clean *clean, struct error *error)
{
    return clean_each(clean, clean_repository, error);
}
