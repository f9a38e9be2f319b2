/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_FILL_SPACE_H
#define PROXY_FILL_SPACE_H

/*
 * Room on the disk, for fetches: [proxy] minimum_free_space has to be left when all of them are
 * complete that run now, on whichever host. How much each still needs is in its directory: what it
 * has declared (`size`) and what it has (`data`). One that nobody is at work on needs nothing.
 */

#include "lib/proxy/fill/partial.h"

/*
 * Declares that the blob will have `total` bytes, of which `missing` are not on the disk yet, if
 * there is room for them. ERROR_NO_SPACE. Only for who holds the fetch's lock.
 *
 * Locking: takes a lock of the cache, so that two that ask at the same moment see each other.
 */
int space_reserve(const struct fill *fill, uint64_t total, uint64_t missing, struct error *error);

/*
 * Whether a blob may grow on. One that nobody knows the length of has to leave what the others
 * still need. One with a reservation gives way to what is no fetch, such as a push: when less than
 * minimum_free_space is left, and not before that is used up. ERROR_NO_SPACE.
 */
int space_check(const struct fill *fill, bool is_reserved, struct error *error);

#endif
