/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/dispatch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi/account.h"
#include "fcgi/document_root.h"
#include "fcgi/handle/exchange.h"
#include "fcgi/page/page.h"
#include "fcgi/tell.h"
#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/base/text.h"

struct endpoint {
    const char *method;
    int (*handle)(struct exchange *exchange, struct error *error);
    enum route_kind kind;
    enum permission permission;
};

/* Nothing of a row can be left out. Whether it names a repository follows from the permission. */
#define ENDPOINT(kind, method, permission, handler)                                                \
    {                                                                                              \
#method, handle_##handler, ROUTE_##kind, PERMISSION_##permission                           \
    }

static const struct endpoint endpoints[] = {
    ENDPOINT(BASE, GET, LOGIN, base),
    ENDPOINT(BASE, HEAD, LOGIN, base),
    ENDPOINT(TOKEN, GET, NONE, token_get),
    ENDPOINT(TOKEN, POST, NONE, token_post),
    ENDPOINT(CATALOG, GET, LIST, catalog_get),
    ENDPOINT(CATALOG, HEAD, LIST, catalog_get),
    ENDPOINT(SETUP, GET, TOKEN, setup_get),
    ENDPOINT(SETUP, POST, TOKEN, setup_post),
    ENDPOINT(METRICS, GET, METRICS, metrics_get),
    ENDPOINT(METRICS, HEAD, METRICS, metrics_get),
    ENDPOINT(HEALTH, GET, NONE, health_get),
    ENDPOINT(HEALTH, HEAD, NONE, health_get),
    ENDPOINT(BLOB, GET, PULL, blob_get),
    ENDPOINT(BLOB, HEAD, PULL, blob_get),
    ENDPOINT(BLOB, DELETE, DELETE, blob_delete),
    ENDPOINT(UPLOADS, POST, PUSH, uploads_post),
    ENDPOINT(UPLOAD, GET, RESUME, upload_get),
    ENDPOINT(UPLOAD, PATCH, PUSH, upload_patch),
    ENDPOINT(UPLOAD, PUT, PUSH, upload_put),
    ENDPOINT(UPLOAD, DELETE, PUSH, upload_delete),
    ENDPOINT(MANIFEST, GET, PULL, manifest_get),
    ENDPOINT(MANIFEST, HEAD, PULL, manifest_get),
    ENDPOINT(MANIFEST, PUT, PUSH, manifest_put),
    ENDPOINT(MANIFEST, DELETE, DELETE, manifest_delete),
    ENDPOINT(TAGS, GET, PULL, tags_get),
    ENDPOINT(TAGS, HEAD, PULL, tags_get),
    ENDPOINT(REFERRERS, GET, PULL, referrers_get),
    ENDPOINT(REFERRERS, HEAD, PULL, referrers_get),
};

enum { ENDPOINT_COUNT = sizeof(endpoints) / sizeof(*endpoints) };

/* `method` is NULL for any. */
static const struct endpoint *endpoint_find(enum route_kind kind, const char *method)
{
    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        if (endpoints[i].kind == kind && (!method || strcmp(endpoints[i].method, method) == 0)) {
            return &endpoints[i];
        }
    }
    return NULL;
}

static bool route_names_repository(enum route_kind kind)
{
    const struct endpoint *any = endpoint_find(kind, NULL);

    return any && permission_names_repository(any->permission);
}

/*
 * ERROR_UNSUPPORTED, with the methods that would do; or what is said of an endpoint that this
 * caller must not know of.
 */
static int refuse_method(struct exchange *exchange, struct error *error)
{
    AUTO_BUFFER struct buffer allowed = BUFFER_INIT;
    struct permit permit = PERMIT_INIT;

    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        const struct endpoint *endpoint = &endpoints[i];

        if (endpoint->kind != exchange->route.kind) {
            continue;
        }
        if (permission_is_hidden(endpoint->permission) &&
            registry_permit(&exchange->caller, NULL, endpoint->permission, &permit, error) < 0) {
            return -1;
        }
        buffer_format(&allowed, "%s%s", allowed.length > 0 ? ", " : "", endpoint->method);
    }
    response_header(&exchange->response, "Allow", "%s", allowed.data);
    return error_set(error, ERROR_UNSUPPORTED, "this method is not allowed here");
}

