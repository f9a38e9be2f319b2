/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_DELETED_H
#define STORE_DELETED_H

/*
 * What was deleted and can be restored, for whoever chooses among it: lib/store/restore takes it
 * back. Nothing is changed here.
 *
 *   struct store trash = STORE_INIT;
 *
 *   if (deleted_open(store, &trash, error) > 0) … repository_walk_begin(&trash, "", NULL) …
 *       deleted_list(&repository, &deleted, error) …
 *   store_close(&trash);
 */

#include "lib/store/store.h"

/*
 * Opens the tree of what was deleted, which is like the store's own, as a store that one may only
 * look at: for a walk through its repositories, and for deleted_list(). 1; 0 if nothing ever was
 * deleted; -1.
 */
int deleted_open(const struct store *store, struct store *out_trash, struct error *error);

struct deleted_thing {
    char tag[TAG_SIZE];   /* "": it is a manifest */
    struct digest digest; /* the manifest's, or of what the tag stood for */
    int64_t when;         /* in seconds since the epoch */
};

struct deleted {
    struct deleted_thing *things; /* the latest first */
    size_t count;
    bool is_cut; /* there is more */
};

enum { DELETED_LIMIT = 2000 };

#define DELETED_INIT                                                                               \
    {                                                                                              \
        .things = NULL                                                                             \
    }
#define AUTO_DELETED AUTO(deleted_release)
void deleted_release(struct deleted *deleted);

/* The tags and manifests of a repository of that tree. */
int deleted_list(const struct repository *repository, struct deleted *out, struct error *error);

#endif
