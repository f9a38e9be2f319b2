/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/fill/fetcher.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/local.h"
#include "lib/base/log.h"
#include "lib/base/process.h"
#include "lib/base/text.h"
#include "lib/observe/count/presence.h"
#include "lib/proxy/evict/evict.h"
#include "lib/proxy/evict/sweep.h"
#include "lib/proxy/fill/errand.h"
#include "lib/proxy/fill/filler.h"
#include "lib/proxy/fill/unsynced.h"
#include "lib/store/memo.h"

enum {
    IDLE_MILLISECONDS = 5000,
    QUIET_MILLISECONDS = 250,       /* without a fetch, before what is not synced is */
    LIFE_MILLISECONDS = 600 * 1000, /* then another process looks anew at names and certificates */
    READY_MILLISECONDS = 100,       /* until one that waits says so */
    HASTY_MILLISECONDS = 10,        /* the same, for a caller in haste */
    JOB_MILLISECONDS = 1000,        /* from then until it has been told what to fetch */
    DESCRIPTORS = 3,                /* of the lock and the slot */
};

static bool fetcher_is_allowed;

/* A pipe that nobody writes to. Who has started the fillers has its other end, and nobody else:
 * with him that is closed. */
static int fetcher_pipe[2] = {-1, -1};

void fetcher_allow(void)
{
    fetcher_is_allowed = true;
}

int fetcher_allow_for_now(struct error *error)
{
    if (pipe2(fetcher_pipe, O_CLOEXEC) < 0) {
        return error_errno(error, "make a pipe");
    }
    fetcher_is_allowed = true;
    return 0;
}

int fetcher_tether(void)
{
    return fetcher_pipe[0];
}

static void fetcher_describe_directory(int descriptor, struct buffer *out)
{
    struct stat status = {.st_ino = 0};

    (void)fstat(descriptor, &status);
    buffer_format(out, " %" PRIu64 ":%" PRIu64, (uint64_t)status.st_dev, (uint64_t)status.st_ino);
}

/* What has to be the same, as a key. False where that cannot be told. */
static bool fetcher_key(const struct upstream *upstream, bool is_for_all, struct digest *out)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    const struct digest *fingerprint = &upstream->options->fingerprint;

    buffer_format(&text, "%s %s %u", BERTH_VERSION, fingerprint->text, (unsigned)geteuid());
    fetcher_describe_directory(upstream->store->root, &text);
    fetcher_describe_directory(upstream->store->temporary, &text);
    buffer_format(&text, " %s", is_for_all ? "" : upstream->name);
    digest_of(DIGEST_SHA256, text.data, text.length, out);
    return *fingerprint->text != '\0';
}

struct fetcher_name {
    char text[LOCAL_NAME_SIZE];
};

static struct fetcher_name fetcher_name_of(const struct digest *key, unsigned n)
{
    struct fetcher_name name;

    (void)snprintf(name.text, sizeof(name.text), "berth-fetcher/%.40s/%u", digest_hex(key), n);
    return name;
}

/* The lines of a job: repository there, repository here, digest, Via. */
static void fetcher_write_job(const struct fill *fill, struct buffer *out)
{
    buffer_format(out, "%s\n%s\n%s\n%s\n", fill->name, fill->repository->name, fill->digest.text,
                  fill->upstream->via);
}

/* A connection to who has this name and is ready, or -1. */
static int fetcher_reach(const struct fetcher_name *name, int64_t milliseconds)
{
    AUTO_CLOSE int connection = local_connect(name->text);
    AUTO_BUFFER struct buffer ready = BUFFER_INIT;

    return connection >= 0 && local_receive(connection, milliseconds, &ready, NULL, 0)
               ? steal_descriptor(&connection)
               : -1;
}

