/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/registry/shelf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/store/glance.h"
#include "lib/store/sizes.h"

void shelf_release(struct shelf *shelf)
{
    free(shelf->entries);
    *shelf = (struct shelf)SHELF_INIT;
}

/* One store being looked through. */
struct browse {
    const struct permit *permit;
    const struct proxy_options *options;
    const struct shelf_query *query;
    struct shelf *shelf;
    struct sizes sizes;
    bool is_cache;
};

/* What this caller calls the repository; false if that is not below what is looked for. */
static bool browse_name(const struct browse *browse, const char *canonical, char out[NAME_SIZE])
{
    const char *prefix = permit_caller(browse->permit)->prefix;
    size_t length = strlen(prefix);
    size_t within = strlen(browse->query->within);

    if (length > 0 && (!text_begins(canonical, prefix) || canonical[length] != '/')) {
        return false;
    }
    canonical += length > 0 ? length + 1 : 0;
    (void)snprintf(out, NAME_SIZE, "%s", canonical);
    return within == 0 || (text_begins(out, browse->query->within) && out[within] == '/');
}

static bool browse_may_pull(const struct browse *browse, const char *canonical)
{
    struct naming naming = {.name = canonical, .prefix = ""};
    struct permit pull = PERMIT_INIT;
    struct identity identity;
    struct error refusal;

    return identity_find(&identity, browse->options, &naming, &refusal) == 0 &&
           identity.is_proxied == browse->is_cache &&
           permit_extend(browse->permit, &identity, PERMISSION_PULL, &pull, &refusal) == 0;
}

static struct shelf_entry *shelf_add(struct shelf *shelf)
{
    if (shelf->count == shelf->capacity) {
        shelf->capacity = shelf->capacity ? 2 * shelf->capacity : 64;
        shelf->entries = memory_resize(shelf->entries, shelf->capacity, sizeof(*shelf->entries));
    }
    shelf->entries[shelf->count] = (struct shelf_entry){.count = 0};
    return &shelf->entries[shelf->count++];
}

/*
 * How much of a name is the namespace that it is put under: up to the first slash behind `within`,
 * of what is cached up to the second one, since "proxy/" is everybody's. 0: it stands for itself.
 */
static size_t namespace_length(const struct browse *browse, const char *name)
{
    size_t begin = strlen(browse->query->within);
    const char *slash;

    if (*browse->query->filter || browse->query->every) {
        return 0;
    }
    begin += begin > 0;
    if (begin == 0 && browse->is_cache && text_begins(name, UPSTREAM_PREFIX)) {
        begin = strlen(UPSTREAM_PREFIX);
    }
    slash = strchr(name + begin, '/');
    return slash ? (size_t)(slash - name) : 0;
}

/* The walk is in the order of names, but for what sorts before a slash: so the last few are asked.
 */
static struct shelf_entry *find_namespace(struct shelf *shelf, const char *name, size_t length)
{
    for (size_t i = shelf->count; i > 0; i--) {
        struct shelf_entry *entry = &shelf->entries[i - 1];

        if (entry->is_namespace && strncmp(entry->name, name, length) == 0 &&
            entry->name[length] == '\0') {
            return entry;
        }
        if (strncmp(entry->name, name, length) != 0) {
            return NULL;
        }
    }
    return NULL;
}

static void browse_add(struct browse *browse, const char *name, const char *stored,
                       const struct glance *glance)
{
    uint64_t size;
    size_t length = namespace_length(browse, name);
    struct shelf_entry *entry = length > 0 ? find_namespace(browse->shelf, name, length) : NULL;

    if (!entry) {
        entry = shelf_add(browse->shelf);
        (void)text_copy(entry->name, sizeof(entry->name), name, length > 0 ? length : strlen(name));
        entry->is_namespace = length > 0;
        entry->is_proxied = browse->is_cache;
    }
    entry->count += entry->is_namespace;
    if (sizes_find(&browse->sizes, stored, &size)) {
        entry->has_size = true;
        entry->size += size;
    }
    entry->changed = glance->changed > entry->changed ? glance->changed : entry->changed;
    *(browse->is_cache ? &browse->shelf->proxied_count : &browse->shelf->hosted_count) += 1;
}

static void browse_look(void *context, const char *stored, const struct glance *glance)
{
    struct browse *browse = context;
    AUTO_BUFFER struct buffer canonical = BUFFER_INIT;
    char name[NAME_SIZE];

    buffer_format(&canonical, "%s%s", browse->is_cache ? UPSTREAM_PREFIX : "", stored);
    if (canonical.length < NAME_SIZE && browse_name(browse, canonical.data, name) &&
        strstr(name, browse->query->filter) && browse_may_pull(browse, canonical.data)) {
        browse_add(browse, name, stored, glance);
    }
}

