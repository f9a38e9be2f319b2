/* SPDX-License-Identifier: Apache-2.0 */

/* EVP cannot save a hash in progress. These older functions can, being plain structs; they run the
 * same code and are merely no longer recommended. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "lib/oci/digest.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"

static const struct {
    const char *name;
    size_t bytes;
    size_t context;
} algorithms[DIGEST_ALGORITHM_COUNT] = {
    [DIGEST_SHA256] = {"sha256", SHA256_DIGEST_LENGTH, sizeof(SHA256_CTX)},
    [DIGEST_SHA512] = {"sha512", SHA512_DIGEST_LENGTH, sizeof(SHA512_CTX)},
};

_Static_assert(sizeof(SHA256_CTX) <= sizeof(((struct hash *)0)->context), "no room for SHA-256");
_Static_assert(sizeof(SHA512_CTX) <= sizeof(((struct hash *)0)->context), "no room for SHA-512");

bool digest_algorithm_parse(const char *text, enum digest_algorithm *out_algorithm)
{
    for (int i = 0; i < DIGEST_ALGORITHM_COUNT; i++) {
        if (strcmp(text, algorithms[i].name) == 0) {
            *out_algorithm = (enum digest_algorithm)i;
            return true;
        }
    }
    return false;
}

const char *digest_algorithm_name(enum digest_algorithm algorithm)
{
    return algorithms[algorithm].name;
}

size_t digest_hex_length(enum digest_algorithm algorithm)
{
    return 2 * algorithms[algorithm].bytes;
}

const char *digest_hex(const struct digest *digest)
{
    return digest->text + strlen(algorithms[digest->algorithm].name) + 1;
}

int digest_parse(struct digest *out_digest, const char *text, struct error *error)
{
    char name[8];
    const char *colon = strchr(text, ':');
    enum digest_algorithm algorithm;
    size_t digits;

    if (!colon) {
        return error_set(error, ERROR_DIGEST_INVALID, "this is not a digest");
    }
    if (!text_copy(name, sizeof(name), text, (size_t)(colon - text)) ||
        !digest_algorithm_parse(name, &algorithm)) {
        return error_set(error, ERROR_DIGEST_INVALID,
                         "the digest's algorithm is not supported: use sha256 or sha512");
    }
    digits = digest_hex_length(algorithm);
    if (strlen(colon + 1) != digits || !text_is_hex(colon + 1, digits)) {
        return error_set(error, ERROR_DIGEST_INVALID,
                         "a %s digest has %zu lower-case hexadecimal digits", name, digits);
    }
    out_digest->algorithm = algorithm;
    (void)text_copy(out_digest->text, sizeof(out_digest->text), text, strlen(text));
    return 0;
}

bool digest_equal(const struct digest *left, const struct digest *right)
{
    return strcmp(left->text, right->text) == 0;
}

void digest_of(enum digest_algorithm algorithm, const void *bytes, size_t length,
               struct digest *out_digest)
{
    struct hash hash;

    hash_begin(&hash, algorithm);
    hash_update(&hash, bytes, length);
    hash_finish(&hash, out_digest);
}

void hash_begin(struct hash *hash, enum digest_algorithm algorithm)
{
    memset(hash, 0, sizeof(*hash));
    hash->algorithm = algorithm;
    switch (algorithm) {
    case DIGEST_SHA256:
        (void)SHA256_Init((SHA256_CTX *)(void *)hash->context);
        break;
    case DIGEST_SHA512:
        (void)SHA512_Init((SHA512_CTX *)(void *)hash->context);
        break;
    }
}

void hash_update(struct hash *hash, const void *bytes, size_t length)
{
    switch (hash->algorithm) {
    case DIGEST_SHA256:
        (void)SHA256_Update((SHA256_CTX *)(void *)hash->context, bytes, length);
        break;
    case DIGEST_SHA512:
        (void)SHA512_Update((SHA512_CTX *)(void *)hash->context, bytes, length);
        break;
    }
}

void hash_finish(struct hash *hash, struct digest *out_digest)
{
    unsigned char bytes[SHA512_DIGEST_LENGTH];
    const char *name = algorithms[hash->algorithm].name;
    size_t prefix = strlen(name) + 1;

    switch (hash->algorithm) {
    case DIGEST_SHA256:
        (void)SHA256_Final(bytes, (SHA256_CTX *)(void *)hash->context);
        break;
    case DIGEST_SHA512:
        (void)SHA512_Final(bytes, (SHA512_CTX *)(void *)hash->context);
        break;
    }
    out_digest->algorithm = hash->algorithm;
    (void)snprintf(out_digest->text, sizeof(out_digest->text), "%s:", name);
    text_hex(bytes, algorithms[hash->algorithm].bytes, out_digest->text + prefix);
}

int hash_update_from(struct hash *hash, int descriptor, uint64_t *offset, uint64_t end,
                     struct error *error)
{
    enum { PIECE_SIZE = 256 * 1024 };
    AUTO_FREE char *piece = memory_reserve(PIECE_SIZE);

    while (*offset < end) {
        size_t size = end - *offset < PIECE_SIZE ? (size_t)(end - *offset) : PIECE_SIZE;
        ssize_t got = file_read_at(descriptor, *offset, piece, size, error);

        if (got <= 0) {
            return (int)got;
        }
        hash_update(hash, piece, (size_t)got);
        *offset += (uint64_t)got;
    }
    return 0;
}

void hash_save(const struct hash *hash, struct buffer *out)
{
    size_t length = algorithms[hash->algorithm].context;

    text_hex(hash->context, length, buffer_reserve(out, 2 * length));
    buffer_added(out, 2 * length);
}

/* Whether the context has seen so many bytes, and will not write outside of its block. */
static bool is_plausible(const struct hash *hash, uint64_t offset)
{
    switch (hash->algorithm) {
    case DIGEST_SHA256: {
        const SHA256_CTX *context = (const SHA256_CTX *)(const void *)hash->context;
        uint64_t bits = (uint64_t)context->Nh << 32 | context->Nl;

        return context->md_len == SHA256_DIGEST_LENGTH && context->num == offset % SHA256_CBLOCK &&
               bits == offset * 8;
    }
    case DIGEST_SHA512: {
        const SHA512_CTX *context = (const SHA512_CTX *)(const void *)hash->context;

        return context->md_len == SHA512_DIGEST_LENGTH && context->num == offset % SHA512_CBLOCK &&
               context->Nl == offset * 8 && context->Nh == 0;
    }
    }
    return false;
}

bool hash_load(struct hash *hash, enum digest_algorithm algorithm, uint64_t offset,
               const char *text)
{
    size_t length = algorithms[algorithm].context;

    hash_begin(hash, algorithm);
    if (strlen(text) == 2 * length && text_unhex(text, length, hash->context) &&
        is_plausible(hash, offset)) {
        return true;
    }
    hash_begin(hash, algorithm);
    return false;
}
