/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_ASK_HEALTH_H
#define PROXY_ASK_HEALTH_H

/*
 * What all workers remember about an upstream, so that they do not queue on the time-outs of one
 * that is down, nor spend what is left of a rate limit.
 */

#include "lib/base/lock.h"
#include "lib/http/client.h"
#include "lib/proxy/ask/report.h"
#include "lib/proxy/ask/upstream.h"
#include "lib/store/store.h"

/*
 * Whether the upstream may be asked. Fails with the error that it last failed with, for some
 * seconds after that; then one process gets `probe` and may try, while the others still fail: for
 * as long as a question may take, after which the next one may.
 */
int health_check(const struct upstream *upstream, struct lock *probe, struct report *report,
                 struct error *error);

/* The same without trying: whether health_check() would fail at once. For those who cannot wait. */
bool health_is_bad(struct store *store, const char *upstream);

/* Why it is bad, and for how many seconds. False if it is not. */
bool health_explain(struct store *store, const char *upstream, struct buffer *out_message,
                    uint64_t *out_seconds);

/* Remembers a failure for a while, or, if `retry_after` says so, for that many seconds. */
void health_record(struct store *store, const char *upstream, const struct error *error,
                   unsigned retry_after);

void health_clear(struct store *store, const char *upstream);

/* Keeps RateLimit-Remaining of a response. */
void health_record_limit(struct store *store, const char *upstream,
                         const struct http_transfer *transfer);

/* What the upstream said last of its rate limit. */
struct health_limit {
    uint64_t remaining; /* requests */
    uint64_t limit;
    uint64_t age; /* seconds since it said so */
};
/* False if it has said nothing within the last hour. */
bool health_find_limit(const struct store *store, const char *upstream, struct health_limit *out);

/* Whether so little is left of the rate limit that tags are better served past their time. */
bool health_is_short(struct store *store, const char *upstream);

#endif
