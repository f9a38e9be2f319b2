/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/statvfs.h>

#include "fcgi/handle/metrics.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/observe/count/counters.h"
#include "lib/observe/options.h"
#include "lib/observe/spool.h"
#include "lib/proxy/ask/health.h"
#include "lib/proxy/evict/kept.h"
#include "lib/proxy/evict/usage.h"
#include "lib/store/census.h"
#include "lib/store/chore.h"

/* A store, and what it is called in labels. */
struct gauged {
    const char *name;
    const struct store *store;
};

static void gauges_add_disks(struct exposition *exposition, const struct gauged *stores,
                             size_t count)
{
    static const struct {
        const char *name;
        const char *help;
    } rows[] = {
        {"berth_store_free_bytes", "Bytes that are free on the filesystem of a store."},
        {"berth_store_size_bytes", "Bytes that the filesystem of a store has."},
        {"berth_store_reserve_bytes", "Bytes that are left free there (minimum_free_space)."},
    };

    for (size_t row = 0; row < sizeof(rows) / sizeof(*rows); row++) {
        exposition_family(exposition, EXPOSED_GAUGE, rows[row].name, rows[row].help);
        for (size_t i = 0; i < count; i++) {
            const struct store *store = stores[i].store;
            struct statvfs status;

            if (fstatvfs(store->root, &status) == 0) {
                uint64_t values[] = {(uint64_t)status.f_bavail * status.f_frsize,
                                     (uint64_t)status.f_blocks * status.f_frsize,
                                     store->options->minimum_free_space};

                exposition_label(exposition, "store", stores[i].name);
                exposition_number(exposition, values[row]);
            }
        }
    }
}

static void gauges_add_trash(struct exposition *exposition, const struct census *census)
{
    static const char *const words[TRASH_COUNT] = {
        [TRASH_COLLECTED] = "collected",
        [TRASH_DELETED] = "deleted",
    };

    exposition_family(exposition, EXPOSED_GAUGE, "berth_trash_files",
                      "Files in the trash, as gc has counted.");
    for (size_t i = 0; i < TRASH_COUNT; i++) {
        exposition_label(exposition, "kind", words[i]);
        exposition_number(exposition, census->trash[i].files);
    }
    exposition_family(exposition, EXPOSED_GAUGE, "berth_trash_bytes",
                      "Bytes in the trash, as gc has counted.");
    for (size_t i = 0; i < TRASH_COUNT; i++) {
        exposition_label(exposition, "kind", words[i]);
        exposition_number(exposition, census->trash[i].bytes);
    }
}

/* What became of gc and check the last time that they came to an end by themselves. */
static void gauges_add_chores(struct exposition *exposition, const struct store *store)
{
    static const struct {
        enum chore_kind kind;
        const char *word;
    } chores[] = {{CHORE_COLLECT, "gc"}, {CHORE_CHECK, "check"}};
    static const struct {
        const char *name;
        const char *help;
    } rows[] = {
        {"berth_chore_last_end_timestamp_seconds", "When gc, or check, last came to an end."},
        {"berth_chore_last_duration_seconds", "How long that took."},
        {"berth_chore_last_problems", "Problems that it found."},
        {"berth_chore_last_success", "1 if it was done; 0 if it was stopped, failed, or died."},
    };

    for (size_t row = 0; row < sizeof(rows) / sizeof(*rows); row++) {
        exposition_family(exposition, EXPOSED_GAUGE, rows[row].name, rows[row].help);
        for (size_t i = 0; i < sizeof(chores) / sizeof(*chores); i++) {
            struct chore_past past;
            struct error ignored;

            if (chore_read(store, chores[i].kind, &past, &ignored) > 0 &&
                past.outcome != CHORE_UNDER_WAY && past.ago != UINT64_MAX) {
                uint64_t values[] = {(uint64_t)clock_date() - past.ago, past.seconds, past.problems,
                                     past.outcome == CHORE_DONE};

                exposition_label(exposition, "chore", chores[i].word);
                exposition_number(exposition, values[row]);
            }
        }
    }
}

/* As `berth gc` has last counted; nothing if it never has. */
static void gauges_add_census(struct exposition *exposition, const struct store *store)
{
    struct census census;
    struct error ignored;
    uint64_t age;

    if (census_read(store, &census, &age, &ignored) <= 0) {
        return;
    }
    exposition_gauge(exposition, "berth_registry_repositories",
                     "Hosted repositories, as gc has counted.", census.repositories);
    exposition_gauge(exposition, "berth_registry_tags", "Hosted tags, as gc has counted.",
                     census.tags);
    exposition_gauge(exposition, "berth_registry_manifests", "Hosted manifests, as gc has counted.",
                     census.manifests);
    exposition_gauge(exposition, "berth_registry_blobs", "Hosted blobs, as gc has counted.",
                     census.blobs);
    exposition_gauge(exposition, "berth_registry_blob_bytes",
                     "Bytes of hosted blobs, as gc has counted.", census.bytes);
    exposition_gauge(exposition, "berth_registry_linked_bytes",
                     "Bytes that they would have if no two repositories shared any.",
                     census.linked_bytes);
    gauges_add_trash(exposition, &census);
    if (age != UINT64_MAX) {
        exposition_gauge(exposition, "berth_registry_counted_timestamp_seconds",
                         "When gc has counted all of that.", (uint64_t)clock_date() - age);
    }
}

/* A receiver's events: how many wait or were given up, and since when the oldest waits. */
struct gauged_events {
    uint64_t waiting;
    uint64_t failed;
    uint64_t age; /* seconds */
};

