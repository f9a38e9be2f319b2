/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/fill/fill.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/local.h"
#include "lib/base/lock.h"
#include "lib/base/process.h"
#include "lib/base/text.h"
#include "lib/observe/count/presence.h"
#include "lib/proxy/fill/fetcher.h"
#include "lib/proxy/fill/slot.h"
#include "lib/proxy/fill/successor.h"
#include "lib/store/blob.h"
#include "lib/store/settle.h"

enum {
    SHORT_PAUSE = 2, /* milliseconds between two looks at the file */
    LONG_PAUSE = 20,
    CALM_PAUSE = 100,    /* where the end is noticed and how far it is need not be known sooner */
    GATHER_PAUSE = 1,    /* for some more to come: to be woken for each write costs both sides */
    LOOK_INTERVAL = 250, /* milliseconds between two looks at the filler */
    BLIND_LOOKS = 3,     /* of one reader that the disk may fail */
    RESTART_LIMIT = 5,   /* fillers that one reader starts */
    EMPTY_LIMIT = 500,   /* reads that find nothing where there should be something */
    END_WAIT = 2000,     /* milliseconds worth waiting for the web server to take over */
    END_SAMPLE = 100,    /* milliseconds after which the speed is judged */
    HURRY_WAIT = 150,    /* milliseconds that a worker waits instead of starting a process */
    HURRY_LOOK = 10,     /* milliseconds between two looks whether another one is idle */
    HURRY_LOOKS = 2,     /* in a row that find a client whom no idle one has taken */
};

static int fill_is_stored(const struct fill *fill, struct error *error)
{
    uint64_t size;

    return blob_is_stored(fill->upstream->store, &fill->digest, &size, error);
}

bool fill_size(const struct fill *fill, uint64_t *out_size)
{
    uint64_t size;

    /* In this order: what is known now may be there before another fetch's owner is. */
    if (!partial_total(fill, &size) || !partial_may_read(fill)) {
        return false;
    }
    *out_size = size;
    return true;
}

/* Has the fetch taken over by one that waits: the one that was found already, or any. */
static bool fill_give(struct fill_view *view, const struct lock *lock, const struct slot *slot)
{
    AUTO_CLOSE int found = -1;

    if (view->fetcher >= 0) {
        view->has_waited = fetcher_give(view->fetcher, &view->fill, lock, slot);
        return view->has_waited;
    }
    found = fetcher_find(view->fill.upstream, false);
    return fetcher_give(found, &view->fill, lock, slot);
}

/* Finds or starts a filler that takes over `lock`. */
static int fill_start_filler(struct fill_view *view, struct lock *lock, struct error *error)
{
    const struct fill *fill = &view->fill;
    struct store *store = fill->upstream->store;
    struct slot slot = SLOT_INIT;
    int keep[6];
    int started;
    int taken = slot_take(&slot, SLOT_FILLING, fill->upstream, error);

    if (taken <= 0) {
        return taken < 0
                   ? -1
                   : error_set(error, ERROR_TOO_MANY_REQUESTS, "too many blobs are being fetched");
    }
    if (partial_prepare(fill, error) < 0) {
        slot_release(&slot);
        return -1;
    }
    if (fill_give(view, lock, &slot) || view->fetcher >= 0) {
        slot_release(&slot);
        return 0;
    }
    keep[0] = lock->descriptor;
    keep[1] = slot.all.descriptor;
    keep[2] = slot.upstream.descriptor;
    keep[3] = store->root;
    keep[4] = store->temporary;
    keep[5] = fetcher_tether();
    started = process_detach(keep, sizeof(keep) / sizeof(*keep), error);
    if (started == 0) {
        fetcher_run(fill, lock, &slot);
    }
    slot_release(&slot);
    return started < 0 ? -1 : 0;
}

/* Why the fetch that this reader waits for has failed, if it has. What an earlier one has left is
 * none of his, however long who begins anew takes to remove it. */
static bool fill_read_failure(const struct fill_view *view, struct report *report,
                              struct error *error)
{
    uint64_t number = partial_failure_number(&view->fill);

    return number != 0 && number != view->earlier && partial_failure(&view->fill, report, error);
}

