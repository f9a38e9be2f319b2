/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_ISSUER_KEYS_H
#define ACCESS_ISSUER_KEYS_H

/*
 * The keys of an issuer: from a file that the configuration names, or as the issuer has given
 * them. The latter are kept in a file of the vault for all workers on all hosts, with when it was
 * last asked:
 *
 *     {"url":"https://…","asked":1764000000,"failed":0,"fetched":1764000000,"set":{"keys":[…]}}
 *
 * It is asked when a token names a key that is not among them, or is not by the one that it names,
 * at most once a minute, and when they are half a day old. When it does not answer, those that are
 * there stay good; but that a token is by none of them is then no reason to call it wrong.
 */

#include "lib/access/key_set.h"
#include "lib/access/options.h"
#include "lib/base/lock.h"

/* Whom to trust, and who asks. */
struct issuer_trust {
    const struct access_options *options;
    const struct issuer_options *issuer;
    bool may_wait; /* else ERROR_WOULD_WAIT where the issuer has to be asked */
    int64_t now;   /* seconds since the epoch, for certificates */
};

/*
 * Adds the key that the token is signed with, as jws_verify() wants it. `is_stale`: the one that is
 * there has turned out to be another one. ERROR_UNAUTHORIZED: it is none of the issuer's;
 * ERROR_WOULD_WAIT. Where that cannot be told: what discovery_fetch() says, ERROR_UNAVAILABLE if
 * others who ask take too long, ERROR_INTERNAL.
 *
 * Locking: of its own, against others who ask.
 */
int issuer_keys_find(const struct issuer_trust *trust, const struct jwt *jwt, bool is_stale,
                     struct buffer *out_key, struct error *error);

/*
 * A place among those who may wait for issuers, of which a host has few: whoever cannot have one
 * makes nobody else wait. 1; 0; -1.
 */
int issuer_keys_take_place(const struct access_options *options, struct lock *out,
                           struct error *error);

#endif
