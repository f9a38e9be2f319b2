/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/dispatch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi/handle/exchange.h"
#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/base/text.h"

struct endpoint {
    enum route_kind kind;
    const char *method;
    int (*handle)(struct exchange *exchange, struct error *error);
};

static const struct endpoint endpoints[] = {
    {ROUTE_BASE, "GET", handle_base},
    {ROUTE_BASE, "HEAD", handle_base},
    {ROUTE_BLOB, "GET", handle_blob_get},
    {ROUTE_BLOB, "HEAD", handle_blob_get},
    {ROUTE_BLOB, "DELETE", handle_blob_delete},
    {ROUTE_UPLOADS, "POST", handle_uploads_post},
    {ROUTE_UPLOAD, "GET", handle_upload_get},
    {ROUTE_UPLOAD, "PATCH", handle_upload_patch},
    {ROUTE_UPLOAD, "PUT", handle_upload_put},
    {ROUTE_UPLOAD, "DELETE", handle_upload_delete},
    {ROUTE_MANIFEST, "GET", handle_manifest_get},
    {ROUTE_MANIFEST, "HEAD", handle_manifest_get},
    {ROUTE_MANIFEST, "PUT", handle_manifest_put},
    {ROUTE_MANIFEST, "DELETE", handle_manifest_delete},
    {ROUTE_TAGS, "GET", handle_tags_get},
    {ROUTE_TAGS, "HEAD", handle_tags_get},
    {ROUTE_CATALOG, "GET", handle_catalog_get},
    {ROUTE_CATALOG, "HEAD", handle_catalog_get},
    {ROUTE_REFERRERS, "GET", handle_referrers_get},
    {ROUTE_REFERRERS, "HEAD", handle_referrers_get},
};

enum { ENDPOINT_COUNT = sizeof(endpoints) / sizeof(*endpoints) };

static bool is_read(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* ERROR_UNSUPPORTED, with the methods that would do. */
static int refuse_method(struct exchange *exchange, struct error *error)
{
    AUTO_BUFFER struct buffer allowed = BUFFER_INIT;

    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        if (endpoints[i].kind == exchange->route.kind) {
            buffer_format(&allowed, "%s%s", allowed.length > 0 ? ", " : "", endpoints[i].method);
        }
    }
    response_header(&exchange->response, "Allow", "%s", allowed.data);
    return error_set(error, ERROR_UNSUPPORTED, "this method is not allowed here");
}

/* A virtual host may stand for the part of the names that begins with its own. */
static void add_namespace(const struct request *request, const char *name, struct buffer *out)
{
    const char *prefix = request_parameter(request, "BERTH_NAMESPACE");

    buffer_format(out, "%s%s%s", prefix ? prefix : "", prefix ? "/" : "", name);
}

/* Clients look for a blob (HEAD) before they push it; to pull it, they just get it. */
static bool is_push(const struct exchange *exchange)
{
    return !is_read(exchange->request->method) ||
           (exchange->route.kind == ROUTE_BLOB && strcmp(exchange->request->method, "HEAD") == 0);
}

static int find_repository(struct exchange *exchange, bool may_wait, struct error *error)
{
    const struct request *request = exchange->request;
    AUTO_BUFFER struct buffer name = BUFFER_INIT;
    const char *namespace = request_query(request, "ns");
    struct lookup lookup = {.namespace = namespace,
                            .via = request_parameter(request, "HTTP_VIA"),
                            .own_host = request_parameter(request, "HTTP_HOST"),
                            .is_push = is_push(exchange),
                            .may_wait = may_wait};

    if (exchange->route.kind == ROUTE_BASE || exchange->route.kind == ROUTE_CATALOG) {
        return 0;
    }
    add_namespace(request, exchange->route.name, &name);
    lookup.name = name.data;
    if (registry_find(exchange->registry, &lookup, &exchange->source, error) < 0) {
        return -1;
    }
    if (exchange->source.is_proxied && namespace && *namespace) {
        response_header(&exchange->response, "OCI-Namespace", "%s", namespace);
    }
    return 0;
}