/* What this caller may do here with what is stored, when something else was refused. */
static void add_permitted(struct exchange *exchange, const struct identity *identity)
{
    AUTO_BUFFER struct buffer allowed = BUFFER_INIT;

    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        const struct endpoint *endpoint = &endpoints[i];
        struct permit permit = PERMIT_INIT;
        struct error refusal;

        if (endpoint->kind == exchange->route.kind &&
            (endpoint->permission == PERMISSION_PULL ||
             endpoint->permission == PERMISSION_DELETE) &&
            registry_permit(&exchange->caller, identity, endpoint->permission, &permit, &refusal) ==
                0) {
            buffer_format(&allowed, "%s%s", allowed.length > 0 ? ", " : "", endpoint->method);
        }
    }
    if (allowed.length > 0) {
        response_header(&exchange->response, "Allow", "%s", allowed.data);
    }
}

/* Whether an answer has to say which methods would do (RFC 9110, 15.5.6). */
static bool wants_allow(const struct error *error)
{
    return error->code == ERROR_READ_ONLY || error->code == ERROR_UNSUPPORTED;
}

/* Clients look for a blob (HEAD) before they push it; to pull it, they just get it. */
static enum registry_reach choose_reach(const struct endpoint *endpoint)
{
    bool is_push = endpoint->permission != PERMISSION_PULL ||
                   (endpoint->kind == ROUTE_BLOB && strcmp(endpoint->method, "HEAD") == 0);

    return is_push ? REACH_HOSTED : REACH_MIRROR;
}

/* Which repository the request is about. */
static int read_identity(const struct exchange *exchange, struct identity *out, struct error *error)
{
    struct naming naming = {.name = exchange->route.name,
                            .namespace = request_query(exchange->request, "ns"),
                            .own_host = request_parameter(exchange->request, "HTTP_HOST"),
                            .prefix = exchange->caller.prefix};

    return identity_find(out, &exchange->caller.options->proxy, &naming, error);
}

static int open_source(struct exchange *exchange, enum registry_reach reach, bool may_wait,
                       struct error *error)
{
    struct source *source = &exchange->source;
    const char *via = request_parameter(exchange->request, "HTTP_VIA");

    if (registry_find(exchange->registry, &exchange->permit, reach, source, error) < 0 ||
        (may_wait && source_let_wait(source, via, error) < 0)) {
        return -1;
    }
    if (!may_wait) {
        source_let_hurry(source, via);
    }
    if (permit_identity(&exchange->permit)->is_by_namespace) {
        response_header(&exchange->response, "OCI-Namespace", "%s",
                        request_query(exchange->request, "ns"));
    }
    return 0;
}

/* Where credentials that are no good are somebody else's matter. */
static bool needs_login(const struct endpoint *endpoint)
{
    return !permission_is_hidden(endpoint->permission) && endpoint->permission != PERMISSION_NONE;
}

static bool is_refused(const struct error *error)
{
    return error->code == ERROR_DENIED || error->code == ERROR_UNAUTHORIZED;
}

/*
 * Whoever may not see what is hosted under a name may see the mirror's under the same name,
 * whatever is hosted: so the mirror tells nothing of that.
 */
static int find_permit(struct exchange *exchange, const struct endpoint *endpoint,
                       const struct identity *identity, struct error *error)
{
    struct identity mirrored;
    struct error ignored;

    if (registry_permit(&exchange->caller, identity, endpoint->permission, &exchange->permit,
                        error) == 0) {
        return 0;
    }
    if (!identity) {
        return -1;
    }
    if (endpoint->permission == PERMISSION_PULL && is_refused(error) &&
        identity_mirror(identity, &exchange->caller.options->proxy, &mirrored, &ignored) > 0 &&
        registry_permit(&exchange->caller, &mirrored, PERMISSION_PULL, &exchange->permit,
                        &ignored) == 0) {
        return 0;
    }
    if (wants_allow(error)) {
        add_permitted(exchange, identity);
    } else if (is_refused(error)) {
        handle_add_refusal(exchange, identity, endpoint->permission);
    }
    return -1;
}

