/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/registry/registry.h"

#include <string.h>

#include "lib/base/log.h"
#include "lib/observe/count/counters.h"
#include "lib/store/catalog.h"
#include "lib/store/deleted.h"
#include "lib/store/walk.h"

enum { CATALOG_PIECE = 1000 }; /* names from which on a piece of the catalog is long enough */

int registry_open(struct registry *registry, const struct registry_options *options,
                  struct error *error)
{
    struct registry opened = {.options = options, .hosted = STORE_INIT, .cache = STORE_INIT};

    if (store_open(&opened.hosted, &options->hosted, error) < 0) {
        return -1;
    }
    *registry = opened;
    registry->hosted.lost = &registry->lost;
    return 0;
}

int registry_count(const struct registry_options *options, struct error *error)
{
    AUTO_NAMES struct names upstreams = NAMES_INIT;

    upstream_list_configured(&options->proxy, &upstreams);
    return counters_open(options->metrics.directory, &upstreams, error);
}

void registry_close(struct registry *registry)
{
    store_close(&registry->hosted);
    store_close(&registry->cache);
}

/* Opened when it is needed: a cache that is broken is no reason not to serve what is hosted. One
 * that cannot even be made is to a client as one that is full. */
int registry_open_cache(struct registry *registry, struct error *error)
{
    if (registry->cache.root >= 0 ||
        proxy_open(&registry->cache, &registry->options->proxy, error) == 0) {
        return 0;
    }
    log_error("the cache cannot be opened: %s", error->message);
    error->code = ERROR_NO_SPACE;
    return -1;
}

static int registry_find_one(struct registry *registry, const struct permit *permit,
                             struct source *source, struct error *error)
{
    const struct identity *identity = permit_identity(permit);

    if (identity->is_proxied && registry_open_cache(registry, error) < 0) {
        return -1;
    }
    source->permit = *permit;
    source->is_proxied = identity->is_proxied;
    if (identity->is_proxied) {
        proxied_open(&source->proxied, &identity->upstream, identity->there, &registry->cache,
                     &source->report);
        source->repository = source->proxied.repository;
    } else {
        source->repository.store = &registry->hosted;
        memcpy(source->repository.name, identity->name, sizeof(source->repository.name));
    }
    return 0;
}

/* If nothing is hosted under this name, the mirror's root is asked for it, provided that it may. */
static int registry_find_mirrored(struct registry *registry, struct source *source,
                                  struct error *error)
{
    struct permit permit = PERMIT_INIT;
    struct identity mirrored;
    struct error refusal;
    int has_mirror = identity_mirror(permit_identity(&source->permit), &registry->options->proxy,
                                     &mirrored, &refusal);
    int exists = has_mirror == 0 ? 1 : repository_exists(&source->repository, error);

    if (exists != 0) {
        return exists < 0 ? -1 : 0;
    }
    if (has_mirror < 0) {
        *error = refusal;
        return -1;
    }
    if (permit_extend(&source->permit, &mirrored, PERMISSION_PULL, &permit, &refusal) < 0) {
        return 0;
    }
    source->is_fallback = true;
    return registry_find_one(registry, &permit, source, error);
}

int registry_find(struct registry *registry, const struct permit *permit, enum registry_reach reach,
                  struct source *out_source, struct error *error)
{
    if (!permit_caller(permit) || !permission_names_repository(permit_permission(permit))) {
        return error_set(error, ERROR_INTERNAL, "a repository was to be opened without a permit");
    }
    out_source->is_fallback = false;
    if (registry_find_one(registry, permit, out_source, error) < 0) {
        return -1;
    }
    return reach == REACH_MIRROR ? registry_find_mirrored(registry, out_source, error) : 0;
}

/* What is listed can be pulled, too, or deleted. */
static bool registry_may(const struct registry *registry, const struct permit *permit,
                         const char *name, enum permission permission)
{
    struct naming naming = {.name = name, .prefix = ""};
    struct permit extended = PERMIT_INIT;
    struct identity identity;
    struct error refusal;

    return identity_find(&identity, &registry->options->proxy, &naming, &refusal) == 0 &&
           !identity.is_proxied &&
           permit_extend(permit, &identity, permission, &extended, &refusal) == 0;
}