int fetcher_find(const struct upstream *upstream, bool is_hasty)
{
    int64_t patience = is_hasty ? HASTY_MILLISECONDS : READY_MILLISECONDS;
    int64_t begun = clock_milliseconds();
    struct digest key;
    int connection = -1;

    if (!fetcher_key(upstream, false, &key)) {
        return -1;
    }
    for (unsigned n = 0; n < FETCHERS_OF_ONE && connection < 0; n++) {
        struct fetcher_name name = fetcher_name_of(&key, n);

        if (is_hasty && clock_milliseconds() - begun >= patience) {
            break;
        }
        connection = fetcher_reach(&name, patience);
    }
    return connection;
}

bool fetcher_give(int connection, const struct fill *fill, const struct lock *lock,
                  const struct slot *slot)
{
    int descriptors[DESCRIPTORS] = {lock->descriptor, slot->all.descriptor,
                                    slot->upstream.descriptor};
    AUTO_BUFFER struct buffer job = BUFFER_INIT;
    bool is_given;

    fetcher_write_job(fill, &job);
    is_given = connection >= 0 && local_send(connection, &job, descriptors, DESCRIPTORS);
    log_debug("%s a process that waits for %s", is_given ? "finds" : "does not find",
              fill->digest.text);
    return is_given;
}

/* What a process that stays fetches. */
struct fetcher {
    struct upstream upstream;
    struct repository repository;
    char name[NAME_SIZE];
    struct fill fill;
    struct lock lock;
    struct slot slot;
    int giver;            /* who has given it the fetch, or -1 */
    int asker;            /* who waits for an answer, or -1: it is a fetch */
    struct buffer errand; /* his question */
    int among_all;        /* a name of those that may stay, or -1: it has none yet */
    int64_t end;          /* in milliseconds */
};

static void fetcher_release(struct fetcher *fetcher)
{
    lock_release(&fetcher->lock);
    slot_release(&fetcher->slot);
    cleanup_close(&fetcher->giver);
    fetcher->giver = -1;
}

static bool fetcher_read_name(const struct buffer *job, unsigned line, char out[NAME_SIZE])
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    memo_line(job, line, &text);
    if (!name_is_valid(text.data) || text.length >= NAME_SIZE) {
        return false;
    }
    (void)snprintf(out, NAME_SIZE, "%s", text.data);
    return true;
}

static bool fetcher_read_job(struct fetcher *fetcher, const struct buffer *job)
{
    AUTO_BUFFER struct buffer digest = BUFFER_INIT;
    AUTO_BUFFER struct buffer via = BUFFER_INIT;
    struct error ignored;

    memo_line(job, 2, &digest);
    memo_line(job, 3, &via);
    (void)snprintf(fetcher->upstream.via, sizeof(fetcher->upstream.via), "%s", via.data);
    return fetcher_read_name(job, 0, fetcher->name) &&
           fetcher_read_name(job, 1, fetcher->repository.name) &&
           digest_parse(&fetcher->fill.digest, digest.data, &ignored) == 0;
}

/* One caller. False if it has given nothing. */
static bool fetcher_take_from(struct fetcher *fetcher, int *connection)
{
    AUTO_BUFFER struct buffer ready = BUFFER_INIT;
    AUTO_BUFFER struct buffer job = BUFFER_INIT;
    int descriptors[LOCAL_DESCRIPTOR_LIMIT];
    size_t count;

    buffer_add_text(&ready, "ready");
    if (!local_send(*connection, &ready, NULL, 0) ||
        !local_receive_any(*connection, JOB_MILLISECONDS, &job, descriptors, &count)) {
        return false;
    }
    if (count == 0 && text_begins(job.data, ERRAND_TITLE "\n")) {
        buffer_clear(&fetcher->errand);
        buffer_add(&fetcher->errand, job.data, job.length);
        fetcher->asker = steal_descriptor(connection);
        return true;
    }
    if (count != DESCRIPTORS) {
        for (size_t i = 0; i < count; i++) {
            (void)close(descriptors[i]);
        }
        return false;
    }
    fetcher->lock.descriptor = descriptors[0];
    fetcher->slot.all.descriptor = descriptors[1];
    fetcher->slot.upstream.descriptor = descriptors[2];
    fetcher->giver = steal_descriptor(connection);
    if (!fetcher_read_job(fetcher, &job)) {
        fetcher_release(fetcher);
        return false;
    }
    return true;
}

