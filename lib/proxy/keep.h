/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_KEEP_H
#define PROXY_KEEP_H

/*
 * An image of the cache that is to stay while it is fetched, and from then on: keep_begin(), then
 * keep_manifest() for each of its manifests, after that was fetched and before its blobs are looked
 * for, and keep_end() when everything is there. Until then what was kept under this name before
 * stays as well, so that a fetch that fails costs nothing. Where nothing is to be kept, all of them
 * do nothing.
 */

#include "lib/oci/manifest.h"
#include "lib/proxy/evict/kept.h"
#include "lib/store/repository.h"

struct keep {
    bool is_wanted;
    struct store *cache;
    struct kept_image image;
    struct buffer before; /* the digests of the last time, one a line */
    struct buffer now;
};

#define KEEP_INIT                                                                                  \
    {                                                                                              \
        .is_wanted = false, .before = BUFFER_INIT, .now = BUFFER_INIT                              \
    }
void keep_release(struct keep *keep);

/* `image` must outlive it. */
int keep_begin(struct keep *keep, struct store *cache, const struct kept_image *image,
               struct error *error);
int keep_manifest(struct keep *keep, const struct digest *digest, const struct manifest *manifest,
                  struct error *error);
int keep_end(struct keep *keep, struct error *error);

/*
 * Keeps what the cache has of an image, without asking anybody: the manifest and those below it
 * that are there, with all their blobs, which stay as soon as they come. 1; 0 if the cache does not
 * have it; -1.
 */
int keep_cached(const struct repository *repository, const char *reference, struct error *error);

#endif
