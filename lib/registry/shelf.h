/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_SHELF_H
#define REGISTRY_SHELF_H

/*
 * Repositories as somebody looks for them: those that he may pull, hosted ones and those of others
 * that are in the cache, below one another as their names are. No upstream is asked.
 *
 * The tree of names is walked each time, up to SHELF_LIMIT repositories: a thousand cost a few
 * milliseconds. Sizes are as they were last counted (lib/store/sizes).
 */

#include "lib/registry/registry.h"

enum { SHELF_LIMIT = 20000 };

enum shelf_order { SHELF_BY_NAME, SHELF_NEWEST };

struct shelf_query {
    const char *within; /* a namespace: "team" for those below it; "" for all */
    const char
        *filter; /* a part of the name; "" for all. With one, namespaces are not put together */
    bool every;  /* repositories are not put together in namespaces without a filter either */
    enum shelf_order order;
    size_t skip; /* entries */
    size_t limit;
};

struct shelf_entry {
    char name[NAME_SIZE]; /* as this caller calls it; of a namespace without a slash at its end */
    bool is_namespace;
    bool is_proxied;
    uint64_t count;  /* of a namespace, its repositories; else its tags */
    int64_t changed; /* seconds since the epoch */
    bool has_size;   /* when it was last counted it was there: */
    uint64_t size;   /* bytes; of a namespace, of those of its repositories that he may pull */
};

struct shelf {
    struct shelf_entry *entries; /* of the page */
    size_t count;
    size_t capacity;
    size_t total;           /* entries that there are */
    uint64_t hosted_count;  /* repositories among them, */
    uint64_t proxied_count; /* also those within namespaces */
    bool has_sizes;         /* somebody has counted them, */
    uint64_t sized_ago;     /* so many seconds ago, at most */
    bool is_cut;            /* there may be more than were looked at */
};

#define SHELF_INIT                                                                                 \
    {                                                                                              \
        .entries = NULL                                                                            \
    }
#define AUTO_SHELF AUTO(shelf_release)
void shelf_release(struct shelf *shelf);

/* The permit is one for PERMISSION_LIST. 0; -1. */
int shelf_find(struct registry *registry, const struct permit *permit,
               const struct shelf_query *query, struct shelf *out, struct error *error);

#endif
