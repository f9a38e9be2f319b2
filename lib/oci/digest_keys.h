/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_DIGEST_KEYS_H
#define OCI_DIGEST_KEYS_H

/*
 * Very many digests, of which is asked whether one is among them, and how often it was added. 36
 * bytes each, of either algorithm: of a sha512 the first half, so that it may be taken for another
 * one that nobody will ever find.
 *
 * To add all of them and then ask is cheapest: they are sorted once. Who asks amid adding looks
 * through the few that were added last, and sorts when they are many.
 */

#include <stdint.h>

#include "lib/oci/digest.h"

struct digest_key {
    unsigned char bytes[32];
};

struct digest_key digest_key_of(const struct digest *digest);
int digest_key_compare(const void *left, const void *right);

struct digest_count {
    struct digest_key key;
    uint32_t times;
};

struct digest_keys {
    struct digest_count *keys;
    size_t count;
    size_t capacity;
    size_t sorted; /* so many are, from the first on */
};

#define DIGEST_KEYS_INIT                                                                           \
    {                                                                                              \
        .keys = NULL, .count = 0                                                                   \
    }
#define AUTO_DIGEST_KEYS AUTO(digest_keys_release)

void digest_keys_add(struct digest_keys *keys, const struct digest_key *key);
bool digest_keys_have(struct digest_keys *keys, const struct digest_key *key);
/* How often it was added. */
uint32_t digest_keys_count(struct digest_keys *keys, const struct digest_key *key);
void digest_keys_release(struct digest_keys *keys);

#endif
