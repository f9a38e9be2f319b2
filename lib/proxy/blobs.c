/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/proxy/ask/question.h"
#include "lib/proxy/evict/evict.h"
#include "lib/proxy/evict/sweep.h"
#include "lib/proxy/fill/fetcher.h"
#include "lib/proxy/fill/origin.h"
#include "lib/proxy/fill/space.h"
#include "lib/proxy/flight.h"
#include "lib/proxy/proxy.h"
#include "lib/store/link.h"

enum { SPACE_TO_FETCH = 1024 * 1024 }; /* bytes */

/* What the log says of a cache that fails. */
static const char blob_unkept[] = "a blob is not kept";
static const char blob_unread[] = "a cached blob cannot be read";

static struct fill blob_fill(const struct proxied *proxied, const struct digest *digest)
{
    return (struct fill){.upstream = &proxied->upstream,
                         .repository = &proxied->repository,
                         .name = proxied->name,
                         .digest = *digest};
}

/* Whether the upstream has the blob, and how long it is there. 1, 0, -1. */
static int blob_ask_size(struct proxied *proxied, const struct digest *digest, uint64_t *out_size,
                         struct error *error)
{
    AUTO_ANSWER struct answer answer = ANSWER_INIT;
    AUTO_BUFFER struct buffer rest = BUFFER_INIT;
    struct question question = {.method = "HEAD", .repository = proxied->name};
    struct extent extent;
    int found;

    buffer_format(&rest, "blobs/%s", digest->text);
    question.rest = rest.data;
    found = fetcher_ask(&proxied->upstream, &question, &answer, proxied->report, error);
    if (found <= 0 || answer_extent(&answer, digest, &extent, error) < 0) {
        return found > 0 ? -1 : found;
    }
    if (!extent.has_total) {
        return upstream_fail(&proxied->upstream, error, ERROR_UPSTREAM,
                             "does not say how long the blob is");
    }
    *out_size = extent.total;
    return 1;
}

/* The bytes are here, or on their way, but not by this repository's right: its upstream has to
 * confirm that it has them. 1, 0, -1. */
static int blob_confirm(struct proxied *proxied, const struct digest *digest, struct error *error)
{
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(proxied->upstream.store);
    uint64_t size;
    int found = blob_ask_size(proxied, digest, &size, error);

    if (found <= 0) {
        return found;
    }
    if (origin_record(&proxied->upstream, proxied->name, digest, ORIGIN_CONFIRMED, error) < 0 ||
        link_add(&proxied->repository, digest, digest, &syncs, error) < 0 ||
        sync_set_flush(&syncs, error) < 0) {
        return -1;
    }
    return 1;
}

/* Looks into the cache, for what is believed or proven. 1; 0; -1. */
static int blob_find_proven(struct proxied *proxied, const struct digest *digest,
                            struct proxy_blob *out_blob, struct error *error)
{
    int found = blob_find(&proxied->repository, digest, &out_blob->blob, error);

    if (found > 0 && origin_allows(&proxied->upstream, proxied->name, digest)) {
        out_blob->is_stored = true;
        out_blob->size = out_blob->blob.size;
        return 1;
    }
    return found < 0 ? -1 : 0;
}

/* The same; 0 also for what is not believed before blob_ask() has read it. */
static int blob_find_stored(struct proxied *proxied, const struct digest *digest,
                            struct proxy_blob *out_blob, struct error *error)
{
    struct proxy_blob blob = *out_blob;
    int found = blob_find_proven(proxied, digest, &blob, error);

    if (found > 0 && blob_is_believed(proxied->upstream.store, &blob.blob)) {
        *out_blob = blob;
        return 1;
    }
    return found < 0 ? -1 : 0;
}

/* Whether a range begins so far behind what is there that waiting for it makes no sense. */
static bool blob_is_far(const struct range *range, uint64_t available)
{
    enum { NEAR = 16 * 1024 * 1024 };

    return range->first > available && range->first - available > NEAR;
}

/* Asks the upstream for a part. */
static int blob_pass_part(struct proxied *proxied, const struct proxy_blob_request *request,
                          const struct range *range, struct proxy_blob *out_blob,
                          struct error *error)
{
    struct fill fill = blob_fill(proxied, &request->digest);
    int found;

