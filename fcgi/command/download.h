/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_COMMAND_DOWNLOAD_H
#define FCGI_COMMAND_DOWNLOAD_H

/*
 * The blobs of a manifest, into the cache: some at once, in the way of a client that pulls them, so
 * that whoever wants the same one at the same time shares the download.
 */

#include "fcgi/command/progress.h"
#include "lib/oci/manifest.h"
#include "lib/proxy/proxy.h"

struct downloads {
    struct proxied *proxied;   /* the repository; it may wait */
    struct store *cache;       /* for which there has to be room */
    struct progress *progress; /* where each blob is told */
    uint64_t blobs;            /* counted on the way */
    uint64_t bytes;            /* of all of them */
    uint64_t fetched;          /* of those that were not in the cache */
};

/* -1, ERROR_NO_SPACE if there is no room, or what was fetched could not be kept. */
int downloads_fetch(struct downloads *all, const struct manifest *manifest, struct error *error);

#endif
