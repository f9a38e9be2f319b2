/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/observe/count/count.h"
#include "lib/proxy/ask/health.h"
#include "lib/proxy/ask/question.h"
#include "lib/proxy/evict/usage.h"
#include "lib/proxy/fill/fetcher.h"
#include "lib/proxy/flight.h"
#include "lib/proxy/proxy.h"
#include "lib/store/link.h"
#include "lib/store/repository.h"

enum {
    SAVING_SECONDS = 3600, /* how long a tag is served while a rate limit is nearly used up */
};

#define ACCEPTED                                                                                   \
    MEDIA_TYPE_OCI_MANIFEST ", " MEDIA_TYPE_OCI_INDEX ", " MEDIA_TYPE_DOCKER_MANIFEST              \
                            ", " MEDIA_TYPE_DOCKER_LIST ", */*;q=0.5"

/* One client's wish for one manifest. */
struct wish {
    struct proxied *proxied;
    const char *reference;
    bool is_digest;
    bool head_only;
    bool cached;            /* the cache has something for it, in `out` */
    enum counted_look look; /* what became of it */
    uint64_t age;           /* seconds since the upstream last confirmed it */
    struct stored_manifest *out;
};

/* The time of the last confirmation is that of the tag's link. */
static uint64_t proxied_tag_age(const struct proxied *proxied, const char *tag)
{
    struct path path = layout_tag_current(proxied->repository.name, tag);
    struct stat status;

    if (fstatat(proxied->repository.store->root, path.text, &status, 0) < 0) {
        return UINT64_MAX;
    }
    return clock_age(status.st_mtime);
}

static void proxied_confirm_tag(const struct proxied *proxied, const char *tag)
{
    struct path path = layout_tag_current(proxied->repository.name, tag);

    (void)utimensat(proxied->repository.store->root, path.text, NULL, 0);
}

int proxy_doubt_tag(const struct proxied *proxied, const char *tag, struct error *error)
{
    struct path path = layout_tag_current(proxied->repository.name, tag);
    const struct timespec never[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 0}};

    if (utimensat(proxied->repository.store->root, path.text, never, 0) < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "date '%s'", path.text);
    }
    return 1;
}

/* A disk that is full or fails keeps us from caching, not from serving. What is to be done about it
 * only the log can tell. */
static bool wish_bear(const char *what, const struct error *error)
{
    if (error_is_ours(error)) {
        log_warning("%s: %s", what, error->message);
    }
    return error_is_ours(error);
}

/* What cannot be read is as good as not cached. */
static int wish_look_into_cache(struct wish *wish, struct error *error)
{
    int found;

    wish->age = wish->is_digest ? 0 : proxied_tag_age(wish->proxied, wish->reference);
    stored_manifest_release(wish->out);
    found = repository_get_manifest(&wish->proxied->repository, wish->reference, wish->out, error);
    wish->cached = found > 0;
    return found < 0 && !wish_bear("a cached manifest cannot be read", error) ? -1 : 0;
}

static bool wish_is_fresh(const struct wish *wish)
{
    return wish->cached &&
           (wish->is_digest || wish->age < wish->proxied->upstream.options->tag_ttl);
}

static void wish_warn(const struct wish *wish, const char *why)
{
    struct buffer *warning = &wish->proxied->report->warning;

    buffer_clear(warning);
    buffer_format(warning, "served from the cache, %s", why);
}

/* Whether what is cached is better than asking, although it is not fresh. */
static bool wish_is_good_enough(const struct wish *wish)
{
    const struct upstream *upstream = &wish->proxied->upstream;

    if (!wish->cached) {
        return false;
    }
    if (health_is_bad(upstream->store, upstream->name)) {
        wish_warn(wish, "the upstream is in trouble");
        return true;
    }
    return wish->age < SAVING_SECONDS && health_is_short(upstream->store, upstream->name);
}

/* Without asking. */
static bool wish_can_be_met(struct wish *wish)
{
    wish->look = wish_is_fresh(wish) ? LOOK_HIT : LOOK_STALE;
    return wish->look == LOOK_HIT || wish_is_good_enough(wish);
}

