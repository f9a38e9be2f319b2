/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_FILL_PARTIAL_H
#define PROXY_FILL_PARTIAL_H

/*
 * The directory of a fetch: what the filler and those who wait for it tell each other, in other
 * processes and on other hosts. lib/proxy/fill/fill has the list of its files, and what they mean
 * to whom.
 */

#include "lib/proxy/ask/report.h"
#include "lib/proxy/ask/upstream.h"
#include "lib/store/store.h"

enum { FILL_SMALL = 1 << 20 }; /* bytes that are worth waiting for, and need no room of their own */

/* What is fetched. */
struct fill {
    const struct upstream *upstream;
    const struct repository *repository; /* of the cache */
    const char *name;                    /* of the repository at the upstream */
    struct digest digest;
};

/* One of its files, below the store's temporary directory. */
struct path partial_place(const struct fill *fill, const char *what);

struct path partial_directory(const struct fill *fill);

/* Removes it. Only for who holds its lock. */
void partial_discard(const struct fill *fill);

/* Notes for which repository, and with whose account, the blob is fetched from now on, and forgets
 * why it could not be. Only for who holds the lock. */
int partial_prepare(const struct fill *fill, struct error *error);

/* Whose fetch it is, whether or not somebody is at work. */
enum partial_owner {
    PARTIAL_NONE,    /* nothing is there */
    PARTIAL_OURS,    /* it is for this repository, with its account */
    PARTIAL_ACCOUNT, /* for another repository, with the same account */
    PARTIAL_FOREIGN,
};
enum partial_owner partial_owner(const struct fill *fill);

/* Whether this repository may have what comes of it: see lib/proxy/fill/fill. */
bool partial_may_join(const struct fill *fill);

/* The same of what was found there before it is asked whose it is. Where there is no fetch any more
 * it may have been another's: what came of it has to be looked for. */
bool partial_may_read(const struct fill *fill);

/* How many bytes were there when the last filler began: another's, so not seen to come. UINT64_MAX
 * if nobody could tell. */
uint64_t partial_found(const struct fill *fill);

/* How many bytes the blob will have. False if it is not known yet. */
bool partial_total(const struct fill *fill, uint64_t *out_size);
/* The same for whichever fetch has this directory; and what the repository is called there that it
 * is for. */
bool partial_total_in(const struct store *store, const struct path *directory, uint64_t *out_size);
bool partial_name_in(const struct store *store, const struct path *directory, struct buffer *out);

/* Only for who holds the lock, after partial_prepare(). */
int partial_write_total(const struct fill *fill, uint64_t size, struct error *error);
int partial_forget_total(const struct fill *fill, struct error *error);

/* Says of `data`, whose digest is verified and which is synced, that its readers may have all of
 * it (settle_is_vouched_for()), since it is about to be dropped instead of becoming the blob. */
void partial_give_away(int data);

/* For the readers: why the filler has given up. As well as it can be said. */
void partial_write_failure(const struct fill *fill, const struct report *report,
                           const struct error *error);

/* Which failure is written there, of all that ever were; 0 for none: by this, who comes tells an
 * old one from that of the fetch that he waits for. */
uint64_t partial_failure_number(const struct fill *fill);

/* A number that changes with each sign of life of a filler: bytes, or a try to get some. */
uint64_t partial_life_number(const struct fill *fill);

/* How many seconds ago the last such sign was, or somebody has begun; 0 if that cannot be told. */
uint64_t partial_silence(const struct fill *fill);

/* True if the last filler gave up, and was this repository's. */
bool partial_failure(const struct fill *fill, struct report *report, struct error *error);

/* Whether any filler has found no room for this blob just now, or could not write it: then the next
 * one need not try. */
bool partial_was_not_kept(const struct fill *fill);

#endif
