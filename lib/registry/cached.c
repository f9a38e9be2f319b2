/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/registry/cached.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/proxy/fill/origin.h"
#include "lib/proxy/keep.h"
#include "lib/store/sizes.h"

void cached_release(struct cached **cached)
{
    if (*cached) {
        for (size_t i = 0; i < (*cached)->upstream_count; i++) {
            buffer_release(&(*cached)->upstreams[i].trouble);
        }
        shelf_release(&(*cached)->shelf);
        free(*cached);
        *cached = NULL;
    }
}

static void cached_add_upstream(struct store *cache, const struct shelf_entry *entry,
                                struct cached *out)
{
    struct cached_upstream *upstream = &out->upstreams[out->upstream_count];
    const char *name = entry->name + strlen(UPSTREAM_PREFIX);

    if (out->upstream_count == CACHED_UPSTREAMS || !text_begins(entry->name, UPSTREAM_PREFIX)) {
        return;
    }
    *upstream = (struct cached_upstream){.name = entry->name,
                                         .repositories = entry->is_namespace ? entry->count : 1,
                                         .changed = entry->changed,
                                         .trouble = BUFFER_INIT};
    upstream->is_bad = health_explain(cache, name, &upstream->trouble, &upstream->asked_again);
    upstream->has_limit = health_find_limit(cache, name, &upstream->limit);
    out->upstream_count++;
}

struct cached_judge {
    const struct proxy_options *options;
    struct store *cache;
};

static bool cached_shows(void *context, const char *repository, const struct digest *blob)
{
    const struct cached_judge *judge = context;
    AUTO_BUFFER struct buffer whole = BUFFER_INIT;
    struct naming naming = {.prefix = ""};
    struct identity identity;
    struct error ignored;

    buffer_format(&whole, UPSTREAM_PREFIX "%s", repository);
    naming.name = whole.data;
    if (identity_find(&identity, judge->options, &naming, &ignored) < 0 || !identity.is_proxied) {
        return false;
    }
    identity.upstream.store = judge->cache;
    return origin_allows(&identity.upstream, identity.there, blob);
}

int cached_count_sizes(const struct proxy_options *options, struct store *cache,
                       struct error *error)
{
    struct cached_judge judge = {options, cache};

    return sizes_count(cache, &(struct sizes_judge){cached_shows, &judge}, error);
}

/* Whether the caller may pull what the cache has under a name of its own: then in `out` what he
 * calls it. */
static bool cached_may_pull(const struct registry *registry, const struct permit *permit,
                            const char *name, char out[NAME_SIZE])
{
    AUTO_BUFFER struct buffer whole = BUFFER_INIT;
    struct naming naming = {.prefix = ""};
    struct permit pull = PERMIT_INIT;
    struct identity identity;
    struct error ignored;

    buffer_format(&whole, UPSTREAM_PREFIX "%s", name);
    naming.name = whole.data;
    return identity_find(&identity, &registry->options->proxy, &naming, &ignored) == 0 &&
           permit_extend(permit, &identity, PERMISSION_PULL, &pull, &ignored) == 0 &&
           text_copy(out, NAME_SIZE, identity.name, strlen(identity.name));
}

static void cached_add_fetches(struct registry *registry, const struct permit *permit,
                               struct cached *out)
{
    AUTO_FREE struct space_fetch *fetches = memory_allocate(CACHED_FETCHES, sizeof(*fetches));
    size_t count = space_list_fetches(&registry->cache, fetches, CACHED_FETCHES);

    for (size_t i = 0; i < count; i++) {
        struct cached_fetch *fetch = &out->fetches[out->fetch_count];
        AUTO_BUFFER struct buffer name = BUFFER_INIT;

        buffer_format(&name, "%s/%s", fetches[i].upstream, fetches[i].name);
        if (cached_may_pull(registry, permit, name.data, fetch->name)) {
            fetch->digest = fetches[i].digest;
            fetch->bytes = fetches[i].bytes;
            fetch->total = fetches[i].total;
            out->fetch_count++;
        }
    }
}

static int cached_add_images(struct registry *registry, const struct permit *permit,
                             struct cached *out, struct error *error)
{
    AUTO_NAMES struct names kept = NAMES_INIT;

