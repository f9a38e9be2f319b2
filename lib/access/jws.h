/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_JWS_H
#define ACCESS_JWS_H

/*
 * Whether a signature is right (RFC 7515): libcjose alone says so. It goes by the algorithm that
 * the token names, and takes more for one than is: so nobody hands it a token whose header was not
 * looked at (jwt.h) or a key that does not fit it (key_set.h).
 */

#include <stddef.h>

#include "lib/base/error.h"

/* The families of algorithms whose keys are public; HMAC and `none` are not among them. */
enum jws_family { JWS_RSA, JWS_CURVE };

struct jws_algorithm {
    const char *name; /* "RS256" */
    enum jws_family family;
    const char *curve;       /* "P-256"; NULL for RSA */
    size_t signature_length; /* bytes; 0: that of the key */
};

/* NULL: none that is taken. */
const struct jws_algorithm *jws_find_algorithm(const char *name);

/*
 * `key` is a JWK with what its kind needs and nothing else. 1; 0 if the signature is another's or
 * of something else; -1 for a key that is none.
 */
int jws_verify(const char *token, const char *key, struct error *error);

#endif
