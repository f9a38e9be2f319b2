/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/ask/upstream.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/names.h"
#include "lib/base/text.h"
#include "lib/http/address.h"

#define DOCKER_HUB "docker.io"

/*
 * The one spelling of a host that names are made of: Docker Hub under one of its names, and '_' for
 * ':', which no repository name has. False if it is too long.
 */
static bool upstream_spell(const char *host, size_t length, char out[NAME_SIZE])
{
    if (length == 0 || !text_copy(out, NAME_SIZE, host, length)) {
        return false;
    }
    for (char *c = out; *c; c++) {
        *c = *c == ':' ? '_' : *c;
    }
    if (strcmp(out, "index.docker.io") == 0 || strcmp(out, "registry-1.docker.io") == 0) {
        (void)snprintf(out, NAME_SIZE, "%s", DOCKER_HUB);
    }
    return true;
}

static bool section_is_spelled(const char *host, size_t length, const char *spelling)
{
    char own[NAME_SIZE];

    return upstream_spell(host, length, own) && strcmp(own, spelling) == 0;
}

static bool upstream_is_listed(const char *list, const char *name)
{
    const char *item;
    size_t length;

    while (text_next_item(&list, ',', &item, &length)) {
        if ((length == 1 && *item == '*') || section_is_spelled(item, length, name)) {
            return true;
        }
    }
    return false;
}

/* "host:port" of a configured URL is another name for the section: ?ns= may say that. */
static bool section_has_address(const struct upstream_options *section, const char *host)
{
    char address[300];
    struct url url;

    if (!section->url || !url_parse(section->url, &url)) {
        return false;
    }
    (void)snprintf(address, sizeof(address), "%s:%u", url.host, url.port);
    return strcmp(address, host) == 0;
}

/* A section for some repositories of an upstream holds credentials and is no upstream. */
static bool section_is_for_a_prefix(const struct upstream_options *section)
{
    return strchr(section->name, '/') != NULL;
}

bool upstream_is_same(const char *one, const char *other)
{
    size_t host = strcspn(one, "/");
    size_t other_host = strcspn(other, "/");
    char spelling[NAME_SIZE];

    return upstream_spell(other, other_host, spelling) && section_is_spelled(one, host, spelling) &&
           strcmp(one + host, other + other_host) == 0;
}

/* A configuration has one section for each spelling. */
static const struct upstream_options *section_find_spelled(const struct proxy_options *options,
                                                           const char *spelling)
{
    for (size_t i = 0; i < options->section_count; i++) {
        const struct upstream_options *section = &options->sections[i];

        if (!section_is_for_a_prefix(section) &&
            section_is_spelled(section->name, strlen(section->name), spelling)) {
            return section;
        }
    }
    return NULL;
}

static const struct upstream_options *section_find_addressed(const struct proxy_options *options,
                                                             const char *host)
{
    char spelling[NAME_SIZE];

    for (size_t i = 0; i < options->section_count; i++) {
        const struct upstream_options *section = &options->sections[i];

        if (section_has_address(section, host) &&
            upstream_spell(section->name, strlen(section->name), spelling) &&
            section_find_spelled(options, spelling) == section) {
            return section;
        }
    }
    return NULL;
}

/* A section without an address is called by it: the name of one may have a port. */
static void upstream_set_url(struct upstream *upstream)
{
    const struct upstream_options *section = upstream->section;
    const char *host = section ? section->name : upstream->name;

    if (strcmp(upstream->name, DOCKER_HUB) == 0) {
        host = "registry-1.docker.io";
    }
    (void)snprintf(upstream->url, sizeof(upstream->url), "%s%s",
                   section && section->url ? "" : "https://",
                   section && section->url ? section->url : host);
}

int upstream_find(struct upstream *out_upstream, const struct proxy_options *options,
                  const char *host, struct error *error)
{
    struct upstream found = {.options = options};
    bool is_known = upstream_spell(host, strlen(host), found.name);

    if (is_known) {
        found.section = section_find_spelled(options, found.name);
        found.section = found.section ? found.section : section_find_addressed(options, host);
        is_known = found.section ? upstream_spell(found.section->name, strlen(found.section->name),
                                                  found.name)
                                 : host_is_valid(found.name);
    }
    if (!options->enabled || !is_known || !upstream_is_listed(options->upstreams, found.name)) {
        return error_set(error, ERROR_DENIED, "this registry is not proxied here");
    }
    upstream_set_url(&found);
    found.allow_http = text_begins(found.url, "http://");
    found.allow_private_address = found.section && found.section->allow_private_address;
    *out_upstream = found;
    return 0;
}

