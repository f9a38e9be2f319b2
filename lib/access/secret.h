/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_SECRET_H
#define ACCESS_SECRET_H

/*
 * What the rest of lib/access needs of cryptography. A function over several texts takes each with
 * its length, so that no two lists of texts are the same bytes.
 */

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buffer.h"
#include "lib/base/error.h"

enum { SECRET_SIZE = 32 }; /* bytes of a key, of a SHA-256 and of an HMAC */

struct secret {
    unsigned char bytes[SECRET_SIZE];
};

#define AUTO_SECRET AUTO(secret_wipe)
void secret_wipe(struct secret *secret);
/* A text whose memory is to be freed; NULL is fine. */
void secret_wipe_text(char **text);

int secret_random(struct secret *out, struct error *error);

/* HMAC-SHA-256 (RFC 2104) over `count` texts. */
int secret_sign(const struct secret *key, const char *const *texts, size_t count,
                struct secret *out, struct error *error);
/* The same over bytes as they are. */
int secret_sign_bytes(const struct secret *key, const void *bytes, size_t length,
                      struct secret *out, struct error *error);

/* The same by a key of any length, as others choose it. */
struct secret_key {
    const void *bytes;
    size_t length;
};
int secret_sign_by(const struct secret_key *key, const void *bytes, size_t length,
                   struct secret *out, struct error *error);

int secret_hash(const char *text, struct secret *out, struct error *error);

/* In a time that does not depend on where they differ. */
bool secret_is_same(const struct secret *one, const struct secret *other);
bool secret_is_same_text(const char *one, const char *other);

#endif