static int wish_ask(const struct wish *wish, const char *method, struct answer *answer,
                    struct error *error)
{
    AUTO_BUFFER struct buffer rest = BUFFER_INIT;
    struct question question = {.method = method,
                                .repository = wish->proxied->name,
                                .accept = ACCEPTED,
                                .limit =
                                    (size_t)wish->proxied->upstream.options->maximum_manifest_size};

    buffer_format(&rest, "manifests/%s", wish->reference);
    question.rest = rest.data;
    return fetcher_ask(&wish->proxied->upstream, &question, answer, wish->proxied->report, error);
}

/* A blob that a cached manifest names may be read without asking. */
static int wish_link_blobs(const struct wish *wish, const struct manifest *manifest,
                           struct error *error)
{
    struct store *store = wish->proxied->repository.store;
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(store);

    for (size_t i = 0; i < manifest->reference_count; i++) {
        const struct reference *reference = &manifest->references[i];

        if (reference->kind == REFERENCE_BLOB &&
            link_add(&wish->proxied->repository, &reference->digest, &reference->digest, &syncs,
                     error) < 0) {
            return -1;
        }
    }
    return sync_set_flush(&syncs, error);
}

/* The digest of what came; under a digest, it has to be that one. */
static int wish_check_digest(const struct wish *wish, const struct document *document,
                             struct digest *out_digest, struct error *error)
{
    struct digest wanted = {.algorithm = DIGEST_SHA256};

    if (wish->is_digest && digest_parse(&wanted, wish->reference, error) < 0) {
        return -1;
    }
    digest_of(wanted.algorithm, document->bytes, document->length, out_digest);
    if (wish->is_digest && !digest_equal(&wanted, out_digest)) {
        report_failure(wish->proxied->report, wish->proxied->upstream.name, 200,
                       "the manifest has another digest");
        return upstream_fail(&wish->proxied->upstream, error, ERROR_UPSTREAM,
                             "sent another manifest than asked for");
    }
    return 0;
}

/* What an upstream has sent as a manifest, and what it says. */
struct fetched {
    struct document document;
    struct digest digest;
    struct manifest manifest;
};

/* Any JSON may be pushed as a manifest; what an upstream sends has to say that it is one. */
static int wish_read(const struct wish *wish, struct fetched *fetched, struct error *error)
{
    struct error reason;

    if (manifest_parse(&fetched->manifest, &fetched->document, &reason) == 0 &&
        manifest_check_count(&fetched->manifest, REFERENCES_PROXIED, &reason) == 0) {
        if (!media_type_is_generic(fetched->manifest.media_type)) {
            return wish_check_digest(wish, &fetched->document, &fetched->digest, error);
        }
        (void)error_set(&reason, ERROR_MANIFEST_INVALID, "it has no media type");
    }
    report_failure(wish->proxied->report, wish->proxied->upstream.name, 200, reason.message);
    return upstream_fail(&wish->proxied->upstream, error, ERROR_UPSTREAM,
                         "sent a manifest that is not taken: %s", reason.message);
}

static int wish_put(struct wish *wish, const struct fetched *fetched, struct error *error)
{
    AUTO_BUFFER struct buffer missing = BUFFER_INIT;
    struct repository *repository = &wish->proxied->repository;
    struct manifest_put put = {.document = fetched->document,
                               .manifest = &fetched->manifest,
                               .digest = fetched->digest,
                               .tags = &wish->reference,
                               .tag_count = wish->is_digest ? 0 : 1};

    if (store_check_space(repository->store, fetched->document.length, error) < 0 ||
        repository_put_manifest(repository, &put, &missing, error) < 0 ||
        wish_link_blobs(wish, &fetched->manifest, error) < 0) {
        return -1;
    }
    wish->proxied->has_filled = true;
    usage_add(wish->proxied->upstream.options, repository->store, fetched->document.length);
    if (!wish->is_digest) {
        proxied_confirm_tag(wish->proxied, wish->reference);
    }
    return 0;
}

