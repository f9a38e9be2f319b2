/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_FILL_FILLER_H
#define PROXY_FILL_FILLER_H

/* The process that downloads one blob: see lib/proxy/fill/fill for what it leaves where. */

#include "lib/proxy/ask/question.h"
#include "lib/store/blob.h"

struct fill {
    const struct upstream *upstream;
    const struct repository *repository; /* of the cache */
    const char *name;                    /* of the repository at the upstream */
    struct digest digest;
};

/* The size of a fetch that is under way. False if there is none, or it is not known yet. */
bool fill_peek(struct store *store, const struct upstream *upstream, const struct digest *digest,
               uint64_t *out_size);

/* Notes that these bytes came from this upstream, and whether an account was needed. */
int fill_record_origin(const struct fill *fill, bool with_credentials, struct error *error);

/*
 * Downloads the blob into the cache. Breaks are resumed where they happened, as long as bytes keep
 * coming. On failure the reason has been written for the readers.
 */
int filler_run(const struct fill *fill, struct error *error);

/* Reads what a filler has left as its failure. True if it gave up. */
bool filler_failure(const struct fill *fill, struct report *report, struct error *error);

/* Whether a filler has found no room for this blob just now: then the next one need not look. */
bool filler_lacked_space(const struct fill *fill);

/* Removes the directory of a fetch. Only for who holds its lock. */
void filler_discard(const struct fill *fill);

struct path filler_place(const struct fill *fill, const char *what);

#endif
