/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/evict/evict.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/directory.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/process.h"
#include "lib/base/text.h"
#include "lib/proxy/evict/clean.h"
#include "lib/proxy/evict/kept.h"
#include "lib/proxy/evict/usage.h"
#include "lib/store/mark.h"

enum {
    ORPHAN_SECONDS = 3600, /* somebody may be about to link what nobody has */
    BATCH = 100,           /* blobs that are removed while nobody can keep an image */
    AGE_LOOKS = 8,         /* so often within maximum_age */
    OFTEN_SECONDS = 60,    /* no look is sooner after the last */
    AGE_SECONDS = 3600,    /* nor later, for what goes by its age */
    SPARE_PART = 10,       /* of maximum_size is made free, when something has to go */
    COUNT_SECONDS = 86400, /* nor for what does not: only to count */
    EVICT_SILENCE = 60,    /* after which a run is thought to hang, or to be stopped */
};

struct evict_turn {
    struct inventory_item *item;
};

struct evict_run {
    const struct proxy_options *options;
    struct cache cache;
    const struct evict_wish *wish;
    struct inventory inventory;
    struct evict_turn *order; /* in which they go */
    struct kept kept;
    struct evict_report report;
};

/* What nobody has, then blobs, then manifests. */
static int evict_rank(const struct inventory_item *item)
{
    return item->links == 0 ? 0 : item->is_manifest ? 2 : 1;
}

static int evict_compare(const void *left, const void *right)
{
    const struct inventory_item *one = ((const struct evict_turn *)left)->item;
    const struct inventory_item *other = ((const struct evict_turn *)right)->item;
    const struct timespec *first = &one->status.used;
    const struct timespec *second = &other->status.used;

    if (evict_rank(one) != evict_rank(other)) {
        return evict_rank(one) - evict_rank(other);
    }
    if (first->tv_sec != second->tv_sec) {
        return first->tv_sec < second->tv_sec ? -1 : 1;
    }
    return (first->tv_nsec > second->tv_nsec) - (first->tv_nsec < second->tv_nsec);
}

/* Whether it goes however much room there is. */
static bool evict_is_due(const struct evict_run *run, const struct inventory_item *item)
{
    uint64_t age = clock_age(item->status.used.tv_sec);
    uint64_t limit = run->options->maximum_age;

    return age < UINT64_MAX && /* a date that is ahead tells nothing */
           ((item->links == 0 && age > ORPHAN_SECONDS) || (limit > 0 && age > limit));
}

static void evict_choose(struct evict_run *run)
{
    struct inventory *inventory = &run->inventory;
    uint64_t left = inventory->room;
    uint64_t room = run->wish->room;
    uint64_t freed = 0;

    run->order = memory_allocate(inventory->count + 1, sizeof(*run->order));
    for (size_t i = 0; i < inventory->count; i++) {
        struct inventory_item *item = &inventory->items[i];
        bool goes = evict_is_due(run, item) && !kept_has(&run->kept, &item->digest);

        run->order[i].item = item;
        left -= goes ? item->status.room : 0;
        freed += goes ? inventory_inodes(item) : 0;
    }
    if (left > room) { /* not again for the next few bytes */
        room -= run->wish->spare < room ? run->wish->spare : room;
    }
    qsort(run->order, inventory->count, sizeof(*run->order), evict_compare);
    for (size_t i = 0; i < inventory->count; i++) {
        struct inventory_item *item = run->order[i].item;
        bool is_due = evict_is_due(run, item);

        if (kept_has(&run->kept, &item->digest)) {
            run->report.fixed += item->status.room;
            continue;
        }
        run->report.inodes += inventory_inodes(item);
        if (is_due || left > room || freed < run->wish->inodes) {
            item->is_chosen = true;
            left -= is_due ? 0 : item->status.room;
            freed += is_due ? 0 : inventory_inodes(item);
        }
    }
}

static void evict_condemn(struct evict_run *run)
{
    bool any = false;

    for (size_t i = 0; i < run->inventory.count; i++) {
        if (run->order[i].item->is_chosen) {
            inventory_step(&run->inventory);
            blob_condemn(&run->cache, &run->order[i].item->digest);
            any = true;
        }
    }
    if (any) {
        clock_pause(run->wish->patience);
    }
}