    if (kept_list(&registry->cache, &kept, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < kept.count && out->image_count < CACHED_IMAGES; i++) {
        struct cached_image *image = &out->images[out->image_count];
        const char *space = strchr(kept.names[i], ' ');
        AUTO_BUFFER struct buffer name = BUFFER_INIT;

        buffer_add(&name, kept.names[i], space ? (size_t)(space - kept.names[i]) : 0);
        if (space &&
            text_copy(image->reference, sizeof(image->reference), space + 1, strlen(space + 1)) &&
            cached_may_pull(registry, permit, name.data, image->name)) {
            out->image_count++;
        }
    }
    return 0;
}

unsigned cached_hits(const struct totals_upstream *traffic)
{
    uint64_t all = 0;

    for (size_t i = 0; i < LOOK_COUNT; i++) {
        all += traffic->looks[i];
    }
    return all > 0 ? (unsigned)((double)(traffic->looks[LOOK_HIT] + traffic->looks[LOOK_STALE]) /
                                (double)all * 100)
                   : 0;
}

/* `name` as the caller calls what is below it: "proxy/docker.io". */
static bool cached_sees_all(const struct permit *permit, const char *name)
{
    AUTO_BUFFER struct buffer below = BUFFER_INIT;

    buffer_format(&below, "%s/", name);
    return permit_sees_all(permit, below.data);
}

/* What all hosts have counted, of upstreams of which nothing is hidden from him. That it cannot be
 * read is nothing to those who look. */
static void cached_add_traffic(const struct registry *registry, const struct permit *permit,
                               struct cached *out)
{
    AUTO_FREE struct totals *totals = memory_allocate(1, sizeof(*totals));
    struct error ignored;

    if (totals_read(registry->options->metrics.hosts, totals, &ignored) <= 0) {
        return;
    }
    for (size_t i = 0; i < out->upstream_count; i++) {
        struct cached_upstream *upstream = &out->upstreams[i];
        const char *name = upstream->name + strlen(UPSTREAM_PREFIX);

        for (size_t j = 0; j < totals->upstream_count; j++) {
            if (strcmp(totals->upstreams[j].name, name) == 0 &&
                cached_sees_all(permit, upstream->name)) {
                upstream->is_measured = true;
                upstream->traffic = totals->upstreams[j];
            }
        }
    }
}

static int cached_fill(struct registry *registry, const struct permit *permit, struct cached *out,
                       struct error *error)
{
    struct shelf_query query = {
        .within = "proxy", .filter = "", .order = SHELF_BY_NAME, .limit = CACHED_UPSTREAMS};
    int counted =
        registry->options->proxy.maximum_size > 0 && permit_sees_all(permit, UPSTREAM_PREFIX)
            ? usage_read(&registry->cache, &out->usage, error)
            : 0;

    if (counted < 0 || shelf_find(registry, permit, &query, &out->shelf, error) < 0 ||
        cached_add_images(registry, permit, out, error) < 0) {
        return -1;
    }
    out->is_counted = counted > 0;
    out->is_hidden = !permit_sees_all(permit, UPSTREAM_PREFIX);
    for (size_t i = 0; i < out->shelf.count; i++) {
        cached_add_upstream(&registry->cache, &out->shelf.entries[i], out);
    }
    cached_add_traffic(registry, permit, out);
    cached_add_fetches(registry, permit, out);
    return 0;
}

int cached_find(struct registry *registry, const struct permit *permit, struct cached **out,
                struct error *error)
{
    AUTO_CACHED struct cached *cached = NULL;

    if (permit_check(permit, PERMISSION_LIST, error) < 0) {
        return -1;
    }
    if (!registry->options->proxy.enabled || *permit_caller(permit)->prefix) {
        return error_set(error, ERROR_NOT_FOUND, "there is no cache here");
    }
    cached = memory_allocate(1, sizeof(*cached));
    cached->shelf = (struct shelf)SHELF_INIT;
    if (registry_open_cache(registry, error) < 0 ||
        cached_fill(registry, permit, cached, error) < 0) {
        return -1;
    }
    *out = cached;
    cached = NULL;
    return 0;
}

static int cached_check(const struct source *source, struct error *error)
{
    if (permit_check(&source->permit, PERMISSION_DELETE, error) < 0) {
        return -1;
    }
    return source->is_proxied ? 0 : error_set(error, ERROR_NOT_FOUND, "this is no cached image");
}

int cached_keep(const struct source *source, const char *reference, struct error *error)
{
    return cached_check(source, error) < 0 ? -1
                                           : keep_cached(&source->repository, reference, error);
}

int cached_drop(const struct source *source, const char *reference, struct error *error)
{
    struct kept_image image = {source->repository.name, reference};

    return cached_check(source, error) < 0 ? -1
                                           : kept_drop(source->repository.store, &image, error);
}

int cached_is_kept(const struct source *source, const char *reference, struct error *error)
{
    struct kept_image image = {source->repository.name, reference};
    AUTO_BUFFER struct buffer ignored = BUFFER_INIT;

    return source->is_proxied ? kept_read(source->repository.store, &image, &ignored, error) : 0;
}

int cached_refresh(struct source *source, const char *tag, struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest manifest = STORED_MANIFEST_INIT;
    int found;

    if (cached_check(source, error) < 0 || proxy_doubt_tag(&source->proxied, tag, error) < 0) {
        return -1;
    }
    found = source_get_manifest(source, tag, false, &manifest, error);
    return found > 0 && source->report.warning.length > 0
               ? upstream_fail(&source->proxied.upstream, error, ERROR_UPSTREAM, "%s",
                               source->report.warning.data)
               : found;
}
