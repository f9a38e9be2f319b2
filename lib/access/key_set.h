/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_KEY_SET_H
#define ACCESS_KEY_SET_H

/*
 * The public keys of an issuer, a JWK Set (RFC 7517): {"keys": [{"kty": "RSA", "kid": …}]}. Of a
 * key that others wrote nothing is passed on but what its kind needs. Pure.
 */

#include "lib/access/jwt.h"

enum {
    KEY_SET_LIMIT = 256 * 1024, /* bytes of a set that others wrote */
    KEY_SET_TIDY = 48 * 1024,   /* of one that is kept; further keys are left out */
};

/*
 * Adds the set as it is kept: keys that signatures can be verified with, and what that takes. 1; 0
 * and nothing added if it is no set of keys; a set may be empty.
 */
int key_set_tidy(const struct document *set, struct buffer *out);

/*
 * Finds the one key that the token names, which has to be of its algorithm's kind, and adds it as
 * jws_verify() wants it. A token that names none is of the only key that fits. 1; 0 if the set does
 * not have it; -1, ERROR_UNAUTHORIZED: it is there, and not for this token.
 */
int key_set_find(const struct document *set, const struct jwt *jwt, struct buffer *out,
                 struct error *error);

#endif