static void gauges_look_at_events(const struct spool *spool, struct gauged_events *out)
{
    AUTO_NAMES struct names waiting = NAMES_INIT;
    AUTO_NAMES struct names failed = NAMES_INIT;
    struct spool_entry oldest;
    struct error ignored;

    *out = (struct gauged_events){.waiting = 0};
    if (spool_list(spool, SPOOL_WAITING, &waiting, &ignored) == 0 && waiting.count > 0 &&
        spool_entry_parse(waiting.names[0], &oldest) && spool_age(&oldest) != UINT64_MAX) {
        out->age = spool_age(&oldest);
    }
    (void)spool_list(spool, SPOOL_FAILED, &failed, &ignored);
    out->waiting = waiting.count;
    out->failed = failed.count;
}

/* Receivers are those of the configuration: the names of sections. */
void gauges_add_events(struct exposition *exposition, struct registry *registry,
                       const struct events_options *options)
{
    static const struct {
        const char *name;
        const char *help;
    } rows[] = {
        {"berth_events_waiting", "Events that a receiver has not got yet."},
        {"berth_events_failed", "Events that were given up."},
        {"berth_events_oldest_age_seconds", "Since when the oldest waits."},
    };
    AUTO_FREE struct gauged_events *events =
        memory_allocate(options->webhook_count + 1, sizeof(*events));

    for (size_t i = 0; i < options->webhook_count; i++) {
        struct spool spool = {&registry->hosted, options->webhooks[i].name};

        gauges_look_at_events(&spool, &events[i]);
    }
    for (size_t row = 0; row < sizeof(rows) / sizeof(*rows) && options->webhook_count > 0; row++) {
        exposition_family(exposition, EXPOSED_GAUGE, rows[row].name, rows[row].help);
        for (size_t i = 0; i < options->webhook_count; i++) {
            uint64_t values[] = {events[i].waiting, events[i].failed, events[i].age};

            exposition_label(exposition, "receiver", options->webhooks[i].name);
            exposition_number(exposition, values[row]);
        }
    }
}

void gauges_add_hosted(struct exposition *exposition, struct registry *registry)
{
    struct gauged stores[] = {{"registry", &registry->hosted}, {"proxy", &registry->cache}};
    struct census_uploads uploads;
    struct error ignored;
    bool has_cache =
        registry->options->proxy.enabled && registry_open_cache(registry, &ignored) == 0;

    gauges_add_disks(exposition, stores, has_cache ? 2 : 1);
    gauges_add_census(exposition, &registry->hosted);
    gauges_add_chores(exposition, &registry->hosted);
    if (census_count_uploads(&registry->hosted, &uploads, &ignored) == 0) {
        exposition_gauge(exposition, "berth_uploads_open", "Uploads that are not complete.",
                         uploads.sessions);
        exposition_gauge(exposition, "berth_uploads_active",
                         "Of those, the ones that are being written to.", uploads.active);
    }
}

static void gauges_add_usage(struct exposition *exposition, struct registry *registry)
{
    const struct proxy_options *options = &registry->options->proxy;
    AUTO_KEPT struct kept kept = KEPT_INIT;
    struct usage usage;
    struct error ignored;

    if (options->maximum_size > 0) {
        exposition_gauge(exposition, "berth_cache_maximum_bytes",
                         "Bytes that the cache may have (maximum_size).", options->maximum_size);
        if (usage_read(&registry->cache, &usage, &ignored) > 0) {
            exposition_gauge(exposition, "berth_cache_used_bytes", "Bytes that the cache has.",
                             usage.used);
        }
    }
    if (kept_refresh(&registry->cache, &kept, &ignored) == 0) {
        exposition_gauge(exposition, "berth_cache_kept_images",
                         "Images that are kept (prefetch --keep).", kept.images);
    }
}

static void gauges_add_health(struct exposition *exposition, struct registry *registry)
{
    const struct names *upstreams = counters_upstreams();

    exposition_family(exposition, EXPOSED_GAUGE, "berth_upstream_up",
                      "Whether another registry is asked: 0 for some seconds after it has failed.");
    for (size_t i = 0; i < upstreams->count; i++) {
        exposition_label(exposition, "upstream", upstreams->names[i]);
        exposition_number(exposition, !health_is_bad(&registry->cache, upstreams->names[i]));
    }
}

static void gauges_add_budget(struct exposition *exposition, struct registry *registry)
{
    static const struct {
        const char *name;
        const char *help;
    } rows[] = {
        {"berth_upstream_ratelimit_remaining",
         "Requests that another registry allows us still, as it has last said within an hour."},
        {"berth_upstream_ratelimit_limit", "Requests that it allows us in all."},
    };
    const struct names *upstreams = counters_upstreams();

    for (size_t row = 0; row < sizeof(rows) / sizeof(*rows); row++) {
        exposition_family(exposition, EXPOSED_GAUGE, rows[row].name, rows[row].help);
        for (size_t i = 0; i < upstreams->count; i++) {
            struct health_limit limit;

            if (health_find_limit(&registry->cache, upstreams->names[i], &limit)) {
                exposition_label(exposition, "upstream", upstreams->names[i]);
                exposition_number(exposition, row == 0 ? limit.remaining : limit.limit);
            }
        }
    }
}

void gauges_add_cache(struct exposition *exposition, struct registry *registry)
{
    gauges_add_usage(exposition, registry);
    gauges_add_health(exposition, registry);
    gauges_add_budget(exposition, registry);
}