    out_blob->look = LOOK_PASSED;
    if (request->is_asked_again) {
        return 1;
    }
    found = stream_open(&out_blob->stream, &fill, range, proxied->report, error);
    if (found > 0) {
        out_blob->size = stream_size(out_blob->stream);
    }
    return found;
}

/*
 * Passes the upstream's answer on and keeps nothing. A range is cut from the whole, whose size is
 * needed to understand it, and whose digest can be checked; one that is far is asked for again.
 */
static int blob_pass_through(struct proxied *proxied, const struct proxy_blob_request *request,
                             struct proxy_blob *out_blob, struct error *error)
{
    struct range range;
    int found = blob_pass_part(proxied, request, NULL, out_blob, error);

    if (found > 0 && out_blob->stream &&
        range_parse(request->range, out_blob->size, &range) == RANGE_PART &&
        blob_is_far(&range, 0)) {
        stream_close(out_blob->stream);
        out_blob->stream = NULL;
        found = blob_pass_part(proxied, request, &range, out_blob, error);
    }
    return found;
}

/* A disk that is full or fails keeps us from caching, not from serving. What is to be done about it
 * only the log can tell. */
static bool blob_bear(const char *what, const struct error *error)
{
    if (error_is_ours(error) && error->code != ERROR_NO_SPACE) {
        log_warning("%s: %s", what, error->message);
    }
    return error_is_ours(error);
}

/*
 * Reads what is in the cache and not believed: a power cut may have left it. All that want it at
 * the same time wait for one who reads. 1; 0 if it is not, or no more, there; -1.
 */
static int blob_prove_stored(const struct proxied *proxied, const struct digest *digest,
                             struct error *error)
{
    struct store *store = proxied->upstream.store;
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct blob blob = {.target = *digest};
    struct digest key;
    uint64_t size;
    int found = blob_is_stored(store, digest, &size, error);

    if (found <= 0 || blob_is_believed(store, &blob)) {
        return found;
    }
    flight_key(proxied, digest->text, &key);
    if (flight_begin(proxied, &key, size, &lock, error) < 0) {
        return -1;
    }
    return blob_prove(store, digest, error);
}

/* The blob is in the cache, and proven: for this repository too, if its upstream says so. Whether
 * it could be marked as well does not matter: a disk may have come back read-only. */
static int blob_use_proven(struct proxied *proxied, const struct proxy_blob_request *request,
                           struct proxy_blob *out_blob, struct error *error)
{
    int found = blob_find_proven(proxied, &request->digest, out_blob, error);

    if (found > 0 || (found < 0 && !blob_bear(blob_unread, error))) {
        return found;
    }
    found = blob_confirm(proxied, &request->digest, error);
    if (found < 0 && request->head_only) {
        return blob_bear(blob_unkept, error)
                   ? blob_ask_size(proxied, &request->digest, &out_blob->size, error)
                   : -1;
    }
    if (found < 0 && (error->code == ERROR_UPSTREAM || blob_bear(blob_unkept, error))) {
        return blob_pass_through(proxied, request, out_blob, error); /* it knows no HEAD, perhaps */
    }
    if (found > 0) {
        found = blob_find_proven(proxied, &request->digest, out_blob, error);
        if (found == 0) { /* it has made room meanwhile */
            return request->head_only
                       ? blob_ask_size(proxied, &request->digest, &out_blob->size, error)
                       : blob_pass_through(proxied, request, out_blob, error);
        }
    }
    return found;
}

/* The blob has just come into the cache; who has brought it may have died. */
static int blob_use_stored(struct proxied *proxied, const struct proxy_blob_request *request,
                           struct proxy_blob *out_blob, struct error *error)
{
    int found = blob_prove_stored(proxied, &request->digest, error);

    if (found <= 0) {
        return found < 0 ? -1 : blob_pass_through(proxied, request, out_blob, error);
    }
    return blob_use_proven(proxied, request, out_blob, error);
}

static enum fill_result blob_wait_for_fill(const struct proxied *proxied, const struct fill *fill,
                                           struct fill_view *out_view, struct error *error)
{
    int64_t begun = clock_milliseconds();
    enum fill_result result = fill_join(out_view, fill, proxied->report, error);

    report_waited(proxied->report, WAIT_FILL, begun);
    return result;
}

static bool blob_wait_for_end(const struct proxied *proxied, struct fill_view *view)
{
    int64_t begun = clock_milliseconds();
    bool has_ended = fill_wait_for_end(view);

    report_waited(proxied->report, WAIT_FILL, begun);
    return has_ended;
}

