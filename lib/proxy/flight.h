/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_FLIGHT_H
#define PROXY_FLIGHT_H

/*
 * One question to an upstream at a time, for all workers; what was not there, and a lock that could
 * not be had, is remembered for some seconds.
 */

#include "lib/base/lock.h"
#include "lib/proxy/proxied.h"

/* What is asked for, as a key: upstream, repository and the rest. */
void flight_key(const struct proxied *proxied, const char *rest, struct digest *out_key);

/*
 * Waits until nobody else is asking, or who does has taken longer for it than a question may, and
 * for the `bytes` that he reads from our disk. Where no lock can be made, two may ask at the same
 * time. ERROR_CLIENT_GONE.
 */
int flight_begin(const struct proxied *proxied, const struct digest *key, uint64_t bytes,
                 struct lock *lock, struct error *error);

void flight_remember_absence(const struct proxied *proxied, const struct digest *key);
bool flight_is_absent(const struct proxied *proxied, const struct digest *key);

/*
 * That the repository's lock in the cache is held by one who is stopped, or hangs: nothing that the
 * upstream says can be kept. Who has waited for it in vain remembers that, so that those who come
 * after need not wait for it as well, nor for each other.
 */
void flight_remember_held_lock(const struct proxied *proxied);
bool flight_is_lock_held(const struct proxied *proxied);

/* An answer that is kept, and its age in seconds. One that cannot be read is as good as none. */
bool flight_recall(const struct proxied *proxied, const struct digest *key, struct buffer *out,
                   uint64_t *out_age);
int flight_keep(const struct proxied *proxied, const struct digest *key,
                const struct buffer *content, struct error *error);

#endif
