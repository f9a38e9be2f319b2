/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_REMEMBERED_H
#define ACCESS_REMEMBERED_H

/*
 * Whom the tokens of token servers were found to be of in the last minute, so that each request of
 * a push costs no signature. What is kept of a token is an HMAC by a key that nobody else has. A
 * key that its issuer no longer has is good for that minute still, an expired token is not.
 */

#include <stdint.h>

#include "lib/access/secret.h"
#include "lib/access/subject.h"

enum { REMEMBERED_ENTRIES = 16, REMEMBERED_SECONDS = 60 };

struct remembered_entry {
    struct secret tag;
    int64_t until; /* milliseconds of clock_milliseconds(); 0: free */
    struct subject subject;
};

struct remembered {
    struct remembered_entry *entries; /* with the key, made at the first use */
    struct secret key;
};

/* 1; 0 if it has to be verified; -1. `now` is in seconds since the epoch. */
int remembered_find(struct remembered *remembered, const char *token, int64_t now,
                    struct subject *out, struct error *error);
/* It was verified right now, and its subject has an end. */
int remembered_add(struct remembered *remembered, const char *token, const struct subject *subject,
                   struct error *error);
void remembered_wipe(struct remembered *remembered);

#endif
