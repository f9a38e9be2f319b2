/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/fill/filler.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/observe/count/count.h"
#include "lib/proxy/ask/question.h"
#include "lib/proxy/evict/usage.h"
#include "lib/proxy/fill/origin.h"
#include "lib/proxy/fill/space.h"
#include "lib/proxy/fill/unsynced.h"
#include "lib/store/blob.h"
#include "lib/store/link.h"
#include "lib/store/memo.h"

enum {
    CHECK_SIZE = 8 * 1024 * 1024, /* bytes after which the disk is looked at */
    IDLE_TRIES = 6,               /* in a row that bring not a byte */
    FIRST_PAUSE = 100,            /* milliseconds before another try; tripled each time */
    LONGEST_PAUSE = 5000,
};

struct filler {
    struct http_taker taker; /* of the answer's body */
    const struct fill *fill;
    struct report report;
    int data;
    uint64_t size;    /* bytes that are there */
    uint64_t checked; /* bytes of it when the disk was last looked at */
    bool has_total;
    uint64_t total; /* bytes that it will be */
    bool has_room;  /* for them, on the disk */
    struct hash hash;
    bool was_answered;     /* by the upstream, as this repository's filler */
    bool with_credentials; /* and it wanted an account for that */
    bool is_doubtful;      /* the upstream contradicts itself about the length */
    bool resumed;          /* from bytes that another process left */
    int *giver;
};

/* A file of its own, so that readers of the old one see that they have been left behind. */
static int filler_start_over(struct filler *filler, struct error *error)
{
    struct store *store = filler->fill->upstream->store;
    struct path path = partial_place(filler->fill, "data");
    struct error ignored;

    cleanup_close(&filler->data);
    (void)partial_forget_total(filler->fill, &ignored);
    (void)unlinkat(store->temporary, path.text, 0);
    filler->has_total = false;
    filler->has_room = false;
    filler->is_doubtful = false;
    filler->data = file_create(store->temporary, path.text, error);
    filler->size = 0;
    filler->checked = 0;
    filler->resumed = false;
    hash_begin(&filler->hash, filler->fill->digest.algorithm);
    return filler->data < 0 ? -1 : 0;
}

/*
 * Whether what another filler has left is what the disk has. It may have died over a failed sync,
 * after which the kernel shows bytes that it could not write, and calls them clean: so what is in
 * memory is written, and if that fails it is not believed, and then what is hashed is read anew.
 */
static bool filler_is_on_disk(const struct filler *filler)
{
    struct error ignored;

    return file_sync(filler->data, "what was fetched", &ignored) == 0 &&
           posix_fadvise(filler->data, 0, 0, POSIX_FADV_DONTNEED) == 0;
}

