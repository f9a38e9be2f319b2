/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/events.h"

#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/process.h"
#include "lib/observe/delivery.h"
#include "lib/oci/pattern.h"
#include "lib/store/revision.h"

static bool webhook_wants(const struct webhook_options *webhook, enum event_kind kind,
                          const char *repository)
{
    for (size_t i = 0; i < webhook->events.count; i++) {
        if (strcmp(webhook->events.names[i], event_words[kind]) == 0) {
            return webhook->repositories.count == 0 ||
                   patterns_match(&webhook->repositories, repository, NULL);
        }
    }
    return false;
}

bool events_are_wanted(const struct events_options *options, enum event_kind kind,
                       const char *repository)
{
    for (size_t i = 0; i < options->webhook_count; i++) {
        if (webhook_wants(&options->webhooks[i], kind, repository)) {
            return true;
        }
    }
    return false;
}

enum event_kind events_kind(const struct actor_deed *deed)
{
    switch (deed->act) {
    case ACT_PUT:
        break;
    case ACT_DELETE:
        return EVENT_DELETE;
    case ACT_RETIRE:
        return EVENT_RETENTION;
    }
    return EVENT_PUSH;
}

void events_describe(struct event *event, const struct actor_deed *deed)
{
    AUTO_STORED_MANIFEST struct stored_manifest manifest = STORED_MANIFEST_INIT;
    struct error ignored;

    event_begin(event, events_kind(deed), clock_date_nanoseconds());
    EVENT_SET(event, tag, deed->tag);
    EVENT_SET(event, digest, deed->digest ? deed->digest->text : NULL);
    if (deed->act == ACT_PUT && deed->digest &&
        revision_read(deed->repository, deed->digest, &manifest, &ignored) > 0) {
        EVENT_SET(event, media_type, manifest.media_type);
        event->size = manifest.size;
    }
}

int events_raise(struct store *store, const struct events_options *options,
                 const struct event *event, struct error *error)
{
    /* A pull changes nothing: a power cut may lose word of it. Else from the top: nobody has synced
     * these directories when the store was opened. */
    bool changes = event->kind != EVENT_PULL && event->kind != EVENT_FILL;
    AUTO_SYNC_SET struct sync_set syncs = {.root = changes ? store->root : -1,
                                           .memory = &store->synced,
                                           .in_order = store->keeps_order};
    uint64_t number = spool_number(store);
    struct error ignored;
    int result = 0;

    for (size_t i = 0; i < options->webhook_count; i++) {
        const struct webhook_options *webhook = &options->webhooks[i];
        struct spool spool = {store, webhook->name};
        int kept;

        if (!webhook_wants(webhook, event->kind, event->repository)) {
            continue;
        }
        kept = spool_add(&spool, event, number, &syncs, error);
        if (kept < 0) {
            result = -1; /* the others are told all the same */
        }
        if (kept == 0) {
            log_warning("[webhook %s] %d events wait already: %s of %s is not kept", webhook->name,
                        SPOOL_LIMIT, event_words[event->kind], event->repository);
        }
    }
    return sync_set_flush(&syncs, result < 0 ? &ignored : error) < 0 ? -1 : result;
}

/* A process of its own, which takes over the lock. */
static void webhook_start(struct delivery *delivery)
{
    struct store *store = delivery->spool.store;
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error error;
    int started = -1;

    if (delivery_delay(delivery) > 0) {
        return;
    }
    switch (spool_lock(&delivery->spool, &lock, &error)) {
    case LOCK_TAKEN:
        started = process_detach((const int[]){lock.descriptor, store->root, store->temporary}, 3,
                                 &error);
        break;
    case LOCK_BUSY: /* he looks again when he has let go of it */
    case LOCK_ABSENT:
        return;
    case LOCK_FAILED:
        break;
    }
    if (started == 0) {
        log_debug("delivers to [webhook %s]", delivery->webhook->name);
        delivery_run(delivery, &lock);
        _exit(0);
    }
    if (started < 0) {
        log_warning("[webhook %s] %s", delivery->webhook->name, error.message);
    }
}

void events_start(struct store *store, const struct events_options *options)
{
    for (size_t i = 0; i < options->webhook_count; i++) {
        const struct webhook_options *webhook = &options->webhooks[i];
        struct delivery delivery = {
            .spool = {store, webhook->name}, .webhook = webhook, .options = options};

        webhook_start(&delivery);
    }
}

static int webhook_count(const struct spool *spool, struct events_report *report,
                         struct error *error)
{
    AUTO_NAMES struct names waiting = NAMES_INIT;
    AUTO_NAMES struct names failed = NAMES_INIT;

    if (spool_list(spool, SPOOL_WAITING, &waiting, error) < 0 ||
        spool_list(spool, SPOOL_FAILED, &failed, error) < 0) {
        return -1;
    }
    report->waiting += waiting.count;
    report->failed += failed.count;
    return 0;
}

int events_deliver(struct store *store, const struct events_options *options,
                   struct events_report *report, struct error *error)
{
    int result = 0;

    for (size_t i = 0; i < options->webhook_count; i++) {
        const struct webhook_options *webhook = &options->webhooks[i];
        struct delivery delivery = {
            .spool = {store, webhook->name}, .webhook = webhook, .options = options};
        AUTO_LOCK struct lock lock = LOCK_INIT;
        enum lock_result locked = LOCK_BUSY;

        if (delivery_delay(&delivery) == 0) {
            locked = spool_lock(&delivery.spool, &lock, error);
        }
        if (locked == LOCK_FAILED ||
            (locked == LOCK_TAKEN && delivery_pass(&delivery, &lock, error) < 0)) {
            result = -1; /* the others get theirs all the same */
        }
        lock_release(&lock);
        report->delivered += delivery.delivered;
        if (webhook_count(&delivery.spool, report, error) < 0) {
            result = -1;
        }
    }
    return result;
}

static int spool_resend_from(const struct spool *spool, enum spool_place place, const char *id,
                             uint64_t *count, struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;

    if (spool_list(spool, place, &names, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count; i++) {
        struct spool_entry entry;
        int moved = 1;

        if (!spool_entry_parse(names.names[i], &entry) || (id && strcmp(entry.id, id) != 0)) {
            continue;
        }
        if (place == SPOOL_FAILED) {
            moved = spool_return(spool, entry.name, error);
        } else {
            spool_postpone(spool, entry.name, 0);
        }
        if (moved < 0) {
            return -1;
        }
        *count += moved > 0;
    }
    return 0;
}

/* Under the lock: who delivers at the same time might postpone again what is to be tried now. */
static int webhook_resend(const struct spool *spool, const char *id, uint64_t *count,
                          struct error *error)
{
    AUTO_LOCK struct lock lock = LOCK_INIT;
    uint64_t before = *count;

    if (spool_await_lock(spool, &lock, error) < 0 ||
        (id && spool_resend_from(spool, SPOOL_WAITING, id, count, error) < 0) ||
        spool_resend_from(spool, SPOOL_FAILED, id, count, error) < 0) {
        return -1;
    }
    if (*count > before) {
        (void)spool_forget_note(spool);
    }
    return 0;
}

int events_resend(struct store *store, const char *id, uint64_t *out_count, struct error *error)
{
    AUTO_NAMES struct names receivers = NAMES_INIT;
    int result = 0;

    *out_count = 0;
    if (spool_list_receivers(store, &receivers, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < receivers.count; i++) {
        struct spool spool = {store, receivers.names[i]};

        if (webhook_resend(&spool, id, out_count, error) < 0) {
            result = -1; /* the others get theirs all the same */
        }
    }
    return result;
}
