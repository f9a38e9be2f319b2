/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/fill/stream.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/observe/count/count.h"
#include "lib/proxy/ask/question.h"

struct stream {
    bool is_fill;
    struct fill_view view;
    /* Or: */
    struct fill fill;
    struct answer answer;
    uint64_t size;
    uint64_t position; /* of the upstream's next byte */
    bool verify;       /* the whole is passed on, so its digest can be checked */
    struct hash hash;
    struct buffer tail; /* what is held back; `position` is behind it */
    size_t consumed;    /* bytes of it that were read */
};

/* Of the next byte that is given away. */
static uint64_t stream_offset(const struct stream *stream)
{
    return stream->position - (stream->tail.length - stream->consumed);
}

struct stream *stream_from_fill(struct fill_view *view)
{
    struct stream *stream = memory_allocate(1, sizeof(*stream));

    stream->is_fill = true;
    stream->view = *view;
    stream->size = view->size;
    stream->answer = (struct answer)ANSWER_INIT;
    stream->tail = (struct buffer)BUFFER_INIT;
    *view = (struct fill_view)FILL_VIEW_INIT;
    return stream;
}

void stream_close(struct stream *stream)
{
    if (stream) {
        if (stream->is_fill) {
            fill_close(&stream->view);
        }
        answer_release(&stream->answer);
        buffer_release(&stream->tail);
        free(stream);
    }
}

void stream_wait_for_blob(const struct stream *stream)
{
    enum { LONGEST = 10000, PAUSE = 2 }; /* milliseconds */
    int64_t end = clock_milliseconds() + LONGEST;
    struct file_place place;
    struct path path;
    struct error ignored;

    if (!stream || !stream->is_fill) {
        return;
    }
    path = partial_place(&stream->view.fill, "lock");
    place = (struct file_place){stream->view.fill.upstream->store->temporary, path.text};
    while (clock_milliseconds() < end) {
        AUTO_LOCK struct lock lock = LOCK_INIT;

        if (lock_take(&lock, place, LOCK_TRY, &ignored) != LOCK_BUSY) {
            return;
        }
        clock_pause(PAUSE);
    }
}

uint64_t stream_size(const struct stream *stream)
{
    return stream->size;
}

/* How long the whole is, and where the answer begins. */
static int stream_understand(struct stream *stream, struct error *error)
{
    struct extent extent;

    if (answer_extent(&stream->answer, &stream->fill.digest, &extent, error) < 0) {
        return -1;
    }
    if (!extent.has_total) {
        return upstream_fail(stream->fill.upstream, error, ERROR_UPSTREAM,
                             "does not say how long the blob is");
    }
    stream->position = extent.first;
    stream->size = extent.total;
    return 0;
}

/* Asks for stream->fill, or a part of it. 1, 0, -1. */
static int stream_ask(struct stream *stream, const struct range *range, struct report *report,
                      struct error *error)
{
    const struct fill *fill = &stream->fill;
    AUTO_BUFFER struct buffer rest = BUFFER_INIT;
    AUTO_BUFFER struct buffer wanted = BUFFER_INIT;
    struct question question = {.method = "GET", .repository = fill->name};
    int found;

    stream->verify = range == NULL;
    hash_begin(&stream->hash, fill->digest.algorithm);
    buffer_format(&rest, "blobs/%s", fill->digest.text);
    question.rest = rest.data;
    if (range) {
        buffer_format(&wanted, "bytes=%" PRIu64 "-%" PRIu64, range->first, range->last);
        question.range = wanted.data;
    }
    found = question_ask(fill->upstream, &question, &stream->answer, report, error);
    return found > 0 && stream_understand(stream, error) < 0 ? -1 : found;
}

int stream_open(struct stream **out_stream, const struct fill *fill, const struct range *range,
                struct report *report, struct error *error)
{
    struct stream *stream = memory_allocate(1, sizeof(*stream));
    int found;

    stream->fill = *fill;
    stream->answer = (struct answer)ANSWER_INIT;
    stream->tail = (struct buffer)BUFFER_INIT;
    found = stream_ask(stream, range, report, error);
    if (found <= 0) {
        stream_close(stream);
        return found;
    }
    *out_stream = stream;
    return 1;
}

static int stream_check_digest(struct stream *stream, struct error *error)
{
    struct hash hash = stream->hash;
    struct digest actual;

    if (!stream->verify) {
        return 0;
    }
    hash_finish(&hash, &actual);
    return digest_equal(&actual, &stream->fill.digest)
               ? 0
               : upstream_fail(stream->fill.upstream, error, ERROR_UPSTREAM,
                               "sent other content than asked for");
}

static int stream_ended_early(const struct stream *stream, struct error *error)
{
    return upstream_fail(stream->fill.upstream, error, ERROR_UPSTREAM, "ended early");
}

