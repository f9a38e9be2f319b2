/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_TAG_H
#define STORE_TAG_H

/*
 * The tags of a repository: names for revisions. They change under the repository's lock, so that
 * none can move between looking and acting.
 */

#include "lib/base/names.h"
#include "lib/store/store.h"

/* 1; 0 if there is no such tag; -1. */
int tag_get(const struct repository *repository, const char *tag, struct digest *out_digest,
            struct error *error);

/* Durable once `syncs` is flushed, but for the tag's history, which nobody's answer relies on. */
int tag_set(const struct repository_lock *held, const char *tag, const struct digest *digest,
            struct sync_set *syncs, struct error *error);

/* The tag, its history and what is known of its pulls go to the trash of what was deleted. 1, 0 if
 * there was none, -1. */
int tag_delete(const struct repository_lock *held, const char *tag, struct sync_set *syncs,
               struct error *error);

/* The same, to either trash, without a sync. */
int tag_put_in_trash(const struct repository_lock *held, enum trash which, const char *tag,
                     struct error *error);

/* A page of a list that is sorted by its bytes. */
struct page {
    const char *last; /* begin behind this one; NULL or "": from the start */
    size_t limit;     /* entries */
};

/* 1 if there are more behind the page; 0; -1. */
int tag_list(const struct repository *repository, const struct page *page, struct names *out,
             struct error *error);

#endif
