/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_FILL_FILLER_H
#define PROXY_FILL_FILLER_H

/* The process that downloads one blob: see lib/proxy/proxy.h for when, and
 * lib/proxy/fill/fill for what it leaves where. */

#include "lib/proxy/ask/question.h"
#include "lib/store/blob.h"

struct fill {
    const struct upstream *upstream;
    const struct repository *repository; /* of the cache */
    const char *name;                    /* of the repository at the upstream */
    struct digest digest;
};

/* Notes for which repository, and with whose account, the blob is fetched from now on, and forgets
 * why it could not be. Only for who holds the fetch's lock. */
int filler_prepare(const struct fill *fill, struct error *error);

/*
 * Downloads the blob into the cache. Breaks are resumed where they happened, as long as bytes keep
 * coming. On failure the reason has been written for the readers.
 */
int filler_run(const struct fill *fill, struct error *error);

/* What is known of a fetch, whether or not somebody is at work. */
enum filler_owner {
    FILLER_NONE,    /* nothing is there */
    FILLER_OURS,    /* it is for this repository, with its account */
    FILLER_ACCOUNT, /* for another repository, with the same account */
    FILLER_FOREIGN,
};
enum filler_owner filler_owner(const struct fill *fill);

/* How many bytes the blob will have. False if it is not known yet. */
bool filler_total(const struct fill *fill, uint64_t *out_size);

/* Reads what a filler has left as its failure. True if it gave up, and was this repository's. */
bool filler_failure(const struct fill *fill, struct report *report, struct error *error);

/* Whether any filler has found no room for this blob just now: then the next one need not look. */
bool filler_lacked_space(const struct fill *fill);

/* Removes the directory of a fetch. Only for who holds its lock. */
void filler_discard(const struct fill *fill);

struct path filler_place(const struct fill *fill, const char *what);

#endif
