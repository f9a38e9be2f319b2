/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/signer.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/http/base64.h"

enum { COORDINATE = 32 };

static EVP_PKEY *signer_key;

static void signer_free_key(void)
{
    EVP_PKEY_free(signer_key);
}

static EVP_PKEY *signer_find_key(void)
{
    if (!signer_key) {
        signer_key = EVP_EC_gen("P-256");
        assert(signer_key);
        (void)atexit(signer_free_key);
    }
    return signer_key;
}

void signer_add_key(const char *id, struct buffer *out)
{
    static const char *const members[] = {"x", "y"};
    unsigned char point[1 + 2 * COORDINATE];
    size_t length = 0;
    int got = EVP_PKEY_get_octet_string_param(signer_find_key(), OSSL_PKEY_PARAM_PUB_KEY, point,
                                              sizeof(point), &length);

    assert(got == 1 && length == sizeof(point));
    json_open_object(out, NULL);
    json_text(out, "kid", id);
    json_text(out, "kty", "EC");
    json_text(out, "crv", "P-256");
    for (size_t i = 0; i < 2; i++) {
        AUTO_BUFFER struct buffer number = BUFFER_INIT;

        base64_encode_as(BASE64_URL, point + 1 + i * COORDINATE, COORDINATE, &number);
        json_text(out, members[i], number.data);
    }
    json_close_object(out);
}

/* From ASN.1 to two numbers of one length. */
static void signer_flatten(const unsigned char *bytes, size_t length, unsigned char *out)
{
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &bytes, (long)length);

    assert(signature);
    (void)BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, COORDINATE);
    (void)BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + COORDINATE, COORDINATE);
    ECDSA_SIG_free(signature);
}

void signer_add_token(const char *header, const char *claims, struct buffer *out)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    unsigned char signature[256];
    unsigned char flat[2 * COORDINATE];
    size_t length = sizeof(signature);
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    base64_encode_as(BASE64_URL, header, strlen(header), &text);
    buffer_add_text(&text, ".");
    base64_encode_as(BASE64_URL, claims, strlen(claims), &text);
    assert(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, signer_find_key()) == 1);
    length = EVP_DigestSign(context, signature, &length, (const unsigned char *)text.data,
                            text.length) == 1
                 ? length
                 : 0;
    EVP_MD_CTX_free(context);
    signer_flatten(signature, length, flat);
    buffer_format(out, "%s.", text.data);
    base64_encode_as(BASE64_URL, flat, sizeof(flat), out);
}
