/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_ASK_CREDENTIALS_H
#define PROXY_ASK_CREDENTIALS_H

/*
 * The Authorization header for an upstream. Tokens are shared by all workers through the cache's
 * directory, renewed before they expire and removed when they have.
 *
 * A password goes to the upstream itself and to a token service in the same registrable domain, or
 * the one that is configured; nowhere else.
 */

#include "lib/proxy/ask/upstream.h"

/* What was good for this repository before, in `out`; nothing if that is unknown. 0, -1. */
int credentials_cached(const struct upstream *upstream, const char *repository, struct buffer *out,
                       struct error *error);

/*
 * Answers a 401. `transfer` is that response. 1 and the header's value; 0 if there is no way to
 * log in; -1.
 */
int credentials_obtain(const struct upstream *upstream, const char *repository,
                       const struct http_transfer *transfer, struct buffer *out,
                       struct error *error);

/*
 * What is said of a 401 or 403 after all that: whose account it is, where it is configured, or that
 * there is none. Both return what makes failing take one line: -1, and whether it was said.
 */
int credentials_refused(const struct upstream *upstream, const char *repository, int status,
                        struct error *error);

/* The same if the token service that `transfer` names may not see the account that there is. */
bool credentials_are_withheld(const struct upstream *upstream, const char *repository,
                              const struct http_transfer *transfer, struct error *error);

/*
 * Whether a token service at this URL, which the upstream has named, may see the password: under
 * https unless the upstream itself is asked without, and if its host is the upstream's, or shares a
 * registrable domain with it (addresses share none), or is the configured one.
 */
bool credentials_may_see(const struct upstream *upstream, const char *realm);

#endif
