/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/upstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"
#include "lib/oci/document.h"
#include "lib/proxy/address.h"
#include "lib/proxy/credentials.h"
#include "lib/proxy/health.h"

enum {
    REDIRECT_LIMIT = 5,
    MESSAGE_LIMIT = 64 * 1024, /* bytes of an error document that are read */
};

#define DOCKER_HUB "docker.io"

/* The names that Docker Hub goes by. */
static const char *canonical(const char *host)
{
    return strcmp(host, "index.docker.io") == 0 || strcmp(host, "registry-1.docker.io") == 0
               ? DOCKER_HUB
               : host;
}

static bool is_listed(const char *list, const char *name)
{
    const char *item;
    size_t length;

    while (text_next_item(&list, ',', &item, &length)) {
        AUTO_BUFFER struct buffer entry = BUFFER_INIT;

        buffer_add(&entry, item, length);
        if (strcmp(entry.data, "*") == 0 || strcmp(canonical(entry.data), name) == 0) {
            return true;
        }
    }
    return false;
}

/* "host:port" of a configured URL is another name for the section: ?ns= may say that. */
static bool is_address_of(const struct upstream_options *section, const char *host)
{
    char address[300];
    struct url url;

    if (!section->url || !url_parse(section->url, &url)) {
        return false;
    }
    (void)snprintf(address, sizeof(address), "%s:%u", url.host, url.port);
    return strcmp(address, host) == 0;
}

static const struct upstream_options *find_section(const struct proxy_options *options,
                                                   const char *name)
{
    for (size_t i = 0; i < options->section_count; i++) {
        if (strcmp(canonical(options->sections[i].name), name) == 0) {
            return &options->sections[i];
        }
    }
    for (size_t i = 0; i < options->section_count; i++) {
        if (is_address_of(&options->sections[i], name)) {
            return &options->sections[i];
        }
    }
    return NULL;
}

int upstream_find(struct upstream *out_upstream, const struct proxy_options *options,
                  const char *host, struct error *error)
{
    struct upstream found = {.options = options};
    const char *name = canonical(host);
    const char *url;

    found.section = find_section(options, name);
    if (found.section) {
        name = canonical(found.section->name);
    }
    if (!options->enabled || (!found.section && !host_is_valid(name)) ||
        !is_listed(options->upstreams, name) || strlen(name) >= sizeof(found.name)) {
        return error_set(error, ERROR_DENIED, "this registry is not proxied here");
    }
    (void)snprintf(found.name, sizeof(found.name), "%s", name);
    for (char *c = found.name; *c; c++) {
        *c = *c == ':' ? '_' : *c; /* no repository name has a colon */
    }
    url = found.section ? found.section->url : NULL;
    if (url) {
        (void)snprintf(found.url, sizeof(found.url), "%s", url);
    } else {
        (void)snprintf(found.url, sizeof(found.url), "https://%s",
                       strcmp(name, DOCKER_HUB) == 0 ? "registry-1.docker.io" : name);
    }
    found.allow_http = text_begins(found.url, "http://");
    found.allow_private_address = found.section && found.section->allow_private_address;
    *out_upstream = found;
    return 0;
}

void upstream_repository(const struct upstream *upstream, const char *name, struct buffer *out)
{
    const char *standard = strcmp(upstream->name, DOCKER_HUB) == 0 ? "library" : NULL;

    if (upstream->section && upstream->section->default_namespace) {
        standard = upstream->section->default_namespace;
    }
    if (standard && *standard && !strchr(name, '/')) {
        buffer_format(out, "%s/", standard);
    }
    buffer_add_text(out, name);
}

