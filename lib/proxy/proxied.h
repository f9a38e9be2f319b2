/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_PROXIED_H
#define PROXY_PROXIED_H

/* A repository of another registry: who has it, what it is called there, where it is cached. */

#include "lib/proxy/ask/report.h"
#include "lib/proxy/ask/upstream.h"
#include "lib/store/store.h"

struct proxied {
    struct upstream upstream;
    struct repository repository; /* of the cache */
    char name[NAME_SIZE];         /* at the upstream */
    bool may_wait;
    struct report *report;
};

/* A client's request, as far as it concerns who is asked. */
struct proxy_lookup {
    const char *host; /* as the client calls the upstream */
    const char *name; /* of the repository there */
    const char *via;  /* the client's Via header, or NULL */
    bool may_wait;
};

/* ERROR_DENIED, ERROR_NAME_INVALID; ERROR_UPSTREAM if the request comes from ourselves. */
int proxied_find(struct proxied *out_proxied, struct store *cache,
                 const struct proxy_options *options, const struct proxy_lookup *lookup,
                 struct error *error);

#endif