static void upstream_list_one(const struct proxy_options *options, const char *text, size_t length,
                              struct names *out)
{
    AUTO_BUFFER struct buffer host = BUFFER_INIT;
    struct upstream upstream;
    struct error ignored;

    buffer_add(&host, text, length);
    if (upstream_find(&upstream, options, host.data, &ignored) < 0) {
        return;
    }
    for (size_t i = 0; i < out->count; i++) {
        if (strcmp(out->names[i], upstream.name) == 0) {
            return;
        }
    }
    names_add(out, upstream.name);
}

void upstream_list_configured(const struct proxy_options *options, struct names *out)
{
    const char *list = options->upstreams;
    const char *item;
    size_t length;

    upstream_list_one(options, DOCKER_HUB, strlen(DOCKER_HUB), out);
    upstream_list_one(options, options->mirror_root, strlen(options->mirror_root), out);
    for (size_t i = 0; i < options->section_count; i++) {
        const char *name = options->sections[i].name;

        upstream_list_one(options, name, strcspn(name, "/"), out);
    }
    while (text_next_item(&list, ',', &item, &length)) {
        upstream_list_one(options, item, length, out);
    }
}

int upstream_repository(const struct upstream *upstream, const char *name, char out[NAME_SIZE],
                        struct error *error)
{
    const char *standard = strcmp(upstream->name, DOCKER_HUB) == 0 ? "library" : "";
    AUTO_BUFFER struct buffer there = BUFFER_INIT;
    AUTO_BUFFER struct buffer here = BUFFER_INIT;

    if (upstream->section && upstream->section->default_namespace) {
        standard = upstream->section->default_namespace;
    }
    if (*standard && !strchr(name, '/')) {
        buffer_format(&there, "%s/", standard);
    }
    buffer_add_text(&there, name);
    buffer_format(&here, UPSTREAM_PREFIX "%s/%s", upstream->name, there.data);
    if (!name_is_valid(there.data) || !name_is_valid(here.data)) {
        return error_set(error, ERROR_NAME_INVALID, "this is not a repository name");
    }
    (void)snprintf(out, NAME_SIZE, "%s", there.data);
    return 0;
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

        if (!section->username || !section_is_spelled(section->name, host, upstream->name) ||
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

const char *upstream_section(const struct upstream *upstream)
{
    return upstream->section ? upstream->section->name : upstream->name;
}

int upstream_fail(const struct upstream *upstream, struct error *error, enum error_code code,
                  const char *format, ...)
{
    struct http_party party = {upstream_section(upstream), upstream->url};
    va_list arguments;
    int result;

    va_start(arguments, format);
    result = party_fail_list(&party, error, code, format, arguments);
    va_end(arguments);
    return result;
}

const char *upstream_obstacle(const struct upstream *upstream, const struct url *url)
{
    struct url own;

    if (strcmp(url->scheme, "https") != 0 && !upstream->allow_http) {
        return "plain http is only for url = http://...";
    }
    if (upstream->allow_private_address || url->port == 443 ||
        (url_parse(upstream->url, &own) && url->port == own.port)) {
        return NULL;
    }
    return "another port is only for allow_private_address = yes";
}

/* A limit of days is none that anybody waits for; it shall not overflow. */
static uint64_t upstream_seconds(uint64_t seconds)
{
    enum { LONGEST = 7 * 86400 };

    return seconds < LONGEST ? seconds : LONGEST;
}

/* Of both limits together. */
static int64_t upstream_milliseconds(const struct upstream *upstream)
{
    return (int64_t)(upstream_seconds(upstream->options->connect_timeout) +
                     upstream_seconds(upstream->options->stall_timeout)) *
           1000;
}

int64_t upstream_patience(const struct upstream *upstream)
{
    enum { BEYOND = 5000 }; /* for who asks */

    return 2 * upstream_milliseconds(upstream) + BEYOND;
}

uint64_t upstream_least(const struct upstream *upstream)
{
    uint64_t least =
        upstream->options->minimum_rate * upstream_seconds(upstream->options->stall_timeout);

    return least > 0 ? least : 1;
}

void upstream_prepare(const struct upstream *upstream, struct http_request *request)
{
    request->upstream = upstream_section(upstream);
    request->proxy = upstream->options->http_proxy;
    request->ca_file = upstream->options->ca_file;
    request->connect_milliseconds = upstream_seconds(upstream->options->connect_timeout) * 1000;
    request->stall_milliseconds = upstream_seconds(upstream->options->stall_timeout) * 1000;
    request->minimum_rate = upstream->options->minimum_rate;
    request->deadline = clock_milliseconds() + 2 * upstream_milliseconds(upstream);
    request->allow_private_address = upstream->allow_private_address;
    request->allow_http = upstream->allow_http;
}