static int wish_store(struct wish *wish, const struct fetched *fetched, struct error *error)
{
    const struct proxied *proxied = wish->proxied;
    int result;

    if (flight_is_lock_held(proxied)) {
        return error_set(error, ERROR_LOCK_HELD, "the lock of '%s' could not be had just now",
                         proxied->repository.name);
    }
    result = wish_put(wish, fetched, error);
    if (result < 0 && error->code == ERROR_LOCK_HELD) {
        flight_remember_held_lock(proxied);
    }
    return result;
}

static void wish_hand_over(struct wish *wish, const struct fetched *fetched)
{
    struct stored_manifest *out = wish->out;

    stored_manifest_release(out);
    out->digest = fetched->digest;
    out->size = fetched->document.length;
    memcpy(out->media_type, fetched->manifest.media_type, sizeof(out->media_type));
    buffer_add(&out->content, fetched->document.bytes, fetched->document.length);
}

/* 1, 0, -1. */
static int wish_fetch(struct wish *wish, struct error *error)
{
    AUTO_ANSWER struct answer answer = ANSWER_INIT;
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    AUTO_BUFFER struct buffer type = BUFFER_INIT;
    struct fetched fetched = {.manifest = MANIFEST_INIT};
    int found = wish_ask(wish, "GET", &answer, error);

    if (found > 0) {
        uint64_t limit = wish->proxied->upstream.options->maximum_manifest_size;

        found = http_read_all(&answer.transfer, (size_t)limit, &body, error);
        if (found == 0) {
            found = upstream_fail(&wish->proxied->upstream, error, ERROR_UPSTREAM,
                                  "sent a manifest of more than %" PRIu64
                                  " bytes ([hosted] maximum_manifest_size)",
                                  limit);
        }
        if (found < 0) {
            report_failure(wish->proxied->report, wish->proxied->upstream.name,
                           answer.transfer.status, error->message);
        }
    }
    if (found <= 0) {
        return found;
    }
    fetched.document = (struct document){
        body.data, body.length,
        http_header(&answer.transfer, "content-type", 0, &type) ? type.data : NULL};
    count_fetched(wish->proxied->upstream.name, body.length);
    wish->look = LOOK_MISS;
    found = wish_read(wish, &fetched, error);
    if (found == 0 && wish_store(wish, &fetched, error) < 0) {
        wish->look = LOOK_PASSED;
        found = wish_bear("a manifest is not kept", error) ? 0 : -1;
    }
    if (found == 0) {
        wish_hand_over(wish, &fetched);
        found = 1;
    }
    manifest_release(&fetched.manifest);
    return found;
}

enum head_result {
    HEAD_FAILED = -1,
    HEAD_ABSENT,
    HEAD_SAME,    /* the cache has it */
    HEAD_CHANGED, /* or new */
    HEAD_ANSWERS, /* the client asked for no more than this */
};

/* What the headers tell, for a client that wants nothing else. */
static bool wish_fill_from_headers(struct wish *wish, const struct answer *answer,
                                   const struct digest *digest)
{
    AUTO_BUFFER struct buffer type = BUFFER_INIT;

    if (!answer->transfer.has_length || !http_header(&answer->transfer, "content-type", 0, &type)) {
        return false;
    }
    type.data[strcspn(type.data, "; ")] = '\0';
    if (!manifest_type_is_valid(type.data) || media_type_is_generic(type.data)) {
        return false;
    }
    stored_manifest_release(wish->out);
    wish->out->digest = *digest;
    wish->out->size = answer->transfer.length;
    (void)snprintf(wish->out->media_type, sizeof(wish->out->media_type), "%s", type.data);
    return true;
}

static enum head_result wish_compare(struct wish *wish, struct error *error)
{
    AUTO_ANSWER struct answer answer = ANSWER_INIT;
    AUTO_BUFFER struct buffer field = BUFFER_INIT;
    struct digest digest;
    struct error ignored;
    int found = wish_ask(wish, "HEAD", &answer, error);