/* A manifest that says itself that it is too long: nobody writes its megabytes to a disk first. */
static int check_announced(const struct exchange *exchange, struct error *error)
{
    uint64_t limit = exchange->caller.options->maximum_manifest_size;

    return exchange->route.kind != ROUTE_MANIFEST || exchange->request->announced <= limit
               ? 0
               : error_set(error, ERROR_MANIFEST_TOO_LARGE,
                           "the manifest is longer than %" PRIu64 " bytes", limit);
}

/* Whether a body would be of use: nothing is in the way that is known without it. */
static int answer_question(struct exchange *exchange, const struct endpoint *endpoint,
                           struct error *error)
{
    if (endpoint->permission == PERMISSION_PUSH &&
        (check_announced(exchange, error) < 0 ||
         open_source(exchange, REACH_HOSTED, false, error) < 0 ||
         source_check_space(&exchange->source, exchange->request->announced, error) < 0)) {
        return -1;
    }
    if (exchange->request->pass == PASS_WHY) {
        return error_set(error, ERROR_TOO_MANY_REQUESTS,
                         "what was refused a moment ago would be taken now: try again");
    }
    exchange->response.is_continued = true;
    return 0;
}

/* What is meant, whether this caller may, where it is; then the handler. */
static int handle(struct exchange *exchange, bool may_wait, struct error *error)
{
    const struct endpoint *endpoint;
    struct identity identity;
    bool names_repository;

    if (exchange->request->is_malformed) {
        return error_set(error, ERROR_REQUEST_INVALID,
                         "an escape in the request, or its length, is malformed");
    }
    if (exchange->page_prefix) {
        return page_answer(exchange, error);
    }
    if (!route_parse(exchange->request->path.data, &exchange->route)) {
        return error_set(error, ERROR_NOT_FOUND, "there is no such endpoint");
    }
    exchange->has_route = true;
    names_repository = route_names_repository(exchange->route.kind);
    if (names_repository && read_identity(exchange, &identity, error) < 0) {
        return -1;
    }
    endpoint = endpoint_find(exchange->route.kind, exchange->request->method);
    if (!endpoint) {
        return refuse_method(exchange, error);
    }
    exchange->wanted = endpoint->permission;
    if (exchange->refusal.code != ERROR_NONE && needs_login(endpoint)) {
        *error = exchange->refusal;
        return -1;
    }
    if (find_permit(exchange, endpoint, names_repository ? &identity : NULL, error) < 0) {
        return -1;
    }
    if (exchange->request->pass != PASS_WHOLE) {
        return answer_question(exchange, endpoint, error);
    }
    if (names_repository && open_source(exchange, choose_reach(endpoint), may_wait, error) < 0) {
        return -1;
    }
    return endpoint->handle(exchange, error);
}

/* What keeps us from serving is told to whoever is setting this up, and that something does to who
 * asks how we are; others get the error. */
static int handle_obstacle(struct exchange *exchange, struct error *error)
{
    const struct endpoint *endpoint = NULL;
    struct error ignored;
    int result = -1;

    exchange->obstacle = error->message;
    if (route_parse(exchange->request->path.data, &exchange->route)) {
        endpoint = endpoint_find(exchange->route.kind, exchange->request->method);
    }
    exchange->has_route = endpoint != NULL;
    if (endpoint && (endpoint->kind == ROUTE_HEALTH || endpoint->permission == PERMISSION_TOKEN) &&
        registry_permit(&exchange->caller, NULL, endpoint->permission, &exchange->permit,
                        &ignored) == 0) {
        result = exchange->request->pass != PASS_WHOLE
                     ? answer_question(exchange, endpoint, &ignored)
                     : endpoint->handle(exchange, &ignored);
    }
    exchange->obstacle = NULL;
    return result;
}

/* lighttpd comes once more for a file that it has missed, with another path of its own, which what
 * it was told to refuse need not be about: that stays refused. */
static bool comes_wrongly_again(const struct request *request)
{
    const char *status = request_parameter(request, "REDIRECT_STATUS");

    return request_parameter(request, "BERTH_AGAIN") && !(status && strcmp(status, "404") == 0);
}

