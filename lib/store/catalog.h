/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_CATALOG_H
#define STORE_CATALOG_H

/*
 * What clients see of the repositories of a store. There is no list of them: the tree of their
 * names is walked each time, no further than the answer needs. For every last one see
 * lib/store/walk.
 */

#include "lib/store/tag.h"

struct catalog_query {
    const char *prefix; /* "team": only those below it, not `team` itself; "": all */
    struct page page;   /* of whole names, in the order of their bytes */
};

/*
 * Those that have at least one manifest. 1 if there are more behind the page; 0; -1. The walk is
 * left as soon as the page is full, and enters nothing that lies wholly before it.
 */
int catalog_list(struct store *store, const struct catalog_query *query, struct names *out,
                 struct error *error);

/* For a mount that does not say from where. */
struct catalog_search {
    const char *near;   /* the repository that wants the blob */
    const char *prefix; /* look only below it, as above */
    struct digest digest;
    bool (*may_look)(const void *context, const char *name); /* elsewhere it does not look */
    const void *context;
};

/* How many names are looked at: a client's guess must not cost more in a store of a million. */
enum { CATALOG_SEARCH_LIMIT = 100 };

/*
 * A repository that has this blob: `near` itself, then those that share the longest leading path
 * with it. 1, 0, -1. 0 also when nobody among the first CATALOG_SEARCH_LIMIT names has it: the
 * client then uploads. Whether the store has it anywhere is not asked: how long this takes would
 * tell the client of what it may not look at.
 */
int catalog_find_blob(struct store *store, const struct catalog_search *search,
                      char out_name[NAME_SIZE], struct error *error);

#endif
