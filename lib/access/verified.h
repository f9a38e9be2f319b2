/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_VERIFIED_H
#define ACCESS_VERIFIED_H

/*
 * The passwords that this process has found right in the last minutes, so that a push of a hundred
 * layers costs one hash. What is kept is an HMAC, by a key that nobody else has and that is never
 * written anywhere, over user, hash and password: of no use to who reads it, and a hash that has
 * changed is another entry.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/access/secret.h"

enum { VERIFIED_ENTRIES = 64, VERIFIED_MINUTES = 5 };

struct verified_entry {
    struct secret tag;
    int64_t until; /* milliseconds of clock_milliseconds(); 0: free */
};

struct verified {
    bool has_key; /* made at the first use */
    struct secret key;
    struct verified_entry entries[VERIFIED_ENTRIES];
};

/* A password that somebody has said, beside what it has to fit. */
struct claim {
    const char *user;
    const char *crypted;
    const char *password;
};

/* 1 if it was found right, 0 if it has to be computed, -1. */
int verified_knows(struct verified *verified, const struct claim *claim, struct error *error);
/* It was found right now. */
int verified_add(struct verified *verified, const struct claim *claim, struct error *error);
void verified_wipe(struct verified *verified);

#endif
