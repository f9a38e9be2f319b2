/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/registry/registry.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/text.h"
#include "lib/store/referrers.h"

#define PROXY_PREFIX "proxy/"

int registry_open(struct registry *registry, const struct registry_options *options,
                  struct error *error)
{
    struct registry opened = {.options = options, .hosted = STORE_INIT, .cache = STORE_INIT};

    if (store_open(&opened.hosted, &options->hosted, error) < 0) {
        return -1;
    }
    *registry = opened;
    return 0;
}

void registry_close(struct registry *registry)
{
    store_close(&registry->hosted);
    store_close(&registry->cache);
}

void source_release(struct source *source)
{
    report_release(&source->report);
}

static int find_proxied(struct registry *registry, const struct proxy_lookup *there,
                        struct source *out, struct error *error)
{
    /* Opened when it is needed: a cache that is broken is no reason not to serve what is hosted. */
    if (registry->cache.root < 0 && registry->options->proxy.enabled &&
        proxy_open(&registry->cache, &registry->options->proxy, error) < 0) {
        return -1;
    }
    if (proxied_find(&out->proxied, &registry->cache, &registry->options->proxy, there, error) <
        0) {
        return -1;
    }
    out->is_proxied = true;
    out->repository = out->proxied.repository;
    out->proxied.report = &out->report;
    return 0;
}

/* "proxy/<host>/<name>" */
static int find_by_path(struct registry *registry, const struct lookup *lookup, struct source *out,
                        struct error *error)
{
    const char *host = lookup->name + strlen(PROXY_PREFIX);
    const char *slash = strchr(host, '/');
    AUTO_BUFFER struct buffer upstream = BUFFER_INIT;
    struct proxy_lookup there = {.via = lookup->via, .may_wait = lookup->may_wait};

    if (!slash || !name_is_valid(lookup->name)) {
        return error_set(error, ERROR_NAME_INVALID,
                         "the name of another registry's repository is proxy/HOST/NAME");
    }
    buffer_add(&upstream, host, (size_t)(slash - host));
    there.host = upstream.data;
    there.name = slash + 1;
    return find_proxied(registry, &there, out, error);
}

static int find_hosted(struct registry *registry, const char *name, struct source *out,
                       struct error *error)
{
    if (!name_is_valid(name)) {
        return error_set(error, ERROR_NAME_INVALID, "this is not a repository name");
    }
    out->repository.store = &registry->hosted;
    (void)snprintf(out->repository.name, sizeof(out->repository.name), "%s", name);
    return 0;
}

static bool is_elsewhere(const struct lookup *lookup)
{
    return lookup->namespace && *lookup->namespace &&
           !(lookup->own_host && strcasecmp(lookup->namespace, lookup->own_host) == 0);
}

int registry_find(struct registry *registry, const struct lookup *lookup, struct source *out_source,
                  struct error *error)
{
    const char *root = registry->options->proxy.mirror_root;
    struct proxy_lookup there = {
        .name = lookup->name, .via = lookup->via, .may_wait = lookup->may_wait};
    int exists;

    out_source->registry = registry;
    out_source->is_proxied = false;
    out_source->is_fallback = false;
    if (text_begins(lookup->name, PROXY_PREFIX)) {
        return find_by_path(registry, lookup, out_source, error);
    }
    if (is_elsewhere(lookup)) {
        there.host = lookup->namespace;
        return find_proxied(registry, &there, out_source, error);
    }
    if (find_hosted(registry, lookup->name, out_source, error) < 0) {
        return -1;
    }
    if (!root || !*root || lookup->is_push || !registry->options->proxy.enabled) {
        return 0;
    }
    exists = repository_exists(&out_source->repository, error);
    if (exists != 0) {
        return exists < 0 ? -1 : 0;
    }
    there.host = root;
    out_source->is_fallback = true;
    return find_proxied(registry, &there, out_source, error);
}

int source_check_writable(const struct source *source, uint64_t bytes, struct error *error)
{
    if (source->registry->options->read_only) {
        return error_set(error, ERROR_READ_ONLY, "the registry is read-only at the moment");
    }
    if (source->is_proxied) {
        return error_set(error, ERROR_UNSUPPORTED,
                         "what belongs to another registry cannot be pushed here");
    }
    return store_check_space(source->repository.store, bytes, error);
}

/*
 * A name that is hosted nowhere and that the mirror's upstream does not let us see (as Docker Hub
 * says of what does not exist) is simply unknown.
 */
static int unless_unknown(const struct source *source, int found, const struct error *error)
{
    return found < 0 && source->is_fallback && error->code == ERROR_UPSTREAM_REFUSED ? 0 : found;
}

int source_get_manifest(struct source *source, const char *reference, bool head_only,
                        struct stored_manifest *out_manifest, struct error *error)
{
    if (source->is_proxied) {
        return unless_unknown(
            source, proxy_get_manifest(&source->proxied, reference, head_only, out_manifest, error),
            error);
    }
    return repository_get_manifest(&source->repository, reference, out_manifest, error);
}

int source_get_blob(struct source *source, const struct proxy_blob_request *request,
                    struct proxy_blob *out_blob, struct error *error)
{
    int found;

    if (source->is_proxied) {
        return unless_unknown(source, proxy_get_blob(&source->proxied, request, out_blob, error),
                              error);
    }
    *out_blob = (struct proxy_blob){.is_stored = true};
    found = blob_find(&source->repository, &request->digest, &out_blob->blob, error);
    out_blob->size = out_blob->blob.size;
    return found;
}

int source_list_tags(struct source *source, const struct page *page, struct names *out,
                     struct error *error)
{
    int exists;

    if (source->is_proxied) {
        return proxy_list_tags(&source->proxied, page, out, error);
    }
    exists = repository_exists(&source->repository, error);
    if (exists <= 0) {
        return exists < 0
                   ? -1
                   : error_set(error, ERROR_NAME_UNKNOWN, "repository unknown to the registry");
    }
    return tag_list(&source->repository, page, out, error);
}

int source_list_referrers(struct source *source, const struct referrers_query *query,
                          struct buffer *out, struct digest *out_last, struct error *error)
{
    if (source->is_proxied) {
        return proxy_list_referrers(&source->proxied, &query->subject, query->artifact_type, out,
                                    error);
    }
    return referrers_list(&source->repository, query, out, out_last, error);
}