static void evict_count(struct evict_run *run, const struct inventory_item *item)
{
    run->report.bytes += item->status.room;
    run->report.blobs += !item->is_manifest;
    run->report.manifests += item->is_manifest;
    run->report.inodes -= inventory_inodes(item);
}

/* A single one, unless it was pardoned. */
static void evict_drop(struct evict_run *run, struct inventory_item *item)
{
    struct error error;
    int dropped = blob_drop(&run->cache, &item->digest, &item->status, &error);
    struct error ignored;

    if (dropped > 0) {
        item->is_gone = true;
        evict_count(run, item);
        (void)directory_remove(run->cache.store->root, layout_origins(&item->digest).text,
                               &ignored);
    }
    if (dropped < 0) {
        passed_add(&run->inventory.passed, &error);
    }
}

/* What somebody has kept since it was chosen stays. */
static int evict_drop_batch(struct evict_run *run, size_t first, struct error *error)
{
    AUTO_LOCK struct lock lock = LOCK_INIT;

    inventory_step(&run->inventory);
    if (kept_lock(run->cache.store, &lock, error) < 0 ||
        kept_refresh(run->cache.store, &run->kept, error) < 0) {
        return -1;
    }
    for (size_t i = first; i < first + BATCH && i < run->inventory.count; i++) {
        struct inventory_item *item = run->order[i].item;

        if (item->is_chosen && !kept_has(&run->kept, &item->digest)) {
            inventory_step(&run->inventory);
            evict_drop(run, item);
        }
    }
    return 0;
}

static int evict_remove(struct evict_run *run, struct error *error)
{
    struct clean clean = {
        .cache = &run->cache, .inventory = &run->inventory, .kept = &run->kept, .links = 0};
    int result;

    evict_condemn(run);
    result = clean_manifests(&clean, error);
    for (size_t i = 0; i < run->inventory.count && result == 0; i += BATCH) {
        result = evict_drop_batch(run, i, error);
    }
    /* Also after a failure: what is gone is gone. */
    if (clean_links(&clean, error) < 0) {
        result = -1;
    }
    run->report.links = clean.links;
    run->report.repositories = clean.repositories;
    return result;
}

/* What is there, what is to go, and that it goes. */
static int evict_look_and_remove(struct evict_run *run, struct error *error)
{
    int result;

    if (kept_refresh(run->cache.store, &run->kept, error) < 0 ||
        inventory_take(&run->cache, &run->inventory, error) < 0) {
        return -1;
    }
    run->report.images = run->kept.images;
    evict_choose(run);
    if (!run->wish->is_trial) {
        result = evict_remove(run, error);
    } else {
        for (size_t i = 0; i < run->inventory.count; i++) {
            if (run->order[i].item->is_chosen) {
                evict_count(run, run->order[i].item);
            }
        }
        result = 0;
    }
    run->report.used = run->inventory.room - run->report.bytes;
    return result;
}

/* Whoever has waited for another run may find that nothing is left to do. */
static bool evict_was_done(const struct evict_run *run, const struct usage *usage)
{
    const struct evict_wish *wish = run->wish;

    return wish->wait == LOCK_WAIT && (wish->room < UINT64_MAX || wish->inodes > 0) &&
           usage->used <= wish->room &&
           (wish->inodes == 0 || store_lacks_inodes(run->cache.store) == 0);
}

static int evict_locked(struct evict_run *run, struct error *error)
{
    struct store *store = run->cache.store;
    struct usage before = {.used = 0};
    struct error ignored;
    bool looked = store->only_looks;
    int known = usage_read(store, &before, &ignored);
    int result;

    if (known > 0 && evict_was_done(run, &before)) {
        return 0;
    }
    store->only_looks = true; /* what is read on the way is not used */
    result = evict_look_and_remove(run, error);
    store->only_looks = looked;
    if (result == 0 && run->options->maximum_size > 0 && !run->wish->is_trial) {
        struct usage counted = {
            .used = run->report.used, .fixed = run->report.fixed, .inodes = run->report.inodes};

        usage_correct(store, &before, &counted);
    }
    return result < 0 ? -1 : 1;
}