/* Adds what may be seen of `found`, without the prefix. 1 if the page cannot take it all. */
static int registry_list_add(const struct registry *registry, const struct permit *permit,
                             const struct names *found, size_t limit, struct names *out)
{
    size_t prefix = strlen(permit_caller(permit)->prefix);

    for (size_t i = 0; i < found->count; i++) {
        const char *name = found->names[i];

        if (!registry_may(registry, permit, name, PERMISSION_PULL)) {
            continue;
        }
        if (out->count == limit) {
            return 1;
        }
        names_add(out, prefix > 0 ? name + prefix + 1 : name);
    }
    return 0;
}

int registry_list(struct registry *registry, const struct permit *permit, const struct page *page,
                  struct names *out, struct error *error)
{
    AUTO_BUFFER struct buffer last = BUFFER_INIT;
    AUTO_NAMES struct names listed = NAMES_INIT;
    struct catalog_query query;
    size_t piece = page->limit + 1;
    int more = 1;
    int full = 0;

    if (permit_check(permit, PERMISSION_LIST, error) < 0) {
        return -1;
    }
    query.prefix = permit_caller(permit)->prefix;
    if (page->last && *page->last) {
        buffer_format(&last, "%s%s%s", query.prefix, *query.prefix ? "/" : "", page->last);
    }
    /* One more than the page has, to see whether there is one; again for what may not be seen, and
     * each time more: a look for a few names costs as much as one for many. */
    while (more > 0 && full == 0) {
        AUTO_NAMES struct names found = NAMES_INIT;

        query.page = (struct page){last.data, piece};
        piece = piece < CATALOG_PIECE ? 2 * piece : piece;
        more = catalog_list(&registry->hosted, &query, &found, error);
        if (more < 0) {
            return -1;
        }
        full = registry_list_add(registry, permit, &found, page->limit, &listed);
        if (found.count == 0) {
            break;
        }
        buffer_clear(&last);
        buffer_add_text(&last, found.names[found.count - 1]);
    }
    *out = listed;
    listed = (struct names)NAMES_INIT;
    return full;
}

/* Adds a repository of the trash, if there is something for this caller. */
static int registry_add_deleted(const struct registry *registry, const struct permit *permit,
                                const struct repository *repository, struct names *out,
                                struct error *error)
{
    AUTO_DELETED struct deleted deleted = DELETED_INIT;
    size_t prefix = strlen(permit_caller(permit)->prefix);

    if (!registry_may(registry, permit, repository->name, PERMISSION_DELETE)) {
        return 0;
    }
    if (deleted_list(repository, &deleted, error) < 0) {
        return -1;
    }
    if (deleted.count > 0) {
        names_add(out, prefix > 0 ? repository->name + prefix + 1 : repository->name);
    }
    return 0;
}

static int registry_walk_deleted(const struct registry *registry, const struct permit *permit,
                                 struct store *trash, struct names *out, struct error *error)
{
    AUTO_REPOSITORY_WALK struct repository_walk walk =
        repository_walk_begin(trash, permit_caller(permit)->prefix, NULL);
    struct repository repository;
    enum walk_result result;
    unsigned looks = 0;

    while ((result = repository_walk_next(&walk, &repository, error)) > 0) {
        if (out->count == REGISTRY_DELETED_LIMIT || looks++ == REGISTRY_DELETED_LOOKS) {
            return 1;
        }
        if (result == WALK_FOUND &&
            registry_add_deleted(registry, permit, &repository, out, error) < 0) {
            return -1;
        }
    }
    return result == WALK_FAILED ? -1 : 0;
}

int registry_list_deleted(const struct registry *registry, const struct permit *permit,
                          struct names *out, struct error *error)
{
    struct store trash = STORE_INIT;
    int found;

    if (permit_check(permit, PERMISSION_LIST, error) < 0) {
        return -1;
    }
    found = deleted_open(&registry->hosted, &trash, error);
    if (found > 0) {
        found = registry_walk_deleted(registry, permit, &trash, out, error);
        store_close(&trash);
    }
    return found;
}

int registry_raise(struct registry *registry, const struct events_options *options,
                   const struct event *event, struct error *error)
{
    return events_raise(&registry->hosted, options, event, error);
}

void registry_start_delivery(struct registry *registry, const struct events_options *options)
{
    events_start(&registry->hosted, options);
}