/* The first of the names that nobody has, or -1. */
static int fetcher_listen(const struct fetcher *fetcher, bool is_for_all, unsigned limit)
{
    struct digest key;
    int listener = -1;

    if (!fetcher_key(&fetcher->upstream, is_for_all, &key)) {
        return -1;
    }
    for (unsigned n = 0; n < limit && listener < 0; n++) {
        listener = local_listen(fetcher_name_of(&key, n).text);
    }
    return listener;
}

/* Waits for something to fetch. False if nothing came, or enough others wait. */
static bool fetcher_wait_until(struct fetcher *fetcher, int64_t end)
{
    AUTO_CLOSE int listener = -1;
    bool taken = false;

    if (fetcher->among_all < 0) {
        fetcher->among_all = fetcher_listen(fetcher, true, FETCHERS_OF_ALL);
    }
    if (fetcher->among_all >= 0) {
        listener = fetcher_listen(fetcher, false, FETCHERS_OF_ONE);
    }
    end = end < fetcher->end ? end : fetcher->end;
    while (listener >= 0 && !taken) {
        AUTO_CLOSE int caller =
            local_accept(listener, fetcher_tether(), end - clock_milliseconds());

        if (caller < 0) {
            return false;
        }
        taken = fetcher_take_from(fetcher, &caller);
    }
    return taken;
}

/* What need not be done while somebody waits for it. */
static void fetcher_clean(const struct fetcher *fetcher)
{
    unsynced_settle();
    sweep_cache(fetcher->upstream.store);
    evict_when_due(fetcher->upstream.options, fetcher->upstream.store);
}

/* The same for as long as a fetcher stays. Nobody finds it while it syncs: that may take long. */
static bool fetcher_wait(struct fetcher *fetcher)
{
    int64_t begin = clock_milliseconds();
    bool is_allowed = fetcher_is_allowed;

    if (is_allowed && unsynced_has_any() &&
        fetcher_wait_until(fetcher, begin + QUIET_MILLISECONDS)) {
        return true;
    }
    fetcher_clean(fetcher);
    return is_allowed && fetcher_wait_until(fetcher, begin + IDLE_MILLISECONDS);
}

static void fetcher_set_name(const char *name)
{
    (void)prctl(PR_SET_NAME, name);
}

static void fetcher_begin(struct fetcher *fetcher, const struct upstream *upstream)
{
    *fetcher = (struct fetcher){.upstream = *upstream,
                                .repository = {.store = upstream->store},
                                .lock = LOCK_INIT,
                                .slot = SLOT_INIT,
                                .giver = -1,
                                .asker = -1,
                                .errand = BUFFER_INIT,
                                .among_all = -1,
                                .end = clock_milliseconds() + LIFE_MILLISECONDS};
    fetcher->fill = (struct fill){
        .upstream = &fetcher->upstream, .repository = &fetcher->repository, .name = fetcher->name};
}

/* What it was given. False if it is not to be given anything more: what has failed here, and not at
 * the upstream, may do better in a new process. */
static bool fetcher_do(struct fetcher *fetcher)
{
    struct error error = ERROR_INIT;
    bool is_well;

    if (fetcher->asker >= 0) {
        process_serve(fetcher->asker, CLIENT_ENDS_WHEN_GONE);
        is_well = errand_serve(&fetcher->upstream, &fetcher->errand, fetcher->asker);
        process_serve(-1, CLIENT_ENDS_WHEN_GONE);
        cleanup_close(&fetcher->asker);
        fetcher->asker = -1;
    } else {
        presence_change(PRESENCE_FILLING);
        is_well =
            filler_run(&fetcher->fill, &fetcher->giver, &error) == 0 || !error_is_ours(&error);
        fetcher_release(fetcher);
        presence_change(PRESENCE_KEPT);
    }
    return is_well;
}