/* What it was worth to this process lately to hurry: of misses, the next ones for which it will
 * not, and how many that were the last time. */
static struct {
    unsigned left;
    unsigned last;
} blob_vain;

/* What a worker has had fetched in haste and its child waits for: begun for that one's client. */
static struct digest blob_begun;

/* A blob that is on its way. Takes the view over. */
static int blob_use_growing(struct proxied *proxied, const struct proxy_blob_request *request,
                            struct fill_view *view, struct proxy_blob *out_blob,
                            struct error *error)
{
    struct range range;

    view->restarts += digest_equal(&blob_begun, &request->digest) ? 1 : 0;
    view->is_part = range_parse(request->range, view->size, &range) == RANGE_PART;
    if (view->is_part && blob_is_far(&range, fill_available(view))) {
        fill_close(view);
        return blob_pass_part(proxied, request, &range, out_blob, error);
    }
    if (request->prefers_file && blob_wait_for_end(proxied, view)) {
        fill_close(view);
        return blob_use_stored(proxied, request, out_blob, error);
    }
    out_blob->size = view->size;
    if (request->is_asked_again) {
        fill_close(view);
    } else {
        out_blob->stream = stream_from_fill(view);
    }
    return 1;
}

/* Joins a fill, for which the upstream may have to be asked first. */
static enum fill_result blob_join(struct proxied *proxied, const struct fill *fill,
                                  struct fill_view *out_view, struct error *error)
{
    enum fill_result result = blob_wait_for_fill(proxied, fill, out_view, error);

    if (result == FILL_FOREIGN) {
        int confirmed = blob_confirm(proxied, &fill->digest, error);

        if (confirmed <= 0) {
            /* Some upstreams do not know HEAD: a GET will tell. */
            return confirmed == 0                  ? FILL_ABSENT
                   : error->code == ERROR_UPSTREAM ? FILL_FOREIGN
                                                   : FILL_FAILED;
        }
        result = blob_wait_for_fill(proxied, fill, out_view, error);
    }
    return result;
}

/* Gets the blob through a fill, or past it. */
static int blob_fetch(struct proxied *proxied, const struct proxy_blob_request *request,
                      struct proxy_blob *out_blob, struct error *error)
{
    struct fill fill = blob_fill(proxied, &request->digest);
    struct fill_view view;
    struct error full;

    /* Below a little, even what says why a fetch failed cannot be written. */
    if (store_check_space(proxied->upstream.store, SPACE_TO_FETCH, &full) < 0) {
        space_look_for_some(proxied->upstream.options, proxied->upstream.store, SPACE_TO_FETCH);
        return blob_pass_through(proxied, request, out_blob, error);
    }
    if (partial_was_not_kept(&fill)) {
        return blob_pass_through(proxied, request, out_blob, error);
    }
    switch (blob_join(proxied, &fill, &view, error)) {
    case FILL_FAILED:
        return blob_bear(blob_unkept, error) ? blob_pass_through(proxied, request, out_blob, error)
                                             : -1;
    case FILL_ABSENT:
        return 0;
    case FILL_FOREIGN:
    case FILL_LATE:
        return blob_pass_through(proxied, request, out_blob, error);
    case FILL_STORED:
        return blob_use_stored(proxied, request, out_blob, error);
    case FILL_GROWING:
        return blob_use_growing(proxied, request, &view, out_blob, error);
    }
    return -1;
}

/* The upstream has to be asked, or the disk. */
static int blob_ask(struct proxied *proxied, const struct proxy_blob_request *request,
                    struct proxy_blob *out_blob, struct error *error)
{
    int found = blob_prove_stored(proxied, &request->digest, error);

    if (found > 0) {
        return blob_use_proven(proxied, request, out_blob, error);
    }
    if (found < 0 && !blob_bear(blob_unread, error)) {
        return -1;
    }
    out_blob->look = request->head_only ? LOOK_PASSED : LOOK_MISS;
    if (request->head_only) {
        return blob_ask_size(proxied, &request->digest, &out_blob->size, error);
    }
    sweep_cache(proxied->upstream.store);
    evict_when_due(proxied->upstream.options, proxied->upstream.store);
    return blob_fetch(proxied, request, out_blob, error);
}

/* After each time that was in vain it is twice as long until it is tried again: an upstream that is
 * slow, or far, costs a worker next to nothing. */