static int handle(struct exchange *exchange, bool may_wait, struct error *error)
{
    const char *method = exchange->request->method;

    if (exchange->request->is_malformed) {
        return error_set(error, ERROR_REQUEST_INVALID, "an escape in the request is malformed");
    }
    if (!route_parse(exchange->request->path.data, &exchange->route)) {
        return error_set(error, ERROR_NOT_FOUND, "there is no such endpoint");
    }
    if (exchange->route.kind == ROUTE_SETUP) {
        return handle_setup(exchange, error);
    }
    if (find_repository(exchange, may_wait, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        if (endpoints[i].kind != exchange->route.kind || strcmp(endpoints[i].method, method) != 0) {
            continue;
        }
        if (!is_read(method) && exchange->registry->options->read_only) {
            return error_set(error, ERROR_READ_ONLY, "the registry is read-only at the moment");
        }
        return endpoints[i].handle(exchange, error);
    }
    return refuse_method(exchange, error);
}

/* What keeps us from serving is told to whoever is setting this up; others get the error. */
static int handle_obstacle(struct exchange *exchange, struct error *error)
{
    struct error ignored;
    int result = -1;

    exchange->obstacle = error->message;
    if (route_parse(exchange->request->path.data, &exchange->route) &&
        exchange->route.kind == ROUTE_SETUP) {
        result = handle_setup(exchange, &ignored);
    }
    exchange->obstacle = NULL;
    return result;
}

/* Whether `path` is `directory` or below it. */
static bool is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    while (length > 0 && directory[length - 1] == '/') {
        length--;
    }
    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/*
 * What the web server serves as plain files, anybody can download: neither the configuration nor a
 * store may be there.
 */
static int check_document_root(struct service *service, const struct request *request,
                               struct error *error)
{
    const char *root = request_parameter(request, "DOCUMENT_ROOT");
    const struct configuration *configuration = &service->configuration;
    const char *private[] = {configuration->file, configuration->registry.hosted.root,
                             configuration->registry.hosted.temporary,
                             configuration->registry.proxy.store.root};
    AUTO_FREE char *real_root = NULL;

    if (!root || strcmp(root, service->document_root) == 0) {
        return 0;
    }
    real_root = realpath(root, NULL);
    for (size_t i = 0; real_root && i < sizeof(private) / sizeof(*private); i++) {
        AUTO_FREE char *real = realpath(private[i], NULL);

        if (is_below(real ? real : private[i], real_root)) {
            return error_set(error, ERROR_INTERNAL,
                             "'%s' is below the web server's document root '%s', where anybody "
                             "can download it: move one of them",
                             private[i], root);
        }
    }
    if (strlen(root) < sizeof(service->document_root)) {
        (void)snprintf(service->document_root, sizeof(service->document_root), "%s", root);
    }
    return 0;
}

static int check_parameters(const struct request *request, struct error *error)
{
    const char *way = request_parameter(request, "BERTH_SENDFILE");

    if (way && !text_begins(way, "x-accel-redirect:/") && strcmp(way, "x-sendfile") != 0) {
        return error_set(error, ERROR_INTERNAL,
                         "the web server's BERTH_SENDFILE is neither x-accel-redirect:/LOCATION/ "
                         "nor x-sendfile");
    }
    return 0;
}

/* The store may come back (a network filesystem), so a failure to open it is not final. */
static int open_registry(struct service *service, struct error *error)
{
    if (!service->is_open) {
        if (registry_open(&service->registry, &service->configuration.registry, error) < 0) {
            return -1;
        }
        service->is_open = true;
    }
    return 0;
}

static void log_access(const struct request *request, const struct response *response)
{
    struct timespec now;
    int64_t milliseconds;
    const char *target = request_target(request);

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    milliseconds = (now.tv_sec - request->arrived.tv_sec) * 1000 +
                   (now.tv_nsec - request->arrived.tv_nsec) / 1000000;
    log_info("%s %.*s %d %" PRIu64 " %" PRId64 "ms - %s", request->method,
             (int)strcspn(target, "?"), target, response->status, response->sent, milliseconds,
             request->id);
}

/* What a client is told besides: RFC 9110, 15.5.6 (Allow), 10.2.3 (Retry-After); Warning. */
static void add_advice(struct exchange *exchange, const struct error *error)
{
    struct response *response = &exchange->response;
    struct report *report = &exchange->source.report;

    if ((error->code == ERROR_READ_ONLY || error->code == ERROR_UNSUPPORTED) &&
        !strstr(response->headers.data, "Allow: ")) {
        response_header(response, "Allow", "GET, HEAD");
    }
    if (error->code == ERROR_TOO_MANY_REQUESTS) {
        response_header(response, "Retry-After", "%u",
                        report->retry_after > 0 ? report->retry_after : 1 + arc4random_uniform(5));
    }
    if (exchange->details.length == 0) {
        buffer_add(&exchange->details, report->detail.data, report->detail.length);
    }
}

static void add_warning(struct exchange *exchange)
{
    enum { WARNING_LIMIT = 1000 }; /* bytes; 4096 are allowed ("Warnings") */
    struct buffer *warning = &exchange->source.report.warning;

    for (char *c = warning->data; *c; c++) {
        *c = *c == '"' || *c == '\\' || *c < 0x20 || *c > 0x7e ? '\'' : *c;
    }
    if (warning->length > 0) {
        response_header(&exchange->response, "Warning", "299 - \"%.*s\"", WARNING_LIMIT,
                        warning->data);
    }
}

static void log_failure(const struct error *error, const struct request *request)
{
    switch (error->code) {
    case ERROR_INTERNAL:
    case ERROR_NO_SPACE:
        log_error("%s (request %s)", error->message, request->id);
        break;
    case ERROR_UPSTREAM:
    case ERROR_UPSTREAM_REFUSED:
    case ERROR_UPSTREAM_TIMEOUT:
    case ERROR_UPSTREAM_UNREACHABLE:
    case ERROR_DENIED:
        log_warning("%s (request %s)", error->message, request->id);
        break;
    default:
        break;
    }
}

/* Sends the response that was made, or that the error stands for. */
static void finish(struct exchange *exchange, int result, struct error *error)
{
    struct response *response = &exchange->response;

    if (result < 0) {
        log_failure(error, exchange->request);
        add_advice(exchange, error);
        response_error(response, error, &exchange->details);
    } else {
        add_warning(exchange);
    }
    if (response_send(response, exchange->request, error) < 0) {
        log_failure(error, exchange->request);
    }
    if (!response->is_continued) {
        log_access(exchange->request, response);
    }
}

static void exchange_release(struct exchange *exchange)
{
    response_reset(&exchange->response);
    buffer_release(&exchange->details);
    source_release(&exchange->source);
}

#define EXCHANGE_INIT(the_registry, the_request)                                                   \
    {                                                                                              \
        .registry = (the_registry), .request = (the_request), .response = RESPONSE_INIT,           \
        .source = SOURCE_INIT, .details = BUFFER_INIT                                              \
    }

/* A place for a process that may wait. 1; 0 and an error if there is none. */
static int find_slot(struct exchange *exchange, struct slot *slot, struct error *error)
{
    const struct upstream *upstream = &exchange->source.proxied.upstream;
    int taken =
        slot_take(slot, upstream->store, upstream->name, upstream->options->maximum_waiting, error);

    if (taken == 0) {
        (void)error_set(error, ERROR_TOO_MANY_REQUESTS,
                        "too many requests are waiting for other registries");
    }
    return taken > 0;
}

enum dispatch_result dispatch(struct service *service, struct request *request,
                              enum dispatch_patience patience, struct slot *out_slot)
{
    struct exchange exchange = EXCHANGE_INIT(&service->registry, request);
    struct error error = ERROR_INIT;
    enum dispatch_result outcome = DISPATCH_DONE;
    int result = check_document_root(service, request, &error);

    if (result == 0) {
        result = check_parameters(request, &error);
    }
    if (result == 0) {
        result = open_registry(service, &error);
    }
    exchange.configuration = &service->configuration;
    result = result == 0 ? handle(&exchange, patience == PATIENCE_UNLIMITED, &error)
                         : handle_obstacle(&exchange, &error);
    if (result < 0 && error.code == ERROR_WOULD_WAIT && find_slot(&exchange, out_slot, &error)) {
        outcome = DISPATCH_MUST_WAIT;
    } else {
        finish(&exchange, result, &error);
    }
    exchange_release(&exchange);
    return outcome;
}

void dispatch_refuse(struct request *request, struct error *reason)
{
    struct exchange exchange = EXCHANGE_INIT(NULL, request);

    finish(&exchange, -1, reason);
    exchange_release(&exchange);
}
