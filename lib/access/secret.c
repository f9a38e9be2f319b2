/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void secret_wipe(struct secret *secret)
{
    OPENSSL_cleanse(secret, sizeof(*secret));
}

void secret_wipe_text(char **text)
{
    if (*text) {
        OPENSSL_cleanse(*text, strlen(*text));
        free(*text);
        *text = NULL;
    }
}

int secret_random(struct secret *out, struct error *error)
{
    /* So few bytes come in one piece, once there is any randomness at all. */
    if (getrandom(out->bytes, sizeof(out->bytes), 0) != (ssize_t)sizeof(out->bytes)) {
        return error_errno(error, "random bytes");
    }
    return 0;
}

int secret_sign_by(const struct secret_key *key, const void *bytes, size_t length,
                   struct secret *out, struct error *error)
{
    if (!HMAC(EVP_sha256(), key->bytes, (int)key->length, bytes, length, out->bytes, NULL)) {
        return error_set(error, ERROR_INTERNAL, "HMAC-SHA-256 is not to be had");
    }
    return 0;
}

int secret_sign_bytes(const struct secret *key, const void *bytes, size_t length,
                      struct secret *out, struct error *error)
{
    return secret_sign_by(&(struct secret_key){key->bytes, sizeof(key->bytes)}, bytes, length, out,
                          error);
}

int secret_sign(const struct secret *key, const char *const *texts, size_t count,
                struct secret *out, struct error *error)
{
    struct buffer bytes = BUFFER_INIT;
    size_t total = 0;
    int result;

    for (size_t i = 0; i < count; i++) {
        total += strlen(texts[i]) + sizeof(size_t);
    }
    (void)buffer_reserve(&bytes, total);
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(texts[i]);

        buffer_add(&bytes, &length, sizeof(length));
        buffer_add(&bytes, texts[i], length);
    }
    result = secret_sign_bytes(key, bytes.data, bytes.length, out, error);
    buffer_wipe(&bytes);
    return result;
}

int secret_hash(const char *text, struct secret *out, struct error *error)
{
    if (EVP_Digest(text, strlen(text), out->bytes, NULL, EVP_sha256(), NULL) != 1) {
        return error_set(error, ERROR_INTERNAL, "SHA-256 is not to be had");
    }
    return 0;
}

bool secret_is_same(const struct secret *one, const struct secret *other)
{
    return CRYPTO_memcmp(one->bytes, other->bytes, sizeof(one->bytes)) == 0;
}

bool secret_is_same_text(const char *one, const char *other)
{
    size_t length = strlen(one);

    return length == strlen(other) && CRYPTO_memcmp(one, other, length) == 0;
}