/* What has just failed for this reader is for it to tell, not to try again. */
static bool fill_has_failed(const struct fill_view *view)
{
    struct report report = REPORT_INIT;
    struct error ignored;
    bool failed = view->has_waited && fill_read_failure(view, &report, &ignored);

    report_release(&report);
    return failed;
}

static int fill_get_stuck(struct fill_view *view, struct error *error)
{
    view->is_stuck = true;
    return error_set(error, ERROR_UPSTREAM, "nobody goes on with the fetch of the blob");
}

/*
 * Whether there was no sign of life for too long: a question and its answer, with the pause before
 * it and the silence behind it. Who comes later, as does whoever nginx sends a second time, need
 * not wait for as long again: what was before tell the dates.
 */
static bool fill_is_lifeless(struct fill_view *view)
{
    uint64_t life = partial_life_number(&view->fill);
    int64_t now = clock_milliseconds();

    if (view->alive == 0) {
        view->life = life;
        view->alive = now - (int64_t)partial_silence(&view->fill) * 1000;
    } else if (life != view->life) {
        view->life = life;
        view->alive = now;
    }
    return now - view->alive > upstream_patience(view->fill.upstream) * 3 / 2;
}

/*
 * Sees to it that somebody is filling: if the lock can be had, nobody is. 1 if the blob is there
 * meanwhile, 0, -1.
 */
static int fill_ensure_filler(struct fill_view *view, struct error *error)
{
    const struct fill *fill = &view->fill;
    struct path path = partial_place(fill, "lock");
    struct file_place place = {fill->upstream->store->temporary, path.text};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    enum lock_result result = lock_take_or_make(&lock, place, LOCK_TRY, error);
    int stored;

    if (result == LOCK_FAILED && store_mends(fill->upstream->store, errno)) {
        place.directory = fill->upstream->store->temporary;
        result = lock_take_or_make(&lock, place, LOCK_TRY, error);
    }
    if (result != LOCK_TAKEN) {
        return result == LOCK_BUSY ? 0 : -1;
    }
    stored = fill_is_stored(fill, error); /* the last filler may have finished just now */
    if (stored > 0) {
        partial_discard(fill); /* it has removed its own: this is what taking the lock has made */
    }
    if (stored != 0) {
        return stored;
    }
    if (fill_has_failed(view) || (!view->is_reading && !partial_may_join(fill))) {
        return 0; /* since the last look: the next one will see it */
    }
    if (view->restarts >= RESTART_LIMIT) {
        return fill_get_stuck(view, error);
    }
    if (fill_start_filler(view, &lock, error) < 0) {
        return -1;
    }
    view->restarts++;
    return 0;
}

void fill_start(const struct fill *fill)
{
    struct fill_view view = FILL_VIEW_INIT;
    struct error ignored;

    view.fill = *fill;
    if (partial_may_join(fill)) {
        (void)fill_ensure_filler(&view, &ignored);
    }
}

/*
 * Waits for what was given to a fetcher. True if that has come to an end. An idle worker may be
 * another pool's, or stopped, or a number that has another process by now: so we look as well
 * whether clients of ours wait for one.
 */
static bool fill_await(const struct fill_view *view)
{
    int64_t end = clock_milliseconds() + HURRY_WAIT;
    int wanted = 0;

    do {
        if (local_is_ready(view->fetcher, HURRY_LOOK)) {
            return true;
        }
        wanted = process_is_wanted() ? wanted + 1 : 0;
    } while (clock_milliseconds() < end && wanted < HURRY_LOOKS && presence_is_any(PRESENCE_IDLE));
    return false;
}

enum fill_result fill_hurry(const struct fill *fill, bool *out_in_vain, struct report *report,
                            struct error *error)
{
    struct fill_view view = FILL_VIEW_INIT;
    AUTO_CLOSE int fetcher = -1;
    struct error ignored;
    uint64_t size;
    int stored;