/* Reads the last block whole, so that it is not given away before it is checked. */
static int stream_read_tail(struct stream *stream, struct error *error)
{
    while (stream->position < stream->size) {
        size_t room = (size_t)(stream->size - stream->position);
        char *target = buffer_reserve(&stream->tail, room);
        ssize_t got = http_read(&stream->answer.transfer, target, room, error);

        if (got <= 0) {
            return got < 0 ? -1 : stream_ended_early(stream, error);
        }
        hash_update(&stream->hash, target, (size_t)got);
        count_fetched(stream->fill.upstream->name, (uint64_t)got);
        buffer_added(&stream->tail, (size_t)got);
        stream->position += (uint64_t)got;
    }
    return stream_check_digest(stream, error);
}

static ssize_t stream_read_through(struct stream *stream, void *bytes, size_t size,
                                   struct error *error)
{
    uint64_t end =
        stream->verify && stream->size > FILL_HELD_BACK ? stream->size - FILL_HELD_BACK : 0;
    ssize_t got;

    if (!stream->verify) {
        end = stream->size;
    }
    if (stream->position < end) {
        size = end - stream->position < size ? (size_t)(end - stream->position) : size;
        got = http_read(&stream->answer.transfer, bytes, size, error);
        if (got == 0) {
            return stream_ended_early(stream, error);
        }
        if (got > 0) {
            hash_update(&stream->hash, bytes, (size_t)got);
            count_fetched(stream->fill.upstream->name, (uint64_t)got);
            stream->position += (uint64_t)got;
        }
        return got;
    }
    if (stream_read_tail(stream, error) < 0) {
        return -1;
    }
    size = stream->tail.length - stream->consumed < size ? stream->tail.length - stream->consumed
                                                         : size;
    memcpy(bytes, stream->tail.data + stream->consumed, size);
    stream->consumed += size;
    return (ssize_t)size;
}

/* What is in front of `offset` is not wanted: all was sent, whatever was asked. */
static int stream_read_over(struct stream *stream, uint64_t offset, struct error *error)
{
    while (stream->position < offset) {
        uint64_t missing = offset - stream->position;
        const char *ignored;
        ssize_t got = http_lend(&stream->answer.transfer,
                                missing < SIZE_MAX ? (size_t)missing : SIZE_MAX, &ignored, error);

        if (got <= 0) {
            return got < 0 ? -1 : stream_ended_early(stream, error);
        }
        count_fetched(stream->fill.upstream->name, (uint64_t)got);
        stream->position += (uint64_t)got;
    }
    return 0;
}

/*
 * Nobody goes on with the fetch: what is missing from `offset` on is asked of the upstream, for
 * this reader, and not kept. All in front of it counts for the digest as it is in the file that he
 * was given it from, not as the upstream may send it now.
 */
static int stream_leave_fill(struct stream *stream, uint64_t offset, struct error *error)
{
    struct fill_view *view = &stream->view;
    struct range rest = {.first = offset, .last = view->size - 1};
    struct report report = REPORT_INIT;
    uint64_t hashed = 0;
    int found;

    stream->fill = view->fill;
    found = stream_ask(stream, &rest, &report, error);
    report_release(&report);
    if (found == 0) {
        found = upstream_fail(view->fill.upstream, error, ERROR_UPSTREAM, "has the blob no more");
    } else if (found > 0 && stream->size != view->size) {
        found = upstream_fail(view->fill.upstream, error, ERROR_UPSTREAM,
                              "changes the length of a blob");
    }
    stream->verify = !view->is_part;
    if (found < 0 || stream_read_over(stream, offset, error) < 0 ||
        (stream->verify &&
         hash_update_from(&stream->hash, view->descriptor, &hashed, offset, error) < 0)) {
        return -1;
    }
    fill_close(view);
    stream->is_fill = false;
    return 0;
}

ssize_t stream_lend(struct stream *stream, uint64_t offset, int *out_file, struct error *error)
{
    ssize_t ready;

    if (!stream->is_fill || !stream->view.is_local) {
        return 0;
    }
    *out_file = stream->view.descriptor;
    ready = fill_wait_for(&stream->view, offset, error);
    return ready < 0 && stream->view.is_stuck ? 0 : ready;
}

ssize_t stream_read(struct stream *stream, uint64_t offset, void *bytes, size_t size,
                    struct error *error)
{
    if (stream->is_fill) {
        ssize_t got = fill_read(&stream->view, offset, bytes, size, error);

        if (got >= 0 || !stream->view.is_stuck || stream_leave_fill(stream, offset, error) < 0) {
            return got;
        }
    }
    /* What is in front of a part is not wanted: all was asked for, or sent whatever was asked. */
    while (stream_offset(stream) < offset) {
        uint64_t missing = offset - stream_offset(stream);
        ssize_t got =
            stream_read_through(stream, bytes, missing < size ? (size_t)missing : size, error);

        if (got <= 0) {
            return got < 0 ? -1 : stream_ended_early(stream, error);
        }
    }
    if (stream_offset(stream) > offset) { /* it has told another length before */
        return upstream_fail(stream->fill.upstream, error, ERROR_UPSTREAM, "answers another range");
    }
    return stream_read_through(stream, bytes, size, error);
}