/*
 * 1; 0 if another run is under way that was not to be waited for; -1. Two at the same time cost
 * work, and find each other's blobs gone: so nobody who hangs, or is stopped, keeps all others from
 * it; nor does a disk that has no room for the lock.
 */
static int evict_lock(struct store *store, enum lock_wait wait, struct lock *lock,
                      struct error *error)
{
    struct file_place place = {store->root, LAYOUT_EVICT_LOCK};
    enum lock_result taken = wait == LOCK_TRY
                                 ? lock_take_or_replace(lock, place, EVICT_SILENCE, error)
                                 : lock_await_or_replace(lock, place, EVICT_SILENCE, error);

    if (taken == LOCK_FAILED) {
        return error->code == ERROR_NO_SPACE ? 1 : -1;
    }
    if (taken == LOCK_BUSY && wait == LOCK_WAIT) {
        return error_set(error, ERROR_NO_SPACE,
                         "the cache has no room yet: who makes some takes his time");
    }
    return taken == LOCK_TAKEN;
}

int evict_run(const struct proxy_options *options, struct store *store,
              const struct evict_wish *wish, struct evict_report *out_report, struct error *error)
{
    struct evict_run run = {.options = options,
                            .wish = wish,
                            .inventory = {.is_tidy = !wish->is_trial},
                            .kept = KEPT_INIT};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    int result;

    if (store_as_cache(store, &run.cache, error) < 0) {
        return -1;
    }
    if (!wish->is_trial) {
        result = evict_lock(store, wish->wait, &lock, error);
        if (result <= 0) {
            return result;
        }
        run.inventory.held = &lock;
    }
    result = evict_locked(&run, error);
    run.report.passed = run.inventory.passed;
    inventory_release(&run.inventory);
    kept_release(&run.kept);
    free(run.order);
    *out_report = run.report;
    return result;
}

void evict_report_add(struct evict_report *report, const struct evict_report *before)
{
    report->blobs += before->blobs;
    report->manifests += before->manifests;
    report->bytes += before->bytes;
    report->links += before->links;
    report->repositories += before->repositories;
}

/* In the new process. */
static void evict_work(const struct proxy_options *options, struct store *store,
                       const struct evict_wish *wish)
{
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    struct evict_report report = {.used = 0};
    struct error error;
    int done = evict_run(options, store, wish, &report, &error);

    if (done < 0) {
        log_warning("making room in the cache: %s", error.message);
    } else if (report.passed.count > 0) {
        log_warning("making room in the cache: what cannot be looked at stays: %s",
                    report.passed.why.message);
    }
    if (done >= 0 && report.bytes > 0) {
        text_add_bytes(report.bytes, &bytes);
        log_info("the cache has lost %" PRIu64 " blobs and %" PRIu64 " manifests, %s", report.blobs,
                 report.manifests, bytes.data);
    }
    buffer_release(&bytes);
    _exit(done < 0);
}

void evict_start(const struct proxy_options *options, struct store *store,
                 const struct evict_wish *wish)
{
    int keep[] = {store->root, store->temporary};
    struct error error;
    int started = process_detach(keep, sizeof(keep) / sizeof(*keep), &error);

    if (started == 0) {
        evict_work(options, store, wish);
    }
    if (started < 0) {
        log_warning("making room in the cache: %s", error.message);
    }
}

void evict_when_due(const struct proxy_options *options, struct store *store)
{
    struct file_place place = {store->root, LAYOUT_EVICTED};
    struct evict_wish wish = {.room =
                                  options->maximum_size > 0 ? options->maximum_size : UINT64_MAX,
                              .spare = options->maximum_size / SPARE_PART,
                              .patience = EVICT_PATIENCE,
                              .wait = LOCK_TRY,
                              .is_trial = false};
    uint64_t interval = options->maximum_age / AGE_LOOKS;
    struct mark mark;
    struct error ignored;

    if (options->maximum_size == 0 && options->maximum_age == 0) {
        return;
    }
    interval = interval > OFTEN_SECONDS ? interval : OFTEN_SECONDS;
    interval = options->maximum_age == 0 ? COUNT_SECONDS
               : interval < AGE_SECONDS  ? interval
                                         : AGE_SECONDS;
    if (mark_is_due(place, interval, &mark, &ignored) > 0) {
        evict_start(options, store, &wish);
    }
}
