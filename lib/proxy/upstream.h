/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_UPSTREAM_H
#define PROXY_UPSTREAM_H

/*
 * Another registry: who may be asked, how it is addressed, and one request to it with everything
 * that takes: tokens, redirects, the memory of what failed before.
 */

#include "lib/base/lock.h"
#include "lib/proxy/http_client.h"
#include "lib/proxy/options.h"
#include "lib/proxy/report.h"

struct upstream {
    const struct proxy_options *options;
    struct store *store;                    /* the cache */
    const struct upstream_options *section; /* NULL: not configured */
    char name[NAME_SIZE];                   /* canonical, as it is in the cache's names */
    char url[512];                          /* without a slash at its end */
    char via[512];                          /* for the Via header: who asked us, and we */
    bool allow_http;
    bool allow_private_address;
};

/*
 * From what a client calls it to the upstream. ERROR_DENIED if the configuration does not let it be
 * asked, or it is no host name.
 */
int upstream_find(struct upstream *out_upstream, const struct proxy_options *options,
                  const char *host, struct error *error);

/* The name that a repository has there: docker.io's "debian" is "library/debian". */
void upstream_repository(const struct upstream *upstream, const char *name, struct buffer *out);

/* The section whose credentials are for this repository, or NULL. The longest prefix wins. */
const struct upstream_options *upstream_credentials(const struct upstream *upstream,
                                                    const char *repository);

struct upstream_request {
    const char *method;
    const char *repository; /* there */
    const char *rest;       /* behind the repository: "manifests/1", "blobs/sha256:…" */
    const char *accept;     /* or NULL */
    const char *range;      /* or NULL */
    bool again;             /* part of something that has begun: do not look at past failures */
};

/* A transfer with the request that it stands for. */
struct upstream_answer {
    struct http_transfer transfer;
    struct http_request request;
    struct buffer url;
    bool with_credentials; /* an account was used */
    struct lock probe;
};

#define UPSTREAM_ANSWER_INIT                                                                       \
    {                                                                                              \
        .transfer = HTTP_TRANSFER_INIT, .request = {.headers = BUFFER_INIT}, .url = BUFFER_INIT,   \
        .probe = LOCK_INIT                                                                         \
    }
#define AUTO_UPSTREAM_ANSWER AUTO(upstream_close)

/*
 * Asks, following redirects and logging in. 1: an answer of 2xx, whose body is to be read; 0: the
 * upstream says 404; -1: ERROR_TOO_MANY_REQUESTS, ERROR_UPSTREAM…, ERROR_DENIED (an address or
 * redirect that is not allowed), with the upstream's own words in `report`.
 */
int upstream_open(const struct upstream *upstream, const struct upstream_request *request,
                  struct upstream_answer *out_answer, struct report *report, struct error *error);
void upstream_close(struct upstream_answer *answer);

/* Whether a redirect or token service may be followed to this URL. */
bool upstream_may_follow(const struct upstream *upstream, const struct url *url);

/* Fills in what all requests to this upstream have in common. */
void upstream_prepare(const struct upstream *upstream, struct http_request *request);

#endif