const struct upstream_options *upstream_credentials(const struct upstream *upstream,
                                                    const char *repository)
{
    const struct upstream_options *best = NULL;
    size_t best_length = 0;

    for (size_t i = 0; i < upstream->options->section_count; i++) {
        const struct upstream_options *section = &upstream->options->sections[i];
        size_t host = strcspn(section->name, "/");
        const char *prefix = section->name + host + (section->name[host] == '/');
        size_t length = strlen(prefix);
        AUTO_BUFFER struct buffer name = BUFFER_INIT;

        buffer_add(&name, section->name, host);
        if (!section->username || strcmp(canonical(name.data), upstream->name) != 0 ||
            strncmp(repository, prefix, length) != 0 ||
            (length > 0 && repository[length] != '/' && repository[length] != '\0')) {
            continue;
        }
        if (!best || length > best_length) {
            best = section;
            best_length = length;
        }
    }
    return best;
}

bool upstream_may_follow(const struct upstream *upstream, const struct url *url)
{
    struct url own;

    if (strcmp(url->scheme, "https") != 0 && !upstream->allow_http) {
        return false;
    }
    return upstream->allow_private_address || url->port == 443 ||
           (url_parse(upstream->url, &own) && url->port == own.port);
}

void upstream_prepare(const struct upstream *upstream, struct http_request *request)
{
    request->proxy = upstream->options->http_proxy;
    request->ca_file = upstream->options->ca_file;
    request->connect_timeout = upstream->options->connect_timeout;
    request->stall_timeout = upstream->options->stall_timeout;
    request->allow_private_address = upstream->allow_private_address;
    request->allow_http = upstream->allow_http;
}

void upstream_close(struct upstream_answer *answer)
{
    http_close(&answer->transfer);
    buffer_release(&answer->request.headers);
    buffer_release(&answer->url);
    lock_release(&answer->probe);
}

