/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/account.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/observe/count/count.h"
#include "lib/observe/count/presence.h"

void account_open(const struct registry_options *options)
{
    static bool is_told;
    struct error error;

    if (registry_count(options, &error) < 0 && options->metrics.enabled && !is_told) {
        log_warning("metrics: each process counts for itself: %s", error.message);
        is_told = true;
    }
    presence_change(PRESENCE_BUSY); /* nobody has seen that of a worker's first request */
}

const char *account_address(const struct request *request)
{
    /* Not all proxies say for whom they ask; most say that they do. */
    static const char *const traces[] = {"HTTP_X_FORWARDED_FOR",  "HTTP_FORWARDED",
                                         "HTTP_X_REAL_IP",        "HTTP_VIA",
                                         "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO"};
    bool is_passed_on = false;

    for (size_t i = 0; i < sizeof(traces) / sizeof(*traces); i++) {
        is_passed_on = is_passed_on || request_parameter(request, traces[i]);
    }
    return is_passed_on ? NULL : request_parameter(request, "REMOTE_ADDR");
}

/* Another kind has to be given a word of its own, or be among the others. */
static enum counted_route account_route(const struct exchange *exchange)
{
    if (!exchange->has_route) {
        return exchange->page_prefix ? COUNTED_PAGE : COUNTED_OTHER;
    }
    switch (exchange->route.kind) {
    case ROUTE_BASE:
        return COUNTED_BASE;
    case ROUTE_CATALOG:
        return COUNTED_CATALOG;
    case ROUTE_TOKEN:
        return COUNTED_TOKEN;
    case ROUTE_SETUP:
        return COUNTED_OTHER;
    case ROUTE_METRICS:
        return COUNTED_METRICS;
    case ROUTE_HEALTH:
        return COUNTED_HEALTH;
    case ROUTE_BLOB:
        return COUNTED_BLOB;
    case ROUTE_UPLOADS:
    case ROUTE_UPLOAD:
        return COUNTED_UPLOAD;
    case ROUTE_MANIFEST:
        return COUNTED_MANIFEST;
    case ROUTE_TAGS:
        return COUNTED_TAGS;
    case ROUTE_REFERRERS:
        return COUNTED_REFERRERS;
    }
    return COUNTED_OTHER;
}

static int64_t account_microseconds(const struct request *request)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - request->arrived.tv_sec) * 1000000 +
           (now.tv_nsec - request->arrived.tv_nsec) / 1000;
}

/* A body that the web server has written is linked, not read. */
static uint64_t account_received(const struct request *request)
{
    return request->body_file ? request->length : request->received;
}

static void account_count(const struct exchange *exchange, int64_t microseconds)
{
    const struct response *response = &exchange->response;
    const struct source *source = &exchange->source;
    struct counted_request counted = {
        .route = account_route(exchange),
        .method = exchange->request->method,
        .status = response->status,
        .microseconds = microseconds > 0 ? (uint64_t)microseconds : 0,
        .received = account_received(exchange->request),
        .sent = response->sent,
        .is_handed_over = response->body == BODY_FILE && response->descriptor < 0,
        .upstream = source->is_proxied ? source->proxied.upstream.name : NULL};

    count_request(&counted);
}

/* What became of an answer. */
static const char *account_outcome(const struct error *error)
{
    if (!error) {
        return "";
    }
    return error->code == ERROR_CLIENT_GONE ? " client-left" : " cut-short";
}

/*
 * A line is one write, so it has a limit: a long path gives way, not what follows it.
 */
static void account_log(const struct request *request, const struct response *response,
                        int64_t microseconds, const char *outcome)
{
    enum { TARGET_LIMIT = 3072 };
    const char *target = request_target(request);
    size_t length = strcspn(target, "?");
    bool is_long = length > TARGET_LIMIT;

    log_info("%.32s %.*s%s %d %" PRIu64 " %" PRId64 "ms - %s%s", request->method,
             (int)(is_long ? TARGET_LIMIT : length), target, is_long ? "..." : "", response->status,
             response->sent, microseconds / 1000, request->id, outcome);
}

void account_answer(const struct exchange *exchange, const struct error *error)
{
    int64_t microseconds = account_microseconds(exchange->request);

    account_count(exchange, microseconds);
    account_log(exchange->request, &exchange->response, microseconds, account_outcome(error));
}

void account_failure(const struct request *request, const struct error *error)
{
    switch (error->code) {
    case ERROR_INTERNAL:
    case ERROR_NO_SPACE:
    case ERROR_DATA_LOST:
    case ERROR_LOCK_HELD:
        log_error("%s (request %s)", error->message, request->id);
        break;
    case ERROR_UPSTREAM:
    case ERROR_UPSTREAM_REFUSED:
    case ERROR_UPSTREAM_TIMEOUT:
    case ERROR_UPSTREAM_UNREACHABLE:
    case ERROR_TOO_MANY_REQUESTS:
    case ERROR_DENIED:
        log_warning("%s (request %s)", error->message, request->id);
        break;
    default:
        break;
    }
}