/* One job after the other. */
static _Noreturn void fetcher_live(struct fetcher *fetcher)
{
    char own_name[32] = "berth";

    (void)prctl(PR_GET_NAME, own_name);
    presence_enter(PRESENCE_KEPT);
    for (;;) {
        bool is_well = fetcher_do(fetcher);

        fetcher_set_name(FETCHER_NAME);
        if (!is_well) {
            unsynced_settle();
        }
        if (!is_well || !fetcher_wait(fetcher)) {
            presence_leave();
            _exit(is_well ? 0 : 1);
        }
        fetcher_set_name(own_name);
    }
}

_Noreturn void fetcher_run(const struct fill *fill, struct lock *lock, struct slot *slot)
{
    struct fetcher fetcher;

    fetcher_begin(&fetcher, fill->upstream);
    fetcher.repository = *fill->repository;
    fetcher.lock = *lock;
    fetcher.slot = *slot;
    fetcher.fill.digest = fill->digest;
    (void)snprintf(fetcher.name, sizeof(fetcher.name), "%s", fill->name);
    fetcher_live(&fetcher);
}

/* A new process with an errand. A connection to it, or -1. */
static int fetcher_start(const struct upstream *upstream, const struct buffer *job)
{
    struct digest key;
    int ends[2];
    struct error ignored;
    int started;

    if (!fetcher_key(upstream, false, &key) || local_pair(ends, &ignored) < 0) {
        return -1; /* nobody would find it */
    }
    started = process_detach(
        (int[]){ends[1], upstream->store->root, upstream->store->temporary, fetcher_tether()}, 4,
        &ignored);
    if (started == 0) {
        struct fetcher fetcher;

        fetcher_begin(&fetcher, upstream);
        fetcher.asker = ends[1];
        buffer_add(&fetcher.errand, job->data, job->length);
        fetcher_live(&fetcher);
    }
    (void)close(ends[1]);
    if (started < 0) {
        (void)close(ends[0]);
    }
    return started < 0 ? -1 : ends[0];
}

/* Waits for an answer. False if the client has gone, or nobody is at work on it. */
static bool fetcher_is_answered(const struct upstream *upstream, int connection)
{
    enum { LOOK_MILLISECONDS = 100 };
    int64_t end = clock_milliseconds() + upstream_patience(upstream);

    while (clock_milliseconds() < end && !process_is_deserted() && !local_is_stopped(connection)) {
        if (local_is_ready(connection, LOOK_MILLISECONDS)) {
            return true;
        }
    }
    return false;
}

int fetcher_ask(const struct upstream *upstream, const struct question *question,
                struct answer *out_answer, struct report *report, struct error *error)
{
    AUTO_BUFFER struct buffer job = BUFFER_INIT;
    AUTO_CLOSE int connection = -1;
    int64_t begun = clock_milliseconds();
    int found = ERRAND_LOST;

    if (fetcher_is_allowed) {
        errand_write(upstream, question, &job);
        connection = fetcher_find(upstream, false);
        if (connection < 0 || !local_send(connection, &job, NULL, 0)) {
            cleanup_close(&connection);
            connection = fetcher_start(upstream, &job);
        }
    }
    if (connection >= 0 && fetcher_is_answered(upstream, connection)) {
        out_answer->request.upstream = upstream_section(upstream); /* for messages */
        found = errand_take(connection, out_answer, report, error);
        report_waited(report, WAIT_UPSTREAM, begun);
    }
    if (found == ERRAND_LOST && process_is_deserted()) {
        return error_set(error, ERROR_CLIENT_GONE, "the client has gone");
    }
    return found == ERRAND_LOST ? question_ask(upstream, question, out_answer, report, error)
                                : found;
}