static void blob_learn(bool was_in_vain)
{
    enum { VAIN_LIMIT = 127 };

    blob_vain.last = !was_in_vain                   ? 0
                     : blob_vain.last >= VAIN_LIMIT ? VAIN_LIMIT
                                                    : 2 * blob_vain.last + 1;
    blob_vain.left = blob_vain.last;
}

static int blob_would_wait(struct error *error)
{
    return error_set(error, ERROR_WOULD_WAIT, "the upstream has to be asked");
}

/*
 * For a worker: if the blob can be had in a moment, a process that waits for it costs more than
 * that. 1, 0, -1; ERROR_WOULD_WAIT. What comes of it is looked for in the cache as what was there
 * before.
 */
static int blob_hurry(struct proxied *proxied, const struct proxy_blob_request *request,
                      struct proxy_blob *out_blob, struct error *error)
{
    struct fill fill = blob_fill(proxied, &request->digest);
    int64_t begun = clock_milliseconds();
    enum fill_result result = FILL_LATE;
    bool is_in_vain = false;

    if (blob_vain.left > 0) {
        blob_vain.left--;
    } else if (proxied->may_hurry && !request->head_only &&
               store_check_space(proxied->upstream.store, SPACE_TO_FETCH, error) == 0 &&
               !partial_was_not_kept(&fill) && proxied_set_via(proxied, proxied->via, error) == 0) {
        result = fill_hurry(&fill, &is_in_vain, proxied->report, error);
        report_waited(proxied->report, WAIT_FILL, begun);
        if (result != FILL_LATE || is_in_vain) {
            blob_learn(is_in_vain);
        }
        blob_begun =
            result == FILL_GROWING || is_in_vain ? request->digest : (struct digest){.text = ""};
    }
    if (result == FILL_STORED && blob_find_stored(proxied, &request->digest, out_blob, error) > 0) {
        out_blob->look = LOOK_MISS;
        return 1;
    }
    if (result == FILL_GROWING && request->is_asked_again) {
        return fill_size(&fill, &out_blob->size) ? 1 : blob_would_wait(error);
    }
    if (result == FILL_ABSENT || (result == FILL_FAILED && !error_is_ours(error))) {
        return result == FILL_ABSENT ? 0 : -1;
    }
    return blob_would_wait(error);
}

static int blob_get(struct proxied *proxied, const struct proxy_blob_request *request,
                    struct proxy_blob *out_blob, struct error *error)
{
    struct fill fill = blob_fill(proxied, &request->digest);
    struct digest key;
    int found;

    found = blob_find_stored(proxied, &request->digest, out_blob, error);
    if (found > 0 || (found < 0 && !blob_bear(blob_unread, error))) {
        return found;
    }
    if (request->head_only && fill_size(&fill, &out_blob->size)) {
        return 1;
    }
    flight_key(proxied, request->digest.text, &key);
    if (flight_is_absent(proxied, &key)) {
        return 0;
    }
    found = proxied->may_wait ? blob_ask(proxied, request, out_blob, error)
                              : blob_hurry(proxied, request, out_blob, error);
    if (found == 0) {
        flight_remember_absence(proxied, &key);
    }
    return found;
}

int proxy_get_blob(struct proxied *proxied, const struct proxy_blob_request *request,
                   struct proxy_blob *out_blob, struct error *error)
{
    int found;

    *out_blob = (struct proxy_blob){.look = LOOK_HIT};
    found = blob_get(proxied, request, out_blob, error);
    /* What is asked for once more counts then. */
    if (found > 0 && (out_blob->is_stored || request->head_only || !request->is_asked_again)) {
        count_look(proxied->upstream.name, THING_BLOB, out_blob->look);
    }
    return found;
}

bool proxy_start_blob(struct proxied *proxied, const struct digest *digest, uint64_t size)
{
    struct fill fill = blob_fill(proxied, digest);
    struct proxy_blob ignored_blob = {.is_stored = false};
    struct error ignored;
    int found = blob_find_stored(proxied, digest, &ignored_blob, &ignored);

    size = size < SPACE_TO_FETCH ? SPACE_TO_FETCH : size;
    if (found == 0 && store_check_space(proxied->upstream.store, size, &ignored) == 0 &&
        !partial_was_not_kept(&fill)) {
        fill_start(&fill);
    }
    return found > 0;
}