    *out_in_vain = false;
    if (!presence_is_any(PRESENCE_IDLE) || !partial_may_join(fill)) {
        return FILL_LATE;
    }
    fetcher = fetcher_find(fill->upstream, true);
    view.fill = *fill;
    view.fetcher = fetcher;
    stored = fetcher < 0 ? -1 : fill_ensure_filler(&view, &ignored);
    if (stored != 0 || !view.has_waited) {
        return stored > 0 ? FILL_STORED : FILL_LATE;
    }
    *out_in_vain = !fill_await(&view);
    if (fill_is_stored(fill, &ignored) > 0) {
        *out_in_vain = false;
        return FILL_STORED;
    }
    if (*out_in_vain || !partial_failure(fill, report, error)) {
        return !*out_in_vain && partial_total(fill, &size) && size > FILL_SMALL ? FILL_GROWING
                                                                                : FILL_LATE;
    }
    return error->code == ERROR_BLOB_UNKNOWN ? FILL_ABSENT : FILL_FAILED;
}

static bool fill_open_data(struct fill_view *view)
{
    struct store *store = view->fill.upstream->store;
    struct path path = partial_place(&view->fill, "data");

    if (!partial_total(&view->fill, &view->size)) {
        return false;
    }
    view->found = partial_found(&view->fill);
    view->descriptor = openat(store->temporary, path.text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    view->is_local = view->descriptor >= 0 && file_is_local(view->descriptor);
    return view->descriptor >= 0;
}

/*
 * Each look may find the blob, a failure, or the growing file; the first one, and then one now and
 * then, also another's fetch, or nobody at work: a filler's every step in the directory makes those
 * who wait look. False if it decides nothing.
 */
static bool fill_look(struct fill_view *view, enum fill_result *out_result, struct report *report,
                      struct error *error)
{
    int stored = fill_is_stored(&view->fill, error);
    int64_t now = clock_milliseconds();
    bool is_thorough = !view->has_waited || now - view->looked >= LONG_PAUSE;

    if (is_thorough) {
        view->looked = now;
    }
    if (!view->has_waited) { /* and before we look whether somebody is at work */
        view->earlier = partial_failure_number(&view->fill);
    }
    if (stored == 0 && view->has_waited && fill_read_failure(view, report, error)) {
        *out_result = error->code == ERROR_BLOB_UNKNOWN ? FILL_ABSENT : FILL_FAILED;
        return true;
    }
    if (stored == 0 && is_thorough && !partial_may_join(&view->fill)) {
        *out_result = FILL_FOREIGN;
        return true;
    }
    if (stored == 0 && is_thorough) {
        stored = fill_ensure_filler(view, error);
    }
    if (stored != 0) {
        *out_result = stored < 0 ? FILL_FAILED : FILL_STORED;
        return true;
    }
    if (view->has_waited && fill_open_data(view)) {
        /* Once more, since another fetch may have begun before the file was opened. What is then
         * the case, or has come of that one, the next looks will tell. */
        view->is_reading = partial_may_read(&view->fill);
        if (view->is_reading) {
            *out_result = FILL_GROWING;
            return true;
        }
        fill_close(view);
    }
    view->has_waited = true;
    return false;
}

static void fill_pause(struct fill_view *view, int64_t *pause, int64_t longest)
{
    watch_wait(&view->watch, *pause);
    *pause = *pause * 2 < longest ? *pause * 2 : longest;
}

/* Until something is new in the directory, or the pause is over, which becomes longer: what a
 * filler does on another host, or did before we watched, has to be looked for. */
static void fill_wait(struct fill_view *view, int64_t *pause)
{
    struct path directory = partial_directory(&view->fill);

    watch_open(&view->watch, view->fill.upstream->store->temporary, directory.text);
    fill_pause(view, pause, LONG_PAUSE);
}

/* The same for who waits for the end: a crowd that each write wakes keeps the filler from the next
 * one. */
static void fill_wait_calmly(struct fill_view *view, int64_t *pause)
{
    struct path directory = partial_directory(&view->fill);

    watch_open_names(&view->watch, view->fill.upstream->store->temporary, directory.text);
    fill_pause(view, pause, view->is_local ? CALM_PAUSE : LONG_PAUSE);
}

enum fill_result fill_join(struct fill_view *out_view, const struct fill *fill,
                           struct report *report, struct error *error)
{
    enum fill_result result;
    int64_t pause = SHORT_PAUSE;

    *out_view = (struct fill_view)FILL_VIEW_INIT;
    out_view->fill = *fill;
    while (!fill_look(out_view, &result, report, error)) {
        if (process_is_deserted()) {
            (void)error_set(error, ERROR_CLIENT_GONE, "the client has gone");
            result = FILL_FAILED;
            break;
        }
        if (fill_is_lifeless(out_view)) {
            result = FILL_LATE;
            break;
        }
        fill_wait(out_view, &pause);
    }
    if (out_view->is_stuck) {
        result = FILL_LATE;
    }
    if (result != FILL_GROWING) {
        fill_close(out_view);
    }
    out_view->looked = clock_milliseconds();
    return result;
}

uint64_t fill_available(const struct fill_view *view)
{
    struct stat status;

    return fstat(view->descriptor, &status) == 0 ? (uint64_t)status.st_size : 0;
}

/* A disk that stumbles once cuts nobody short. */
static bool fill_may_look_again(struct fill_view *view)
{
    return ++view->blind <= BLIND_LOOKS;
}

/*
 * Whether the blob is there, made of the file that we are reading. If it is not, since it was not
 * kept, or has made room already, or if another upstream has sent it, ours is as good as that once
 * its digest is verified: which its filler says by a claim or a mark (lib/store/settle).
 */
static int fill_check_complete(struct fill_view *view, struct error *error)
{
    struct store *store = view->fill.upstream->store;
    enum blob_match match = blob_match(store, &view->fill.digest, view->descriptor, error);

    switch (match) {
    case BLOB_MATCH_FAILED:
        return fill_may_look_again(view) ? 0 : -1;
    case BLOB_SAME:
        view->complete = true;
        return 0;
    case BLOB_ABSENT:
    case BLOB_OTHER:
        view->is_overtaken |= match == BLOB_OTHER;
        view->complete =
            settle_is_vouched_for(view->descriptor) && fill_available(view) == view->size;
        return 0;
    }
    return -1;
}

/* The fetch has started over, with a file of its own: as soon as that has more than was read here,
 * it is read on, if it begins alike. Until then others may bring the blob. */
static int fill_follow(struct fill_view *view, uint64_t offset, struct error *error)
{
    struct successor_reader reader = {view->descriptor, offset, view->size};
    enum successor found = successor_take_data(&view->fill, &reader);

    if (found == SUCCESSOR_OTHER) {
        return error_set(error, ERROR_UPSTREAM, "the fetch of the blob had to start over");
    }
    view->found = found == SUCCESSOR_TAKEN ? partial_found(&view->fill) : view->found;
    return 0;
}

/* When the fetch has broken off, another one may have brought the blob. What the upstream refuses
 * to this repository, none has brought for it. */
static bool fill_turn_to_blob(struct fill_view *view, uint64_t offset, const struct error *error)
{
    struct successor_reader reader = {view->descriptor, offset, view->size};

    view->complete = (error_is_upstreams(error) || error_is_ours(error)) &&
                     successor_take_blob(&view->fill, &reader) == SUCCESSOR_TAKEN;
    return view->complete;
}

/* Whether it makes sense to wait on. */
static int fill_check_filler(struct fill_view *view, uint64_t offset, struct error *error)
{
    struct store *store = view->fill.upstream->store;
    struct path data = partial_place(&view->fill, "data");
    struct report report = REPORT_INIT;
    bool failed;
    int stored;

    if (clock_milliseconds() - view->looked < LOOK_INTERVAL) {
        return 0;
    }
    view->looked = clock_milliseconds();
    if (process_is_deserted()) {
        return error_set(error, ERROR_CLIENT_GONE, "the client has gone");
    }
    failed = fill_read_failure(view, &report, error);
    report_release(&report);
    if (failed) { /* but perhaps only to keep it, and since the last look */
        struct error ignored;

        if (fill_check_complete(view, &ignored) == 0 && view->complete) {
            return 0;
        }
        view->is_stuck |= error_is_ours(error); /* the upstream still has it */
        return -1;
    }
    if (view->is_stuck || fill_is_lifeless(view)) {
        return fill_get_stuck(view, error);
    }
    stored = fill_ensure_filler(view, error);
    if (stored < 0) {
        bool may_come = error->code == ERROR_TOO_MANY_REQUESTS ||
                        (error_is_ours(error) && fill_may_look_again(view));

        return may_come ? 0 : -1;
    }
    if (fill_check_complete(view, error) < 0) {
        return -1;
    }
    if (!view->complete && stored > 0 && view->is_overtaken) { /* and ours has died */
        return error_set(error, ERROR_UPSTREAM, "another fetch of the blob came first");
    }
    if (!view->complete &&
        file_is_same(view->descriptor, (struct file_place){store->temporary, data.text}, error) ==
            0 &&
        fill_check_complete(view, error) == 0 && !view->complete) {
        return fill_follow(view, offset, error);
    }
    return 0;
}

/* Up to where the reader may have what there is. */
static uint64_t fill_limit(const struct fill_view *view, uint64_t offset, uint64_t available)
{
    uint64_t limit = view->size > FILL_HELD_BACK ? view->size - FILL_HELD_BACK : 0;

    if (view->is_part && offset < view->found) {
        limit = 0;
    }
    return view->complete || limit > available ? available : limit;
}

ssize_t fill_wait_for(struct fill_view *view, uint64_t offset, struct error *error)
{
    int64_t pause = SHORT_PAUSE;

    for (;;) {
        uint64_t available = fill_available(view);
        uint64_t limit = fill_limit(view, offset, available);

        if (view->complete && available > view->size) {
            return error_set(error, ERROR_UPSTREAM, "the blob is longer than announced");
        }
        if (limit > offset) {
            return (ssize_t)(limit - offset);
        }
        if (view->complete && (available > 0 || !fill_may_look_again(view))) {
            return error_set(error, ERROR_UPSTREAM, "the blob is shorter than announced");
        }
        if (available >= view->size && fill_check_complete(view, error) < 0) {
            return -1;
        }
        if (!view->complete && fill_check_filler(view, offset, error) < 0 &&
            !fill_turn_to_blob(view, offset, error)) {
            return -1;
        }
        if (!view->complete) {
            fill_wait(view, &pause);
        }
        if (view->size >
            available + (uint64_t)2 * FILL_HELD_BACK) { /* not for the end: that is waited for */
            clock_pause(GATHER_PAUSE);
        }
    }
}

ssize_t fill_read(struct fill_view *view, uint64_t offset, void *bytes, size_t size,
                  struct error *error)
{
    for (int empty_reads = 0;; empty_reads++) {
        ssize_t ready = fill_wait_for(view, offset, error);
        ssize_t got;

        if (ready < 0) {
            return -1;
        }
        got = file_read_at(view->descriptor, offset, bytes,
                           (size_t)ready < size ? (size_t)ready : size, error);
        /* On a network filesystem the size may be known before the bytes. */
        if (got != 0 || empty_reads == EMPTY_LIMIT) {
            return got;
        }
        clock_pause(SHORT_PAUSE);
    }
}

static bool fill_comes_to_its_end(struct fill_view *view)
{
    bool is_far = view->restarts > 0 && view->size > FILL_SMALL;
    int64_t begin = clock_milliseconds();
    uint64_t first = fill_available(view);
    int64_t pause = SHORT_PAUSE;
    struct error ignored;

    for (;;) {
        int64_t elapsed = clock_milliseconds() - begin;
        uint64_t available = fill_available(view);
        uint64_t gained = available - (available > first ? first : available);

        if (fill_check_complete(view, &ignored) < 0 || view->complete || view->is_overtaken) {
            return fill_is_stored(&view->fill, &ignored) > 0;
        }
        if (elapsed > END_WAIT || is_far) {
            return false;
        }
        if (elapsed > END_SAMPLE) {
            uint64_t missing = view->size > available ? view->size - available : 0;

            if (gained == 0 || missing * (uint64_t)elapsed / gained > END_WAIT) {
                return false;
            }
        }
        fill_wait_calmly(view, &pause);
    }
}

bool fill_wait_for_end(struct fill_view *view)
{
    bool has_ended;

    watch_close(&view->watch); /* what fill_join() has watched was more */
    has_ended = fill_comes_to_its_end(view);
    watch_close(&view->watch); /* and so will be what readers have to */
    return has_ended;
}

void fill_close(struct fill_view *view)
{
    watch_close(&view->watch);
    cleanup_close(&view->descriptor);
    view->descriptor = -1;
}