/* Hashes what another filler has left. */
static int filler_take_over(struct filler *filler, struct error *error)
{
    struct store *store = filler->fill->upstream->store;
    struct path path = partial_place(filler->fill, "data");

    filler->data = openat(store->temporary, path.text, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (filler->data < 0 || !filler_is_on_disk(filler)) {
        return filler_start_over(filler, error);
    }
    hash_begin(&filler->hash, filler->fill->digest.algorithm);
    if (hash_update_from(&filler->hash, filler->data, &filler->size, UINT64_MAX, error) < 0) {
        return filler_start_over(filler, error); /* or it would keep the next one from it, too */
    }
    filler->checked = filler->size;
    filler->resumed = filler->size > 0;
    filler->has_total = partial_total(filler->fill, &filler->total);
    return filler->has_total && filler->size > filler->total ? filler_start_over(filler, error) : 0;
}

/* Where the answer's body begins, which has to be where we are; and how long the whole is. */
static int filler_understand(struct filler *filler, const struct answer *answer,
                             struct error *error)
{
    const struct upstream *upstream = filler->fill->upstream;
    struct extent extent;

    if (answer_extent(answer, &filler->fill->digest, &extent, error) < 0) {
        return -1;
    }
    if (extent.first == 0 && filler->size > 0 && filler_start_over(filler, error) < 0) {
        return -1;
    }
    if (extent.first != filler->size) {
        return upstream_fail(upstream, error, ERROR_UPSTREAM, "answers another range");
    }
    if (!extent.has_total) {
        return 0;
    }
    if (filler->has_total && filler->total != extent.total) {
        filler->is_doubtful = true;
        return upstream_fail(upstream, error, ERROR_UPSTREAM, "changes the length of a blob");
    }
    filler->has_total = true;
    filler->total = extent.total;
    if (filler->has_room) {
        return 0;
    }
    filler->has_room = true;
    if (space_reserve(filler->fill, extent.total, extent.total - filler->size, error) < 0) {
        return -1;
    }
    if (extent.total > FILL_SMALL) {
        cleanup_close(filler->giver);
        *filler->giver = -1;
    }
    return 0;
}

/* Whether there is room for more. Where the blob is synced before it is published, the disk is set
 * to work on it, so that the sync has little left to do. */
static int filler_check_disk(struct filler *filler, struct error *error)
{
    uint64_t from = filler->checked;

    filler->checked = filler->size;
    if (!filler->fill->upstream->store->puts_off_syncs) {
        /* Advice: what it returns is nothing. */
        (void)sync_file_range(filler->data, (off_t)from, (off_t)(filler->size - from),
                              SYNC_FILE_RANGE_WRITE);
    }
    return space_check(filler->fill, filler->has_total, error);
}

static int filler_keep(struct http_taker *taker, const void *bytes, size_t length,
                       struct error *error)
{
    struct filler *filler = (struct filler *)taker;

    if (filler->has_total && filler->size + length > filler->total) {
        filler->is_doubtful = true;
        return upstream_fail(filler->fill->upstream, error, ERROR_UPSTREAM,
                             "sends more than it said");
    }
    if (file_write_at(filler->data, filler->size, bytes, length, error) < 0) {
        return -1;
    }
    hash_update(&filler->hash, bytes, length);
    count_fetched(filler->fill->upstream->name, length);
    filler->size += length;
    return filler->size - filler->checked < CHECK_SIZE ? 0 : filler_check_disk(filler, error);
}

/* One request, as far as it gets. 1: all is there; 0: the upstream has no such blob; -1. */
static int filler_fetch(struct filler *filler, bool again, struct error *error)
{
    const struct fill *fill = filler->fill;
    AUTO_ANSWER struct answer answer = ANSWER_INIT;
    AUTO_BUFFER struct buffer rest = BUFFER_INIT;
    AUTO_BUFFER struct buffer range = BUFFER_INIT;
    struct question question = {.method = "GET", .repository = fill->name, .again = again};
    int found;

    buffer_format(&rest, "blobs/%s", fill->digest.text);
    question.rest = rest.data;
    if (filler->size > 0) {
        buffer_format(&range, "bytes=%" PRIu64 "-", filler->size);
        question.range = range.data;
    }
    found = question_ask(fill->upstream, &question, &answer, &filler->report, error);
    if (found <= 0) {
        /* Nothing behind what we have, although something was promised. */
        filler->is_doubtful = answer.transfer.status == 416;
        return found;
    }
    if (filler_understand(filler, &answer, error) < 0) {
        return -1;
    }
    filler->was_answered = true;
    filler->with_credentials |= answer.with_credentials;
    if (http_pour(&answer.transfer, &filler->taker, error) < 0) {
        return -1;
    }
    if (filler->has_total && filler->size < filler->total) {
        filler->is_doubtful = true;
        return upstream_fail(fill->upstream, error, ERROR_UPSTREAM, "ended before the blob did");
    }
    return 1;
}

/* Who has sent nothing yet may be slow again: only one who broke off what he had promised is asked
 * again. */
static bool filler_may_try_again(const struct filler *filler, const struct error *error)
{
    bool has_begun = filler->size > 0 || (error->code == ERROR_UPSTREAM && filler->was_answered);

    return error_is_upstreams(error) && has_begun && !filler->is_doubtful;
}

static void filler_pause(int tries)
{
    int64_t milliseconds = FIRST_PAUSE;

    for (int i = 1; i < tries && milliseconds < LONGEST_PAUSE; i++) {
        milliseconds *= 3;
    }
    clock_pause(milliseconds < LONGEST_PAUSE ? milliseconds : LONGEST_PAUSE);
}

/* Requests until all is there. */
static int filler_fetch_all(struct filler *filler, struct error *error)
{
    /* A try counts that brings this much: breaking off after each byte is dripping, too. */
    uint64_t least = upstream_least(filler->fill->upstream);
    int idle = 0;
    bool again = false;

    while (!(filler->has_total && filler->size == filler->total)) {
        uint64_t before = filler->size;
        int found;

        (void)futimens(filler->data, NULL); /* for who waits: somebody is at work */
        found = filler_fetch(filler, again, error);
        if (found > 0) {
            return 0;
        }
        if (found == 0) {
            return upstream_fail(filler->fill->upstream, error, ERROR_BLOB_UNKNOWN,
                                 "has no such blob");
        }
        idle = filler->size >= before + least ? 0 : idle + 1;
        if (idle >= IDLE_TRIES || !filler_may_try_again(filler, error)) {
            return -1;
        }
        again = true;
        filler_pause(idle);
    }
    return 0;
}

static bool filler_is_right(const struct filler *filler)
{
    struct hash hash = filler->hash;
    struct digest actual;

    hash_finish(&hash, &actual);
    return digest_equal(&actual, &filler->fill->digest);
}

/* All of it, with the right digest; -1 and *out_suspect if what is on disk may be to blame. */
static int filler_fetch_right(struct filler *filler, bool *out_suspect, struct error *error)
{
    bool resumed = filler->resumed;

    *out_suspect = false;
    if (filler_fetch_all(filler, error) < 0) {
        *out_suspect = filler->is_doubtful;
        return -1;
    }
    if (filler_is_right(filler)) {
        return 0;
    }
    *out_suspect = resumed;
    report_failure(&filler->report, filler->fill->upstream->name, 0,
                   "the content has another digest");
    return upstream_fail(filler->fill->upstream, error, ERROR_UPSTREAM,
                         "sent other content than the digest says");
}

/* What others have left may be damaged, and lengths may be wrong: then once more from the start.
 * What is wrong after that is the upstream's, and is not kept. */
static int filler_fetch_verified(struct filler *filler, struct error *error)
{
    struct error ignored;
    bool suspect;

    if (filler_take_over(filler, error) < 0) {
        return -1;
    }
    if (filler->resumed) {
        count_fill(filler->fill->upstream->name, COUNTED_FILL_RESUMED);
    }
    if (filler_fetch_right(filler, &suspect, error) == 0) {
        return 0;
    }
    if (suspect) {
        if (filler_start_over(filler, error) < 0) {
            return -1;
        }
        if (filler_fetch_right(filler, &suspect, error) == 0) {
            return 0;
        }
    }
    if (suspect || error->code == ERROR_UPSTREAM) {
        (void)filler_start_over(filler, &ignored);
    }
    return -1;
}

/* If all bytes were there already, the upstream has told this repository no more than that it has
 * them, or its account is the one that they were fetched with. */
static enum origin_act filler_origin(const struct filler *filler)
{
    if (!filler->was_answered) {
        return ORIGIN_CONFIRMED;
    }
    return filler->with_credentials ? ORIGIN_GIVEN_TO_ACCOUNT : ORIGIN_GIVEN;
}

static int filler_publish(struct filler *filler, struct error *error)
{
    const struct fill *fill = filler->fill;
    struct store *store = fill->upstream->store;
    struct path data = partial_place(fill, "data");
    struct file_place place = {store->temporary, data.text};
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(store);

    /* First what lets this repository show the blob: who sees the blob appear looks for that. */
    if (origin_record(fill->upstream, fill->name, &fill->digest, filler_origin(filler), error) <
            0 ||
        link_add(fill->repository, &fill->digest, &fill->digest, &syncs, error) < 0) {
        return -1;
    }
    return blob_publish(fill->repository, &fill->digest, place, filler->data, error);
}

/* All is there and right, but cannot be kept: those who have it open may have it all the same. */
static void filler_give_away(struct filler *filler)
{
    struct error ignored;

    if (file_sync(filler->data, "what is not kept", &ignored) == 0) {
        partial_give_away(filler->data);
    }
    (void)filler_start_over(filler, &ignored);
}

/*
 * What could not be synced may read well and be lost all the same: the next filler must not find
 * it, but ask the upstream. Where it is room that lacks, it is not to be held by a part of a blob.
 */
static int filler_fill(struct filler *filler, struct error *error)
{
    bool is_complete = filler_fetch_verified(filler, error) == 0;
    struct error ignored;

    if (is_complete && filler_publish(filler, error) == 0) {
        return 0;
    }
    if (is_complete && error->code != ERROR_DATA_LOST) {
        filler_give_away(filler);
    } else if (is_complete || error->code == ERROR_NO_SPACE) {
        (void)filler_start_over(filler, &ignored);
    }
    return -1;
}

int filler_run(const struct fill *fill, int *giver, struct error *error)
{
    struct filler filler = {
        .taker = {filler_keep}, .fill = fill, .report = REPORT_INIT, .data = -1, .giver = giver};
    int result;

    log_debug("fills %s of %s from %s", fill->digest.text, fill->name, fill->upstream->name);
    count_fill(fill->upstream->name, COUNTED_FILL_BEGUN);
    result = filler_fill(&filler, error);
    count_fill(fill->upstream->name, result < 0 ? COUNTED_FILL_GIVEN_UP : COUNTED_FILL_DONE);
    if (result < 0) {
        partial_write_failure(fill, &filler.report, error);
        log_warning("fetching %s of %s: %s", fill->digest.text, fill->name, error->message);
    } else {
        usage_add(fill->upstream->options, fill->upstream->store, filler.size);
        partial_discard(fill);
        if (fill->upstream->store->puts_off_syncs) {
            unsynced_add(fill->upstream->store, &fill->digest, steal_descriptor(&filler.data));
        }
    }
    log_debug("has %s %s", result < 0 ? "given up" : "filled", fill->digest.text);
    cleanup_close(&filler.data);
    report_release(&filler.report);
    return result;
}
