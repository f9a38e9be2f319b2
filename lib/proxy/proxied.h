/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_PROXIED_H
#define PROXY_PROXIED_H

/*
 * A repository of another registry: who has it, what it is called there, where it is cached. What
 * the cache has of it can be had at once; the upstream can be asked after proxied_let_wait(). A
 * worker may_hurry: it has a blob fetched that comes in a moment.
 */

#include "lib/proxy/ask/report.h"
#include "lib/proxy/ask/upstream.h"
#include "lib/store/store.h"

struct proxied {
    struct upstream upstream;
    struct repository repository; /* of the cache */
    char name[NAME_SIZE];         /* at the upstream */
    bool may_wait;
    bool may_hurry;
    const char *via; /* the client's, for who may hurry */
    bool has_filled; /* the cache with a manifest that was not in it */
    struct report *report;
};

/* `name` is what upstream_repository() has made. The cache and the report must outlive it. */
void proxied_open(struct proxied *proxied, const struct upstream *upstream, const char *name,
                  struct store *cache, struct report *report);

/*
 * Lets it ask the upstream. `via` is the client's Via header, or NULL. ERROR_UPSTREAM if the
 * request has come through here before.
 */
int proxied_let_wait(struct proxied *proxied, const char *via, struct error *error);

/* What is sent upstream as Via, without the leave to wait: the same. */
int proxied_set_via(struct proxied *proxied, const char *via, struct error *error);

#endif
