/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/apr1.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { APR1_BYTES = 16, APR1_SALT = 8, APR1_ROUNDS = 1000 };

/* One MD5 after another. Whatever fails sets `failed`, which is asked at the end. */
struct apr1 {
    EVP_MD *algorithm;
    EVP_MD_CTX *context;
    bool failed;
    const char *password;
    size_t length;
    const char *salt;
    size_t salt_length;
};

static void apr1_begin(struct apr1 *apr1)
{
    apr1->failed |= EVP_DigestInit_ex2(apr1->context, apr1->algorithm, NULL) != 1;
}

static void apr1_add(struct apr1 *apr1, const void *bytes, size_t length)
{
    apr1->failed |= EVP_DigestUpdate(apr1->context, bytes, length) != 1;
}

static void apr1_add_password(struct apr1 *apr1)
{
    apr1_add(apr1, apr1->password, apr1->length);
}

static void apr1_add_salt(struct apr1 *apr1)
{
    apr1_add(apr1, apr1->salt, apr1->salt_length);
}

static void apr1_end(struct apr1 *apr1, unsigned char out[APR1_BYTES])
{
    apr1->failed |= EVP_DigestFinal_ex(apr1->context, out, NULL) != 1;
}

static void apr1_first(struct apr1 *apr1, unsigned char out[APR1_BYTES])
{
    apr1_begin(apr1);
    apr1_add_password(apr1);
    apr1_add_salt(apr1);
    apr1_add_password(apr1);
    apr1_end(apr1, out);
    apr1_begin(apr1);
    apr1_add_password(apr1);
    apr1_add(apr1, APR1_PREFIX, strlen(APR1_PREFIX));
    apr1_add_salt(apr1);
    for (size_t left = apr1->length; left > 0; left -= left < APR1_BYTES ? left : APR1_BYTES) {
        apr1_add(apr1, out, left < APR1_BYTES ? left : APR1_BYTES);
    }
    for (size_t bits = apr1->length; bits > 0; bits >>= 1) {
        apr1_add(apr1, bits & 1 ? "" : apr1->password, 1);
    }
    apr1_end(apr1, out);
}

static void apr1_round(struct apr1 *apr1, unsigned round, unsigned char bytes[APR1_BYTES])
{
    apr1_begin(apr1);
    if (round & 1) {
        apr1_add_password(apr1);
    } else {
        apr1_add(apr1, bytes, APR1_BYTES);
    }
    if (round % 3 != 0) {
        apr1_add_salt(apr1);
    }
    if (round % 7 != 0) {
        apr1_add_password(apr1);
    }
    if (round & 1) {
        apr1_add(apr1, bytes, APR1_BYTES);
    } else {
        apr1_add_password(apr1);
    }
    apr1_end(apr1, bytes);
}

/* In an order and alphabet of its own. */
static void apr1_write(const struct apr1 *apr1, const unsigned char bytes[APR1_BYTES],
                       char out[APR1_SIZE])
{
    static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const unsigned char order[5][3] = {
        {0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}};
    int length = snprintf(out, APR1_SIZE, APR1_PREFIX "%.*s$", (int)apr1->salt_length, apr1->salt);
    char *end = out + length;

    for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
        unsigned bits = (unsigned)bytes[order[i][0]] << 16 | (unsigned)bytes[order[i][1]] << 8 |
                        bytes[order[i][2]];

        for (unsigned shift = 0; shift < 24; shift += 6) {
            *end++ = digits[bits >> shift & 63];
        }
    }
    *end++ = digits[bytes[11] & 63];
    *end++ = digits[bytes[11] >> 6];
    *end = '\0';
}

int apr1_hash(const char *password, const char *setting, char out[APR1_SIZE], struct error *error)
{
    struct apr1 apr1 = {
        .algorithm = EVP_MD_fetch(NULL, "MD5", NULL),
        .context = EVP_MD_CTX_new(),
        .password = password,
        .length = strlen(password),
        .salt = setting + strlen(APR1_PREFIX),
    };
    unsigned char bytes[APR1_BYTES] = {0};

    apr1.salt_length = strcspn(apr1.salt, "$");
    apr1.salt_length = apr1.salt_length > APR1_SALT ? APR1_SALT : apr1.salt_length;
    apr1.failed = !apr1.algorithm || !apr1.context;
    if (!apr1.failed) {
        apr1_first(&apr1, bytes);
        for (unsigned round = 0; round < APR1_ROUNDS; round++) {
            apr1_round(&apr1, round, bytes);
        }
        apr1_write(&apr1, bytes, out);
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    EVP_MD_CTX_free(apr1.context);
    EVP_MD_free(apr1.algorithm);
    return apr1.failed ? error_set(error, ERROR_INTERNAL, "MD5, for $apr1$, is not to be had") : 0;
}
