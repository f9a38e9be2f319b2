/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_FILL_SPACE_H
#define PROXY_FILL_SPACE_H

/*
 * Room on the disk, and in the cache, for fetches: [proxy] minimum_free_space has to be left when
 * all of them are complete that run now, on whichever host. How much each still needs is in its
 * directory: what it has declared (in its `lock`) and what it has (`data`). One that nobody is at
 * work on needs nothing.
 *
 * Where [proxy] maximum_size says how much may be cached, the same fetches count with all that they
 * will be, beside what is stored (lib/proxy/evict/usage). Who does not fit makes room first, and
 * waits for that; so that this is rare, a process of its own makes room as soon as little is left.
 * What would not fit even then is not kept.
 * There, what is cached gives way as well when it is the disk that lacks bytes, or inodes.
 */

#include "lib/proxy/evict/evict.h"
#include "lib/proxy/fill/partial.h"

/*
 * Declares that the blob will have `total` bytes, of which `missing` are not on the disk yet, if
 * there is room for them. ERROR_NO_SPACE. Only for who holds the fetch's lock.
 *
 * Locking: takes usage_lock(), so that two that ask at the same moment see each other.
 */
int space_reserve(const struct fill *fill, uint64_t total, uint64_t missing, struct error *error);

/*
 * Whether a blob may grow on. One that nobody knows the length of has to leave what the others
 * still need. One with a reservation gives way to what is no fetch, such as a push: when less than
 * minimum_free_space is left, and not before that is used up. ERROR_NO_SPACE.
 */
int space_check(const struct fill *fill, bool is_reserved, struct error *error);

/* Fetches that somebody is at work on. */
struct space_fetches {
    uint64_t count;
    uint64_t bytes; /* that they have */
    uint64_t total; /* that they will have, as far as it is known */
};
void space_count_fetches(struct store *store, struct space_fetches *out);

/* One of them, for people to look at. */
struct space_fetch {
    char upstream[NAME_SIZE]; /* as in the names of the cache */
    char name[NAME_SIZE];     /* of the repository there that it is for */
    struct digest digest;
    uint64_t bytes; /* that it has */
    uint64_t total; /* that it will have; 0: that is not known yet */
};
/* At most `limit` of them, in no order; returns how many. */
size_t space_list_fetches(struct store *store, struct space_fetch *out, size_t limit);

/* For who found too little room even to ask for some: lets a process of its own make as much as
 * `bytes` and [proxy] minimum_free_space are, if what is cached can give way for that. Whoever
 * comes next finds it. */
void space_look_for_some(const struct proxy_options *options, struct store *store, uint64_t bytes);

/* For `berth gc`: everything that is to go by its age, because the cache is too large, or (unless
 * it is a trial) because the disk has too little room left. As evict_run(). */
int space_collect(const struct proxy_options *options, struct store *store, bool is_trial,
                  struct evict_report *out_report, struct error *error);

#endif