/* What the web server says, which is to be right before anything is served. */
static int check_parameters(struct exchange *exchange, struct error *error)
{
    const char *way = request_parameter(exchange->request, "BERTH_SENDFILE");
    const char *prefix = request_setting(exchange->request, "BERTH_NAMESPACE");
    const char *authentication = request_parameter(exchange->request, "BERTH_AUTHENTICATION");

    if (way && !text_begins(way, "x-accel-redirect:/") && strcmp(way, "x-sendfile") != 0) {
        return error_set(error, ERROR_INTERNAL,
                         "the web server's BERTH_SENDFILE is neither x-accel-redirect:/LOCATION/ "
                         "nor x-sendfile");
    }
    if (authentication && strcmp(authentication, "none") != 0) {
        return error_set(error, ERROR_INTERNAL,
                         "the web server's BERTH_AUTHENTICATION is not none, which is all that it "
                         "can be");
    }
    if (comes_wrongly_again(exchange->request)) {
        return error_set(error, ERROR_DENIED, "the web server refuses this");
    }
    exchange->caller.cannot_log_in = authentication != NULL;
    return identity_prefix(exchange->caller.prefix, &exchange->caller.options->proxy, prefix,
                           error) < 0
               ? -1
               : page_find(exchange, error);
}

static void open_access(struct service *service, struct exchange *exchange)
{
    const struct access_options *options = &service->configuration.registry.access;

    if (!service->access) {
        service->access = access_open(options);
    }
    exchange->access = options->mode != ACCESS_NONE ? service->access : NULL;
    exchange->signer = service->access;
}

/* The store may come back (a network filesystem), so a failure to open it is not final. */
static int open_registry(struct service *service, struct error *error)
{
    if (!service->is_open) {
        if (registry_open(&service->registry, &service->configuration.registry, error) < 0) {
            return -1;
        }
        service->is_open = true;
        account_open(&service->configuration.registry);
    }
    return 0;
}

/* What a client is told besides: RFC 9110, 15.5.6 (Allow), 10.2.3 (Retry-After); Warning. */
static void add_advice(struct exchange *exchange, const struct error *error)
{
    struct response *response = &exchange->response;
    struct report *report = &exchange->source.report;

    if (wants_allow(error) && !strstr(response->headers.data, "Allow: ")) {
        response_header(response, "Allow", "GET, HEAD");
    }
    if (error->code == ERROR_TOO_MANY_REQUESTS || error->code == ERROR_UNAVAILABLE) {
        response_header(response, "Retry-After", "%u",
                        report->retry_after > 0 ? report->retry_after : 1 + arc4random_uniform(5));
    }
    if (exchange->details.length == 0) {
        buffer_add(&exchange->details, report->detail.data, report->detail.length);
    }
}

