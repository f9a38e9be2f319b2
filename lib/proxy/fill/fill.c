/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/fill/fill.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/lock.h"
#include "lib/base/process.h"
#include "lib/base/text.h"
#include "lib/proxy/fill/slot.h"
#include "lib/store/blob.h"
#include "lib/store/memo.h"

enum {
    HELD_BACK = 64 * 1024, /* bytes at the end, until the digest is verified */
    SHORT_PAUSE = 2,       /* milliseconds between two looks at the file */
    LONG_PAUSE = 20,
    LOOK_INTERVAL = 250, /* milliseconds between two looks at the filler */
    RESTART_LIMIT = 20,  /* fillers that one reader starts */
    EMPTY_LIMIT = 500,   /* reads that find nothing where there should be something */
    END_WAIT = 700,      /* milliseconds worth waiting for the web server to take over */
    END_SAMPLE = 200,    /* milliseconds after which the speed is judged */
};

static int is_stored(const struct fill *fill, struct error *error)
{
    uint64_t size;

    return blob_is_stored(fill->upstream->store, &fill->digest, &size, error);
}

/* In the new process: downloads, holding the lock and a slot, and ends. */
static void run_filler(const struct fill *fill)
{
    struct error error;

    _exit(filler_run(fill, &error) < 0 ? 1 : 0);
}

/* Starts a filler that takes over `lock`. */
static int start_filler(const struct fill *fill, const struct lock *lock, struct error *error)
{
    struct store *store = fill->upstream->store;
    struct path failed = filler_place(fill, "failed");
    struct slot slot = SLOT_INIT;
    int keep[5];
    int started;
    int taken = slot_take(&slot, store, "_fills", fill->upstream->options->maximum_waiting, error);

    if (taken <= 0) {
        return taken < 0
                   ? -1
                   : error_set(error, ERROR_TOO_MANY_REQUESTS, "too many blobs are being fetched");
    }
    memo_forget((struct file_place){store->temporary, failed.text});
    keep[0] = lock->descriptor;
    keep[1] = slot.all.descriptor;
    keep[2] = slot.upstream.descriptor;
    keep[3] = store->root;
    keep[4] = store->temporary;
    started = process_detach(keep, sizeof(keep) / sizeof(*keep), error);
    if (started == 0) {
        run_filler(fill);
    }
    slot_release(&slot);
    return started < 0 ? -1 : 0;
}

/*
 * Sees to it that somebody is filling: if the lock can be had, nobody is. 1 if the blob is there
 * meanwhile, 0, -1.
 */
static int ensure_filler(struct fill_view *view, struct error *error)
{
    const struct fill *fill = &view->fill;
    struct store *store = fill->upstream->store;
    struct path path = filler_place(fill, "lock");
    struct file_place place = {store->temporary, path.text};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    enum lock_result result;
    int stored;

    result = lock_take_or_make(&lock, place, LOCK_TRY, error);
    if (result != LOCK_TAKEN) {
        return result == LOCK_BUSY ? 0 : -1;
    }
    stored = is_stored(fill, error); /* the last filler may have finished just now */
    if (stored > 0) {
        filler_discard(fill); /* it has removed its own: this is what taking the lock has made */
    }
    if (stored != 0) {
        return stored;
    }
    if (view->restarts++ >= RESTART_LIMIT) {
        return error_set(error, ERROR_UPSTREAM, "fetching the blob fails again and again");
    }
    return start_filler(fill, &lock, error);
}

