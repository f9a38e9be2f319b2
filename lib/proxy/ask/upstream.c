/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/ask/upstream.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/http/address.h"

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

/* A limit of days is none that anybody waits for; it shall not overflow. */
static uint64_t upstream_milliseconds(uint64_t seconds)
{
    enum { LONGEST = 7 * 86400 };

    return (seconds < LONGEST ? seconds : LONGEST) * 1000;
}

void upstream_prepare(const struct upstream *upstream, struct http_request *request)
{
    request->proxy = upstream->options->http_proxy;
    request->ca_file = upstream->options->ca_file;
    request->connect_milliseconds = upstream_milliseconds(upstream->options->connect_timeout);
    request->stall_milliseconds = upstream_milliseconds(upstream->options->stall_timeout);
    request->allow_private_address = upstream->allow_private_address;
    request->allow_http = upstream->allow_http;
}
