/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/dispatch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi/handlers.h"
#include "fcgi/problem.h"
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

static int find_repository(struct exchange *exchange, struct error *error)
{
    if (exchange->route.kind == ROUTE_BASE || exchange->route.kind == ROUTE_CATALOG) {
        return 0;
    }
    return registry_find(exchange->registry, exchange->route.name, &exchange->repository, error);
}

static int handle(struct exchange *exchange, struct error *error)
{
    const char *method = exchange->request->method;

    if (!route_parse(exchange->request->path.data, &exchange->route)) {
        return error_set(error, ERROR_NOT_FOUND, "there is no such endpoint");
    }
    if (find_repository(exchange, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        if (endpoints[i].kind != exchange->route.kind || strcmp(endpoints[i].method, method) != 0) {
            continue;
        }
        if (!is_read(method) && exchange->registry->options->read_only) {
            response_header(&exchange->response, "Allow", "GET, HEAD");
            return error_set(error, ERROR_READ_ONLY, "the registry is read-only at the moment");
        }
        return endpoints[i].handle(exchange, error);
    }
    return refuse_method(exchange, error);
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

void dispatch(struct service *service, struct request *request)
{
    struct exchange exchange = {.registry = &service->registry,
                                .request = request,
                                .response = RESPONSE_INIT,
                                .details = BUFFER_INIT};
    struct error error = ERROR_INIT;
    int result = check_document_root(service, request, &error);

    if (result == 0) {
        result = check_parameters(request, &error);
    }
    if (result == 0) {
        result = open_registry(service, &error);
    }
    if (result == 0) {
        result = handle(&exchange, &error);
    }
    if (result < 0) {
        if (error.code == ERROR_INTERNAL || error.code == ERROR_NO_SPACE) {
            log_error("%s (request %s)", error.message, request->id);
        }
        response_error(&exchange.response, &error, &exchange.details);
    }
    if (response_send(&exchange.response, request, &error) < 0 && error.code == ERROR_INTERNAL) {
        log_error("%s (request %s)", error.message, request->id);
    }
    log_access(request, &exchange.response);
    response_reset(&exchange.response);
    buffer_release(&exchange.details);
}
