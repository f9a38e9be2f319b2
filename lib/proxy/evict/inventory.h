/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_EVICT_INVENTORY_H
#define PROXY_EVICT_INVENTORY_H

/*
 * Everything that a cache stores, in memory: 200 bytes for each blob and manifest. What is there to
 * be decided about; what comes while it is taken may be missing.
 */

#include "lib/store/blob.h"

struct inventory_item {
    struct digest digest;
    struct blob_status status;
    bool is_manifest; /* of some repository */
    uint32_t links;   /* of repositories that have it */
    bool is_chosen;   /* to go */
    bool is_gone;
};

/* What could not be looked at, or removed: it stays, and keeps nothing else from going. */
struct passed {
    uint64_t count;   /* the same may be met several times */
    struct error why; /* of the first */
};

void passed_add(struct passed *passed, const struct error *why);

struct inventory {
    struct inventory_item *items; /* sorted by their digests */
    size_t count;
    size_t capacity;
    uint64_t room;           /* bytes that all of them take */
    bool is_tidy;            /* directories that a crash has left empty are removed on the way */
    const struct lock *held; /* NULL, or what is refreshed on the way */
    int64_t shown;           /* when that was last done, in milliseconds */
    struct passed passed;
};

#define INVENTORY_INIT                                                                             \
    {                                                                                              \
        .items = NULL, .count = 0, .capacity = 0                                                   \
    }
#define AUTO_INVENTORY AUTO(inventory_release)
void inventory_release(struct inventory *inventory);

/* Fails where nothing at all can be seen; else what cannot be is passed. A blob of which no link is
 * seen for that counts as nobody's: it can be had again. */
int inventory_take(const struct cache *cache, struct inventory *out, struct error *error);

/* How many inodes come free when it goes, or about that: for its bytes, for what is known of how
 * they came, and for each link there are a file and a directory. */
uint64_t inventory_inodes(const struct inventory_item *item);

/* For who goes through all of it, before whatever may take long on a disk that is slow, and after
 * having waited: that he lives, once a second. */
void inventory_step(struct inventory *inventory);

/* NULL if it was not there. */
struct inventory_item *inventory_find(const struct inventory *inventory,
                                      const struct digest *digest);

#endif