static bool open_data(struct fill_view *view)
{
    struct store *store = view->fill.upstream->store;
    struct path path = filler_place(&view->fill, "data");

    if (!fill_peek(store, view->fill.upstream, &view->fill.digest, &view->size)) {
        return false;
    }
    view->descriptor = openat(store->temporary, path.text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return view->descriptor >= 0;
}

/* Each look may find the blob, a failure, the growing file, or nobody at work. */
static enum fill_result look(struct fill_view *view, bool joined, struct report *report,
                             struct error *error, bool *out_decided)
{
    int stored = is_stored(&view->fill, error);

    *out_decided = true;
    if (stored != 0) {
        return stored < 0 ? FILL_FAILED : FILL_STORED;
    }
    if (joined && filler_failure(&view->fill, report, error)) {
        return error->code == ERROR_BLOB_UNKNOWN ? FILL_ABSENT : FILL_FAILED;
    }
    if (joined && open_data(view)) {
        return FILL_GROWING;
    }
    stored = ensure_filler(view, error);
    if (stored != 0) {
        return stored < 0 ? FILL_FAILED : FILL_STORED;
    }
    *out_decided = false;
    return FILL_GROWING;
}

enum fill_result fill_join(struct fill_view *out_view, const struct fill *fill,
                           struct report *report, struct error *error)
{
    bool joined = false;
    bool decided = false;

    *out_view = (struct fill_view){.fill = *fill, .descriptor = -1};
    for (;;) {
        enum fill_result result = look(out_view, joined, report, error, &decided);

        if (decided) {
            out_view->looked = clock_milliseconds();
            return result;
        }
        joined = true; /* from now on, what fails has failed for us */
        clock_pause(SHORT_PAUSE);
    }
}

uint64_t fill_available(const struct fill_view *view)
{
    struct stat status;

    return fstat(view->descriptor, &status) == 0 ? (uint64_t)status.st_size : 0;
}

/* Whether the blob is there, made of the file that we are reading. */
static int check_complete(struct fill_view *view, struct error *error)
{
    struct store *store = view->fill.upstream->store;

    switch (blob_match(store, &view->fill.digest, view->descriptor, error)) {
    case BLOB_MATCH_FAILED:
        return -1;
    case BLOB_ABSENT:
        return 0;
    case BLOB_SAME:
        view->complete = true;
        return 0;
    case BLOB_OTHER:
        break;
    }
    return error_set(error, ERROR_UPSTREAM, "another fetch of the blob came first");
}

/* Whether it makes sense to wait on. */
static int check_filler(struct fill_view *view, struct error *error)
{
    struct store *store = view->fill.upstream->store;
    struct path data = filler_place(&view->fill, "data");
    struct report report = REPORT_INIT;
    bool failed;

    if (clock_milliseconds() - view->looked < LOOK_INTERVAL) {
        return 0;
    }
    view->looked = clock_milliseconds();
    failed = filler_failure(&view->fill, &report, error);
    report_release(&report);
    if (failed) {
        return -1;
    }
    if (ensure_filler(view, error) < 0 || check_complete(view, error) < 0) {
        return -1;
    }
    if (!view->complete &&
        !file_is_same(view->descriptor, (struct file_place){store->temporary, data.text}) &&
        check_complete(view, error) == 0 && !view->complete) {
        return error_set(error, ERROR_UPSTREAM, "the fetch of the blob had to start over");
    }
    return 0;
}

ssize_t fill_read(struct fill_view *view, uint64_t offset, void *bytes, size_t size,
                  struct error *error)
{
    long pause = SHORT_PAUSE;
    int empty_reads = 0;

    for (;;) {
        uint64_t available = fill_available(view);
        uint64_t limit = view->size > HELD_BACK ? view->size - HELD_BACK : 0;

        if (view->complete || limit > available) {
            limit = available;
        }
        if (limit > offset) {
            ssize_t got =
                file_read_at(view->descriptor, offset, bytes,
                             limit - offset < size ? (size_t)(limit - offset) : size, error);

            /* On a network filesystem the size may be known before the bytes. */
            if (got != 0 || ++empty_reads > EMPTY_LIMIT) {
                return got;
            }
        } else if (view->complete) {
            return error_set(error, ERROR_UPSTREAM, "the blob is shorter than announced");
        }
        if (!view->complete && available >= view->size && check_complete(view, error) < 0) {
            return -1;
        }
        if (!view->complete && check_filler(view, error) < 0) {
            return -1;
        }
        if (!view->complete || empty_reads > 0) {
            clock_pause(pause);
            pause = pause * 2 < LONG_PAUSE ? pause * 2 : LONG_PAUSE;
        }
    }
}

bool fill_wait_for_end(struct fill_view *view)
{
    int64_t begin = clock_milliseconds();
    uint64_t first = fill_available(view);
    struct error ignored;

    for (;;) {
        int64_t elapsed = clock_milliseconds() - begin;
        uint64_t available = fill_available(view);
        uint64_t gained = available - (available > first ? first : available);

        if (check_complete(view, &ignored) < 0 || view->complete) {
            return is_stored(&view->fill, &ignored) > 0;
        }
        if (elapsed > END_WAIT) {
            return false;
        }
        if (elapsed > END_SAMPLE) {
            uint64_t missing = view->size > available ? view->size - available : 0;

            if (gained == 0 || missing * (uint64_t)elapsed / gained > END_WAIT) {
                return false;
            }
        }
        clock_pause(SHORT_PAUSE);
    }
}

void fill_close(struct fill_view *view)
{
    cleanup_close(&view->descriptor);
    view->descriptor = -1;
}