static void set_headers(struct upstream_answer *answer, const struct upstream *upstream,
                        const struct upstream_request *request, const char *authorization)
{
    struct buffer *headers = &answer->request.headers;

    buffer_clear(headers);
    if (request->accept) {
        buffer_format(headers, "Accept: %s\n", request->accept);
    }
    if (request->range) {
        buffer_format(headers, "Range: %s\n", request->range);
    }
    if (*upstream->via) {
        buffer_format(headers, "Via: %s\n", upstream->via);
    }
    if (*authorization) {
        buffer_format(headers, "Authorization: %s\n", authorization);
    }
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Puts the target of a redirect into answer->url. `same_host` becomes false for good when it leads
 * away: nothing secret goes there. */
static int follow(struct upstream_answer *answer, const struct upstream *upstream, bool *same_host,
                  struct error *error)
{
    AUTO_BUFFER struct buffer location = BUFFER_INIT;
    AUTO_BUFFER struct buffer target = BUFFER_INIT;
    struct url from;
    struct url to;

    if (!http_header(&answer->transfer, "location", 0, &location) ||
        !url_resolve(answer->url.data, location.data, &target) || !url_parse(target.data, &to) ||
        !url_parse(answer->url.data, &from)) {
        return error_set(error, ERROR_UPSTREAM, "the upstream redirects to nowhere");
    }
    if (!upstream_may_follow(upstream, &to)) {
        return error_set(error, ERROR_UPSTREAM,
                         "the upstream redirects to where we do not follow (%s, port %u)",
                         to.scheme, to.port);
    }
    if (strcmp(from.host, to.host) != 0 || from.port != to.port ||
        strcmp(from.scheme, to.scheme) != 0) {
        *same_host = false;
    }
    buffer_clear(&answer->url);
    buffer_add(&answer->url, target.data, target.length);
    return 0;
}

/* One request and the redirects that it leads to. */
static int transfer_once(struct upstream_answer *answer, const struct upstream *upstream,
                         const struct upstream_request *request, const char *authorization,
                         struct error *error)
{
    bool same_host = true;

    buffer_clear(&answer->url);
    buffer_format(&answer->url, "%s/v2/%s/%s", upstream->url, request->repository, request->rest);
    for (int i = 0; i <= REDIRECT_LIMIT; i++) {
        set_headers(answer, upstream, request, same_host ? authorization : "");
        answer->request.url = answer->url.data;
        http_close(&answer->transfer);
        if (http_open(&answer->transfer, &answer->request, error) < 0) {
            return -1;
        }
        if (!is_redirect(answer->transfer.status)) {
            return 0;
        }
        if (follow(answer, upstream, &same_host, error) < 0) {
            return -1;
        }
    }
    return error_set(error, ERROR_UPSTREAM, "the upstream redirects in circles");
}

/* Sends the request, logging in when it is asked to. */
static int transfer_with_login(struct upstream_answer *answer, const struct upstream *upstream,
                               const struct upstream_request *request, struct error *error)
{
    AUTO_BUFFER struct buffer authorization = BUFFER_INIT;
    int found;

    if (credentials_cached(upstream, request->repository, &authorization, error) < 0 ||
        transfer_once(answer, upstream, request, authorization.data, error) < 0) {
        return -1;
    }
    if (answer->transfer.status == 401) {
        found = credentials_obtain(upstream, request->repository, &answer->transfer, &authorization,
                                   error);
        if (found < 0 || (found > 0 && transfer_once(answer, upstream, request, authorization.data,
                                                     error) < 0)) {
            return -1;
        }
    }
    answer->with_credentials =
        authorization.length > 0 && upstream_credentials(upstream, request->repository) != NULL;
    return 0;
}

static unsigned retry_after(const struct http_transfer *transfer)
{
    enum { STANDARD = 30 };
    AUTO_BUFFER struct buffer value = BUFFER_INIT;
    uint64_t seconds;

    if (http_header(transfer, "retry-after", 0, &value) &&
        text_number(value.data, value.length, &seconds) && seconds > 0 && seconds < 86400) {
        return (unsigned)seconds;
    }
    return STANDARD;
}

/* An answer that is neither 2xx nor 404, as an error. */
static int refuse(const struct upstream *upstream, struct upstream_answer *answer,
                  struct report *report, struct error *error)
{
    int status = answer->transfer.status;
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    AUTO_BUFFER struct buffer message = BUFFER_INIT;
    struct document document;
    struct error ignored;

    (void)http_read_all(&answer->transfer, MESSAGE_LIMIT, &body, &ignored);
    document = (struct document){body.data, body.length, NULL};
    if (!document_error_message(&document, &message)) {
        buffer_add(&message, body.data, strcspn(body.data, "\r\n"));
    }
    report_failure(report, upstream->name, status, message.data);
    if (status == 429) {
        report->retry_after = retry_after(&answer->transfer);
        (void)error_set(error, ERROR_TOO_MANY_REQUESTS, "the upstream %s limits our requests",
                        upstream->name);
        health_record(upstream->store, upstream->name, error, report->retry_after);
        return -1;
    }
    if (status == 401 || status == 403) {
        return error_set(error, ERROR_UPSTREAM, "the upstream %s does not let us in (%d)",
                         upstream->name, status);
    }
    (void)error_set(error, ERROR_UPSTREAM, "the upstream %s answers %d", upstream->name, status);
    if (status >= 502 && status <= 504) {
        health_record(upstream->store, upstream->name, error, 0);
    }
    return -1;
}

int upstream_open(const struct upstream *upstream, const struct upstream_request *request,
                  struct upstream_answer *out_answer, struct report *report, struct error *error)
{
    int status;

    if (!request->again &&
        health_check(upstream->store, upstream->name, &out_answer->probe, report, error) < 0) {
        return -1;
    }
    out_answer->request.method = request->method;
    upstream_prepare(upstream, &out_answer->request);
    if (transfer_with_login(out_answer, upstream, request, error) < 0) {
        report_failure(report, upstream->name, 0, error->message);
        if (error->code == ERROR_UPSTREAM_UNREACHABLE || error->code == ERROR_UPSTREAM_TIMEOUT) {
            health_record(upstream->store, upstream->name, error, 0);
        }
        return -1;
    }
    health_record_limit(upstream->store, upstream->name, &out_answer->transfer);
    status = out_answer->transfer.status;
    if (status == 404 || (status >= 200 && status < 300)) {
        if (out_answer->probe.descriptor >= 0) {
            health_clear(upstream->store, upstream->name);
        }
        return status != 404;
    }
    return refuse(upstream, out_answer, report, error);
}