/* What somebody deletes is said to be in the trash, but where there was no room for it. */
static void add_loss(struct exchange *exchange)
{
    struct registry *registry = exchange->registry;

    if (registry && registry->lost > 0) {
        log_warning("there was no room in the trash for %" PRIu64
                    " files: they are deleted for good (request %s)",
                    registry->lost, exchange->request->id);
        buffer_add_text(&exchange->source.report.warning,
                        "there was no room in the trash: what was deleted cannot be taken back");
        registry->lost = 0;
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

static void add_timing(struct exchange *exchange)
{
    AUTO_BUFFER struct buffer timing = BUFFER_INIT;

    report_add_timing(&exchange->source.report, &timing);
    if (timing.length > 0) {
        response_header(&exchange->response, "Server-Timing", "%s", timing.data);
    }
}

/* Sends the response that was made, or that the error stands for. */
static void finish(struct exchange *exchange, int result, struct error *error)
{
    struct response *response = &exchange->response;
    int sent;

    add_loss(exchange);
    if (result < 0) {
        account_failure(exchange->request, error);
        if (exchange->request->pass != PASS_WHOLE && error->code == ERROR_INTERNAL) {
            (void)error_set(error, ERROR_UNAVAILABLE, "the registry cannot answer now");
        }
        add_advice(exchange, error);
        if (exchange->page_prefix) {
            page_refuse(exchange, error);
        } else if (error->code == ERROR_UNAUTHORIZED && exchange->access) {
            handle_add_challenge(exchange);
        }
        if (!exchange->page_prefix) {
            response_error(response, error, &exchange->details);
        }
    } else {
        add_warning(exchange);
    }
    tell_exchange(exchange, result < 0 ? error : NULL);
    if (handle_is_private(exchange)) {
        response_make_private(response);
    }
    add_timing(exchange);
    sent = response_send(response, exchange->request, error);
    if (sent < 0) {
        account_failure(exchange->request, error);
    }
    if (!response->is_continued) {
        account_answer(exchange, sent < 0 ? error : NULL);
    }
}

/* To nginx, which asks for the answer itself once more if it is no. */
static void finish_question(struct exchange *exchange, int result)
{
    struct error ignored;

    response_reset(&exchange->response);
    exchange->response.status = result < 0 ? 403 : 200;
    (void)response_send(&exchange->response, exchange->request, &ignored);
}

static void exchange_release(struct exchange *exchange)
{
    response_reset(&exchange->response);
    buffer_release(&exchange->details);
    buffer_wipe(&exchange->session);
    names_release(&exchange->deed.changes);
    source_release(&exchange->source);
}

#define EXCHANGE_INIT(the_registry, the_request)                                                   \
    {                                                                                              \
        .registry = (the_registry), .request = (the_request), .response = RESPONSE_INIT,           \
        .permit = PERMIT_INIT, .source = SOURCE_INIT, .details = BUFFER_INIT,                      \
        .session = BUFFER_INIT, .refusal = ERROR_INIT                                              \
    }

/* A place for a process that may wait, for another registry or for who vouches for the caller. 1; 0
 * and an error if there is none. Where places cannot be counted nobody may wait: that cache
 * is to a client as one that is full. */
static int find_slot(struct exchange *exchange, struct slot *slot, struct error *error)
{
    const struct upstream *upstream = &exchange->source.proxied.upstream;
    bool waits_for_issuer = !exchange->source.is_proxied;
    int taken = waits_for_issuer ? access_take_place(exchange->access, &slot->all, error)
                                 : slot_take(slot, SLOT_WAITING, upstream, error);

    if (taken < 0 && !waits_for_issuer) {
        error->code = ERROR_NO_SPACE;
    } else if (taken == 0) {
        (void)error_set(error, ERROR_TOO_MANY_REQUESTS, "too many requests are waiting for %s",
                        waits_for_issuer ? "issuers of tokens" : "other registries");
    }
    return taken > 0;
}

enum dispatch_result dispatch(struct service *service, struct request *request,
                              enum dispatch_patience patience, struct slot *out_slot)
{
    struct exchange exchange = EXCHANGE_INIT(&service->registry, request);
    struct error error = ERROR_INIT;
    enum dispatch_result outcome = DISPATCH_DONE;
    int result =
        document_root_check(&service->configuration, request, service->document_root, &error);

    exchange.source.changed = tell_note_change; /* also by the page's forms */
    exchange.source.done = tell_done;
    exchange.source.teller = &exchange;
    exchange.may_wait = patience == PATIENCE_UNLIMITED;
    exchange.configuration = &service->configuration;
    exchange.caller.options = &service->configuration.registry;
    exchange.caller.address = account_address(request);
    exchange.caller.token = request_parameter(request, "HTTP_BERTH_SETUP");
    if (result == 0) {
        result = check_parameters(&exchange, &error);
    }
    if (result == 0) {
        open_access(service, &exchange);
        if (exchange.access && patience == PATIENCE_UNLIMITED) {
            access_let_wait(exchange.access);
        }
        result = open_registry(service, &error);
    }
    if (result == 0) {
        handle_identify(&exchange); /* by keys that are in the store */
        page_identify(&exchange);
    }
    result = result == 0 ? handle(&exchange, patience == PATIENCE_UNLIMITED, &error)
                         : handle_obstacle(&exchange, &error);
    if (result < 0 && error.code == ERROR_WOULD_WAIT && find_slot(&exchange, out_slot, &error)) {
        outcome = DISPATCH_MUST_WAIT;
    } else if (request->pass == PASS_MAY) {
        finish_question(&exchange, result);
    } else {
        finish(&exchange, result, &error);
    }
    exchange_release(&exchange);
    return outcome;
}

void dispatch_refuse(struct request *request, struct error *reason)
{
    struct exchange exchange = EXCHANGE_INIT(NULL, request);

    if (request->pass == PASS_MAY) {
        finish_question(&exchange, -1);
    } else {
        finish(&exchange, -1, reason);
    }
    exchange_release(&exchange);
}