/* Below which name of the store it is; false if nothing of the store can be meant. */
static bool browse_prefix(const struct browse *browse, char out[NAME_SIZE])
{
    const char *prefix = permit_caller(browse->permit)->prefix;
    const char *within = browse->query->within;
    AUTO_BUFFER struct buffer whole = BUFFER_INIT;
    const char *name = whole.data;

    buffer_format(&whole, "%s%s%s", prefix, *prefix && *within ? "/" : "", within);
    name = whole.data;
    if (browse->is_cache) {
        if (*name && strcmp(name, "proxy") != 0 && !text_begins(name, UPSTREAM_PREFIX)) {
            return false;
        }
        name += text_begins(name, UPSTREAM_PREFIX) ? strlen(UPSTREAM_PREFIX) : strlen(name);
    }
    return text_copy(out, NAME_SIZE, name, strlen(name));
}

/* Without them it is as if nobody had counted. */
static void browse_read_sizes(struct browse *browse, const struct store *store)
{
    struct shelf *shelf = browse->shelf;
    struct error ignored;
    uint64_t age;

    if (sizes_read(store, &browse->sizes, &age, &ignored) > 0) {
        shelf->has_sizes = true;
        shelf->sized_ago = age > shelf->sized_ago ? age : shelf->sized_ago;
    }
}

static void browse_store(struct browse *browse, const struct store *store)
{
    struct glance_visitor visitor = {browse_look, browse, SHELF_LIMIT};
    char prefix[NAME_SIZE];

    if (!browse_prefix(browse, prefix)) {
        return;
    }
    browse_read_sizes(browse, store);
    if (!glance_walk(store, prefix, &visitor)) {
        browse->shelf->is_cut = true;
    }
    sizes_release(&browse->sizes);
}

static int compare_names(const void *one, const void *other)
{
    const struct shelf_entry *a = one;
    const struct shelf_entry *b = other;

    return a->is_proxied != b->is_proxied ? a->is_proxied - b->is_proxied
                                          : strcmp(a->name, b->name);
}

static int compare_dates(const void *one, const void *other)
{
    const struct shelf_entry *a = one;
    const struct shelf_entry *b = other;

    return a->changed != b->changed ? (a->changed < b->changed ? 1 : -1)
                                    : compare_names(one, other);
}

static void count_tags(struct registry *registry, const struct permit *permit,
                       struct shelf_entry *entry)
{
    const char *prefix = permit_caller(permit)->prefix;
    AUTO_BUFFER struct buffer canonical = BUFFER_INIT;
    struct repository repository;
    const char *name;

    buffer_format(&canonical, "%s%s%s", prefix, *prefix ? "/" : "", entry->name);
    name = canonical.data + (entry->is_proxied ? strlen(UPSTREAM_PREFIX) : 0);
    repository.store = entry->is_proxied ? &registry->cache : &registry->hosted;
    (void)snprintf(repository.name, sizeof(repository.name), "%s", name);
    entry->count = glance_count_tags(&repository);
}

/* Cuts out the page, and looks closer at what is on it. */
static void shelf_cut(struct registry *registry, const struct permit *permit,
                      const struct shelf_query *query, struct shelf *shelf)
{
    size_t first = query->skip < shelf->count ? query->skip : shelf->count;
    size_t count = shelf->count - first < query->limit ? shelf->count - first : query->limit;

    shelf->total = shelf->count;
    if (first > 0 && count > 0) {
        memmove(shelf->entries, shelf->entries + first, count * sizeof(*shelf->entries));
    }
    shelf->count = count;
    for (size_t i = 0; i < count; i++) {
        if (!shelf->entries[i].is_namespace) {
            count_tags(registry, permit, &shelf->entries[i]);
        }
    }
}

int shelf_find(struct registry *registry, const struct permit *permit,
               const struct shelf_query *query, struct shelf *out, struct error *error)
{
    AUTO_SHELF struct shelf shelf = SHELF_INIT;
    struct browse browse = {.permit = permit,
                            .options = &registry->options->proxy,
                            .query = query,
                            .shelf = &shelf,
                            .sizes = SIZES_INIT};

    if (permit_check(permit, PERMISSION_LIST, error) < 0) {
        return -1;
    }
    browse_store(&browse, &registry->hosted);
    browse.is_cache = true;
    /* A cache that is broken is no reason not to show what is hosted. */
    if (registry->options->proxy.enabled && registry_open_cache(registry, error) == 0) {
        browse_store(&browse, &registry->cache);
    }
    if (shelf.count > 1) {
        qsort(shelf.entries, shelf.count, sizeof(*shelf.entries),
              query->order == SHELF_NEWEST ? compare_dates : compare_names);
    }
    shelf_cut(registry, permit, query, &shelf);
    *out = shelf;
    shelf = (struct shelf)SHELF_INIT;
    return 0;
}