    if (found <= 0) {
        return found < 0 ? HEAD_FAILED : HEAD_ABSENT;
    }
    if (!http_header(&answer.transfer, "docker-content-digest", 0, &field) ||
        digest_parse(&digest, field.data, &ignored) < 0) {
        return HEAD_CHANGED; /* a GET will tell */
    }
    if (wish->is_digest && strcmp(digest.text, wish->reference) != 0) {
        return HEAD_CHANGED;
    }
    if (wish->cached && digest_equal(&digest, &wish->out->digest)) {
        proxied_confirm_tag(wish->proxied, wish->reference);
        return HEAD_SAME;
    }
    return wish->head_only && wish_fill_from_headers(wish, &answer, &digest) ? HEAD_ANSWERS
                                                                             : HEAD_CHANGED;
}

/* Asks the upstream. 1: the wish is fulfilled; 0: there is no such manifest; -1. */
static int wish_refresh(struct wish *wish, struct error *error)
{
    if ((wish->cached || wish->head_only) && !(wish->is_digest && !wish->head_only)) {
        switch (wish_compare(wish, error)) {
        case HEAD_FAILED:
            if (error->code != ERROR_UPSTREAM) {
                return -1;
            }
            break; /* some upstreams do not know HEAD */
        case HEAD_ABSENT:
            return 0;
        case HEAD_SAME:
            wish->look = LOOK_HIT;
            return 1;
        case HEAD_ANSWERS:
            wish->look = LOOK_PASSED;
            return 1;
        case HEAD_CHANGED:
            break;
        }
    }
    return wish_fetch(wish, error);
}

/* When the upstream does not help, the cache may. */
static int wish_fall_back(struct wish *wish, int result, struct error *error)
{
    struct error ignored;

    if (result > 0 || (result < 0 && error->code == ERROR_CLIENT_GONE) ||
        wish_look_into_cache(wish, &ignored) < 0 || !wish->cached) {
        return result;
    }
    if (result == 0) {
        wish_warn(wish, "the upstream does not have it any more");
    } else {
        report_warn(wish->proxied->report, "served from the cache, ", error);
    }
    wish->look = LOOK_STALE;
    return 1;
}

static int wish_fulfil(struct wish *wish, struct error *error)
{
    AUTO_BUFFER struct buffer subject = BUFFER_INIT;
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct digest key;
    int result;

    buffer_format(&subject, "manifests/%s", wish->reference);
    flight_key(wish->proxied, subject.data, &key);
    if (!wish->cached && flight_is_absent(wish->proxied, &key)) {
        return 0;
    }
    if (flight_begin(wish->proxied, &key, 0, &lock, error) < 0 ||
        wish_look_into_cache(wish, error) < 0) {
        return -1;
    }
    if (wish_can_be_met(wish)) { /* somebody else has asked meanwhile */
        return 1;
    }
    if (!wish->cached && flight_is_absent(wish->proxied, &key)) {
        return 0;
    }
    if (flight_is_lock_held(wish->proxied)) { /* nobody after us would learn what we are told */
        lock_release(&lock);
    }
    result = wish_refresh(wish, error);
    if (result == 0 && !wish->cached) {
        flight_remember_absence(wish->proxied, &key);
    }
    return wish_fall_back(wish, result, error);
}

int proxy_get_manifest(struct proxied *proxied, const char *reference, bool head_only,
                       struct stored_manifest *out_manifest, struct error *error)
{
    struct wish wish = {.proxied = proxied,
                        .reference = reference,
                        .is_digest = strchr(reference, ':') != NULL,
                        .head_only = head_only,
                        .out = out_manifest};
    struct digest digest;
    int found;

    if (wish.is_digest ? digest_parse(&digest, reference, error) < 0 : !tag_is_valid(reference)) {
        return wish.is_digest ? -1 : 0;
    }
    if (wish_look_into_cache(&wish, error) < 0) {
        return -1;
    }
    found = wish_can_be_met(&wish);
    if (!found && !proxied->may_wait) {
        return error_set(error, ERROR_WOULD_WAIT, "the upstream has to be asked");
    }
    if (!found) {
        found = wish_fulfil(&wish, error);
    }
    if (found > 0) {
        count_look(proxied->upstream.name, THING_MANIFEST, wish.look);
    }
    return found;
}
