/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_ASK_UPSTREAM_H
#define PROXY_ASK_UPSTREAM_H

/*
 * Another registry: whether it may be asked, how it is addressed, and whose account is used.
 * Nothing here looks at a disk or a network.
 */

#include "lib/http/client.h"
#include "lib/http/url.h"
#include "lib/proxy/ask/options.h"

/* Where the names of others' repositories live among ours: proxy/HOST/NAME. */
#define UPSTREAM_PREFIX "proxy/"

struct upstream {
    const struct proxy_options *options;
    struct store *store;                    /* the cache; proxied_open() sets it */
    const struct upstream_options *section; /* NULL: not configured */
    char name[NAME_SIZE];                   /* canonical, as it is in the cache's names */
    char url[512];                          /* without a slash at its end */
    char via[512];                          /* for the Via header; see proxied_let_wait() */
    bool allow_http;
    bool allow_private_address;
};

/*
 * From what a client calls it, in lower case, to the upstream: a host name, the alias of a section,
 * or the "host:port" of a section's address. A section for some repositories of an upstream
 * ([upstream HOST/PREFIX]) is none of these. ERROR_DENIED if the configuration does not let it be
 * asked, or it is no host name.
 */
int upstream_find(struct upstream *out_upstream, const struct proxy_options *options,
                  const char *host, struct error *error);

/*
 * Adds the names, each once, of the upstreams that the configuration names: those of sections and
 * of the list of those that may be asked, the mirror's, and Docker Hub, which everybody means.
 */
struct names;
void upstream_list_configured(const struct proxy_options *options, struct names *out);

/*
 * Whether the names of two sections, [upstream HOST] or [upstream HOST/PREFIX], mean the same:
 * Docker Hub has three names, and "a:1" and "a_1" are one directory.
 */
bool upstream_is_same(const char *one, const char *other);

/*
 * The name that a repository has there: docker.io's "debian" is "library/debian".
 * ERROR_NAME_INVALID, also if the name that it would have here is too long.
 */
int upstream_repository(const struct upstream *upstream, const char *name, char out[NAME_SIZE],
                        struct error *error);

/* The section whose credentials are for this repository, or NULL. The longest prefix wins. */
const struct upstream_options *upstream_credentials(const struct upstream *upstream,
                                                    const char *repository);

/* X of [upstream X], where what is wrong with it can be mended: the section that it has, as it is
 * written there, or the one that could be made. */
const char *upstream_section(const struct upstream *upstream);

/*
 * As error_set(), with "upstream X (host:port) " in front. All of what is said of an upstream is
 * said with this or by the HTTP client, so that a line of the log names whom it is about.
 */
int upstream_fail(const struct upstream *upstream, struct error *error, enum error_code code,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Whether a redirect or token service may be followed to this URL: NULL, or why it may not. */
const char *upstream_obstacle(const struct upstream *upstream, const struct url *url);

/*
 * Fills in what all requests to this upstream have in common, its limits of time among them. A
 * question that begins now, with its log-ins and redirects, comes to an answer within twice
 * connect_timeout and stall_timeout together, and so does what is read as a whole; what is read
 * as it comes has the minimum rate.
 */
void upstream_prepare(const struct upstream *upstream, struct http_request *request);

/* Milliseconds after which such a question has come to an answer, whoever asks it. */
int64_t upstream_patience(const struct upstream *upstream);

/* How many bytes of a body it has to send within stall_timeout, at least 1. */
uint64_t upstream_least(const struct upstream *upstream);

#endif
