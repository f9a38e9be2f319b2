/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/registry/identity.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/text.h"

enum { HOST_SIZE = 256 }; /* a host with its port, and NUL */

static int identity_refuse_name(struct error *error)
{
    return error_set(error, ERROR_NAME_INVALID, "this is not a repository name");
}

/* `host` is as upstream_find() wants it. */
static int identity_set_proxied(struct identity *out, const struct proxy_options *options,
                                const char *host, const char *name, struct error *error)
{
    struct identity found = {.is_proxied = true};
    AUTO_BUFFER struct buffer spelling = BUFFER_INIT;

    if (upstream_find(&found.upstream, options, host, error) < 0 ||
        upstream_repository(&found.upstream, name, found.there, error) < 0) {
        return -1;
    }
    buffer_format(&spelling, UPSTREAM_PREFIX "%s/%s", found.upstream.name, found.there);
    if (!text_copy(found.name, sizeof(found.name), spelling.data, spelling.length)) {
        return identity_refuse_name(error);
    }
    *out = found;
    return 0;
}

/* "proxy/<host>/<name>", or hosted here. */
static int identity_set_name(struct identity *out, const struct proxy_options *options,
                             const char *name, struct error *error)
{
    struct identity found = {.is_proxied = false};
    char host[HOST_SIZE];
    const char *slash;

    if (!name_is_valid(name)) {
        return identity_refuse_name(error);
    }
    if (!text_begins(name, UPSTREAM_PREFIX)) {
        (void)text_copy(found.name, sizeof(found.name), name, strlen(name));
        *out = found;
        return 0;
    }
    name += strlen(UPSTREAM_PREFIX);
    slash = strchr(name, '/');
    if (!slash || !text_copy(host, sizeof(host), name, (size_t)(slash - name))) {
        return error_set(error, ERROR_NAME_INVALID,
                         "the name of another registry's repository is proxy/HOST/NAME");
    }
    return identity_set_proxied(out, options, host, slash + 1, error);
}

/*
 * HOST or HOST:PORT in lower case, and nothing else: no path, by which a section for credentials
 * could be named, no user, no zone, no literal in brackets.
 */
static bool namespace_read(const char *text, char out[HOST_SIZE])
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    size_t host = strspn(text, letters);
    size_t length = host;

    if (text[length] == ':') {
        size_t port = strspn(text + length + 1, "0123456789");

        length += 1 + port;
        if (port == 0) {
            return false;
        }
    }
    if (host == 0 || text[length] != '\0' || !text_copy(out, HOST_SIZE, text, length)) {
        return false;
    }
    for (char *c = out; *c; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    }
    return true;
}

static bool is_elsewhere(const struct naming *naming)
{
    return naming->namespace && *naming->namespace &&
           !(naming->own_host && strcasecmp(naming->namespace, naming->own_host) == 0);
}

/* Whether ?ns= names the upstream that the path names, too. */
static bool namespace_agrees(const struct naming *naming, const struct proxy_options *options,
                             const struct identity *identity)
{
    struct upstream upstream;
    struct error ignored;
    char host[HOST_SIZE];

    return identity->is_proxied && is_elsewhere(naming) &&
           namespace_read(naming->namespace, host) &&
           upstream_find(&upstream, options, host, &ignored) == 0 &&
           strcmp(upstream.name, identity->upstream.name) == 0;
}

int identity_find(struct identity *out_identity, const struct proxy_options *options,
                  const struct naming *naming, struct error *error)
{
    AUTO_BUFFER struct buffer name = BUFFER_INIT;
    char host[HOST_SIZE];

    /* Who says proxy/<host>/ has said which registry: containerd adds `ns` to such a path, too. */
    if (is_elsewhere(naming) && (*naming->prefix || !text_begins(naming->name, UPSTREAM_PREFIX))) {
        if (!namespace_read(naming->namespace, host)) {
            return error_set(error, ERROR_DENIED, "ns is not the name of a host");
        }
        if (identity_set_proxied(out_identity, options, host, naming->name, error) < 0) {
            return -1;
        }
        out_identity->is_by_namespace = true;
        return 0;
    }
    buffer_format(&name, "%s%s%s", naming->prefix, *naming->prefix ? "/" : "", naming->name);
    if (identity_set_name(out_identity, options, name.data, error) < 0) {
        return -1;
    }
    out_identity->is_by_namespace = namespace_agrees(naming, options, out_identity);
    return 0;
}

int identity_prefix(char out_prefix[NAME_SIZE], const struct proxy_options *options,
                    const char *prefix, struct error *error)
{
    AUTO_BUFFER struct buffer spelling = BUFFER_INIT;
    struct upstream upstream;
    struct error ignored;
    char host[HOST_SIZE];

    if (!prefix) {
        *out_prefix = '\0';
        return 0;
    }
    if (!name_is_valid(prefix)) {
        return error_set(error, ERROR_INTERNAL,
                         "the web server's BERTH_NAMESPACE '%s' is not the beginning of a "
                         "repository name",
                         prefix);
    }
    if (text_begins(prefix, UPSTREAM_PREFIX)) {
        const char *begin = prefix + strlen(UPSTREAM_PREFIX);
        size_t length = strcspn(begin, "/");

        /* One that must not be asked stays as it is: it is refused when it is to be asked. */
        if (text_copy(host, sizeof(host), begin, length) &&
            upstream_find(&upstream, options, host, &ignored) == 0) {
            buffer_format(&spelling, UPSTREAM_PREFIX "%s", upstream.name);
            prefix = begin + length;
        }
    }
    buffer_add_text(&spelling, prefix);
    return text_copy(out_prefix, NAME_SIZE, spelling.data, spelling.length)
               ? 0
               : identity_refuse_name(error);
}

bool identity_pattern_is_canonical(const char *pattern, const struct proxy_options *options,
                                   struct buffer *out_cure)
{
    static const char any[] = "x"; /* a name without a '/' */
    struct upstream upstream;
    struct error ignored;
    char host[HOST_SIZE];
    char there[NAME_SIZE];
    const char *begin = pattern + strlen(UPSTREAM_PREFIX);
    const char *rest;
    bool is_short;

    if (!text_begins(pattern, UPSTREAM_PREFIX)) {
        return true;
    }
    rest = begin + strcspn(begin, "/");
    if (!*rest || !text_copy(host, sizeof(host), begin, (size_t)(rest - begin)) ||
        upstream_find(&upstream, options, host, &ignored) < 0 ||
        upstream_repository(&upstream, any, there, &ignored) < 0) {
        return true;
    }
    rest++;
    is_short = !strchr(rest, '/') && !strstr(rest, "**") && strcmp(there, any) != 0;
    if (strcmp(upstream.name, host) == 0 && !is_short) {
        return true;
    }
    buffer_format(out_cure, UPSTREAM_PREFIX "%s/%.*s%s", upstream.name,
                  is_short ? (int)(strlen(there) - strlen(any)) : 0, there, rest);
    return false;
}

bool identity_is_below(const struct identity *identity, const char *prefix)
{
    size_t length = strlen(prefix);

    return length == 0 || (text_begins(identity->name, prefix) && identity->name[length] == '/');
}

int identity_mirror(const struct identity *identity, const struct proxy_options *options,
                    struct identity *out_mirrored, struct error *error)
{
    const char *root = options->mirror_root;

    if (identity->is_proxied || !options->enabled || !root || !*root) {
        return 0;
    }
    return identity_set_proxied(out_mirrored, options, root, identity->name, error) < 0 ? -1 : 1;
}
