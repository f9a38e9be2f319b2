/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_EVICT_CLEAN_H
#define PROXY_EVICT_CLEAN_H

/* What repositories of a cache have of what is to go, or is not there any more. One that cannot be
 * looked at, or changed, is passed (struct passed), and the others' turn comes. */

#include "lib/proxy/evict/inventory.h"
#include "lib/proxy/evict/kept.h"

struct clean {
    const struct cache *cache;
    struct inventory *inventory;
    struct kept *kept;
    bool is_bare;   /* the repository in hand has no manifest */
    uint64_t links; /* counted: those that led nowhere */
    uint64_t repositories;
};

/*
 * Takes the manifests that are chosen, and the tags that stand for them, from all repositories;
 * their bytes stay. One that was used since, or is kept by now, is chosen no more.
 * Locking: takes kept_lock(), and in it repository_lock().
 */
int clean_manifests(struct clean *clean, struct error *error);

/*
 * Removes the links to what is gone or was not there, and repositories that have none left. Some
 * hours may pass between a link that comes with a manifest and its bytes: if one leads nowhere, it
 * goes when it is a day old, or with the last manifest.
 * Locking: takes repository_lock() of each of them.
 */
int clean_links(struct clean *clean, struct error *error);

#endif
