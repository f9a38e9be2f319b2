/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_DIGEST_H
#define OCI_DIGEST_H

/*
 * Digests as the image specification has them (descriptor.md, "Digests"), and the hashing of bytes
 * on the way in. Both registered algorithms are supported, for everything that has a digest.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buffer.h"
#include "lib/base/error.h"

enum digest_algorithm {
    DIGEST_SHA256,
    DIGEST_SHA512,
};

enum { DIGEST_ALGORITHM_COUNT = 2, DIGEST_TEXT_SIZE = 136 };

struct digest {
    enum digest_algorithm algorithm;
    char text[DIGEST_TEXT_SIZE]; /* "sha256:" and lower-case hexadecimal digits */
};

/* ERROR_DIGEST_INVALID when it is malformed or of an algorithm that is not supported. */
int digest_parse(struct digest *out_digest, const char *text, struct error *error);

/* "sha256" or "sha512"; false for anything else. */
bool digest_algorithm_parse(const char *text, enum digest_algorithm *out_algorithm);
const char *digest_algorithm_name(enum digest_algorithm algorithm);

/* The digits behind the colon. */
const char *digest_hex(const struct digest *digest);
/* How many of them an algorithm has. */
size_t digest_hex_length(enum digest_algorithm algorithm);

bool digest_equal(const struct digest *left, const struct digest *right);

void digest_of(enum digest_algorithm algorithm, const void *bytes, size_t length,
               struct digest *out_digest);

/*
 * Hashing in pieces: begin, update any number of times, finish. hash_save() turns the state into
 * text in between, and hash_load() goes on from there, so that an upload which arrives in many
 * requests is hashed once. The text is good only for the library and the kind of machine that
 * wrote it: whoever keeps it has to make sure of that.
 */
struct hash {
    enum digest_algorithm algorithm;
    _Alignas(16) unsigned char context[256];
};

void hash_begin(struct hash *hash, enum digest_algorithm algorithm);
void hash_update(struct hash *hash, const void *bytes, size_t length);
void hash_finish(struct hash *hash, struct digest *out_digest);

/* Updates it with an open file, from `*offset` to `end` or its end, which is then in `*offset`. */
int hash_update_from(struct hash *hash, int descriptor, uint64_t *offset, uint64_t end,
                     struct error *error);

void hash_save(const struct hash *hash, struct buffer *out);
/*
 * False, with the hash begun anew, if the text is not what hash_save() writes for this algorithm
 * after `offset` bytes.
 */
bool hash_load(struct hash *hash, enum digest_algorithm algorithm, uint64_t offset,
               const char *text);

#endif
