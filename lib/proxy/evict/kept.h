/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_EVICT_KEPT_H
#define PROXY_EVICT_KEPT_H

/*
 * Images of a cache that stay, however full it is and however long nobody asks for them: `berth
 * prefetch --keep`. For each of them there is a mark, which lists the digests of all that belongs
 * to it: so nobody has to read manifests to know what must not go, and what stays is what was
 * fetched, of an image for several platforms perhaps one.
 *
 * Whoever keeps an image writes the mark first and then looks whether everything is there: what
 * nobody has removed until then, nobody will. Who removes something holds kept_lock() from when he
 * has looked into the marks until it is gone.
 */

#include "lib/base/names.h"
#include "lib/store/store.h"

/* As it is called: a repository of the cache, and a tag or digest. */
struct kept_image {
    const char *repository;
    const char *reference;
};

/* Replaces the image's mark; `digests` are those of its manifests and blobs, one a line.
 * Locking: takes LAYOUT_KEPT_LOCK. */
int kept_write(struct store *store, const struct kept_image *image, const struct buffer *digests,
               struct error *error);

/* Adds the digests of its mark, one a line. 1; 0 if it is not kept; -1. */
int kept_read(const struct store *store, const struct kept_image *image, struct buffer *out_digests,
              struct error *error);

/* 1; 0 if it was not kept; -1. */
int kept_drop(struct store *store, const struct kept_image *image, struct error *error);

/* "REPOSITORY REFERENCE" of each image that is kept, sorted. */
int kept_list(const struct store *store, struct names *out, struct error *error);

/* The digests of all marks. */
struct kept {
    bool is_read; /* as of `changed`, whatever date that is */
    struct timespec changed;
    struct names digests; /* sorted */
    uint64_t images;
};

#define KEPT_INIT                                                                                  \
    {                                                                                              \
        .digests = NAMES_INIT                                                                      \
    }
#define AUTO_KEPT AUTO(kept_release)
void kept_release(struct kept *kept);

/* Fails if others have it for a minute. Nobody is done without: what he keeps must not go. */
int kept_lock(struct store *store, struct lock *lock, struct error *error);

/* Reads them, if they are others than those that are known. */
int kept_refresh(const struct store *store, struct kept *kept, struct error *error);

bool kept_has(const struct kept *kept, const struct digest *digest);

#endif
