/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_ASK_QUESTION_H
#define PROXY_ASK_QUESTION_H

/*
 * One question to another registry, with everything that takes: logging in, redirects, and the
 * memory of what failed before.
 */

#include "lib/base/lock.h"
#include "lib/proxy/ask/report.h"
#include "lib/proxy/ask/upstream.h"

struct question {
    const char *method;
    const char *repository; /* there */
    const char *rest;       /* behind the repository: "manifests/1", "blobs/sha256:…" */
    const char *accept;     /* or NULL */
    const char *range;      /* or NULL */
    int64_t deadline;       /* the first one's, of questions that have it together; 0: its own */
    size_t limit;           /* bytes of the body that are wanted, where another process asks:
                               lib/proxy/fill/fetcher */
    bool again;             /* part of something that has begun: do not look at past failures */
};

/* A transfer with the request that it stands for. */
struct answer {
    struct http_transfer transfer;
    struct http_request request;
    struct buffer url;
    bool with_credentials; /* an account was used */
    struct lock probe;
};

#define ANSWER_INIT                                                                                \
    {                                                                                              \
        .transfer = HTTP_TRANSFER_INIT, .request = {.headers = BUFFER_INIT}, .url = BUFFER_INIT,   \
        .probe = LOCK_INIT                                                                         \
    }
#define AUTO_ANSWER AUTO(answer_release)

/*
 * Asks, following redirects and logging in. 1: an answer of 2xx, whose body is to be read; 0: the
 * upstream says 404; -1: ERROR_TOO_MANY_REQUESTS, ERROR_UPSTREAM…, ERROR_DENIED (an address or
 * redirect that is not allowed), with the upstream's own words in `report`.
 */
int question_ask(const struct upstream *upstream, const struct question *question,
                 struct answer *out_answer, struct report *report, struct error *error);
void answer_release(struct answer *answer);

/* Which bytes of the whole the body of an answer has. */
struct extent {
    uint64_t first;
    bool has_total;
    uint64_t total; /* bytes of the whole */
};

/*
 * ERROR_UPSTREAM if it is a part, but does not say which; and if there is nothing where the digest
 * is not that of nothing: no byte would ever come by which that is noticed.
 */
int answer_extent(const struct answer *answer, const struct digest *digest, struct extent *out,
                  struct error *error);

#endif
