/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_JWT_H
#define ACCESS_JWT_H

/*
 * Tokens that others sign (RFC 7519, in the compact form of RFC 7515), taken apart before anybody
 * believes them. Strict: what two readers could take for different things is refused, as is what
 * asks for more than is known here. Pure.
 *
 *   jwt_parse()   form and header; nothing in the claims is true yet
 *   key_set_find(), jws_verify()
 *   jwt_judge()   what the claims say of issuer, audience and time
 */

#include <stdint.h>

#include "lib/access/jws.h"
#include "lib/base/buffer.h"
#include "lib/base/names.h"
#include "lib/oci/document.h"

enum {
    JWT_LIMIT = 16 * 1024, /* characters */
    JWT_KEY_SIZE = 512,    /* of the id of a key, with a NUL */
    JWT_LEEWAY = 60,       /* seconds that the clocks of two hosts may be apart */
};

struct jwt {
    const char *text;
    const struct jws_algorithm *algorithm;
    char key[JWT_KEY_SIZE]; /* the id of the key ("kid"); "" if none is named */
    struct names chain;     /* "x5c": certificates in base 64, the signer's first */
    struct buffer claims;   /* a JSON object without ambiguities */
    size_t signature_length;
};

#define JWT_INIT                                                                                   \
    {                                                                                              \
        .chain = NAMES_INIT, .claims = BUFFER_INIT                                                 \
    }
#define AUTO_JWT AUTO(jwt_release)
void jwt_release(struct jwt *jwt);

/* Whether it could be one at all: three texts with dots between them. */
bool jwt_is_likely(const char *text);

/* ERROR_UNAUTHORIZED, with what is wrong with it. `text` has to stay. */
int jwt_parse(struct jwt *out, const char *text, struct error *error);

/* What a token has to say. */
struct jwt_use {
    const char *issuer;
    const char *audience;
    int64_t now; /* seconds since the epoch */
};

/* ERROR_UNAUTHORIZED, with what is wrong. `out_end`: when it expires, in seconds since the epoch.
 */
int jwt_judge(const struct jwt *jwt, const struct jwt_use *use, int64_t *out_end,
              struct error *error);

struct document jwt_claims(const struct jwt *jwt);

#endif
