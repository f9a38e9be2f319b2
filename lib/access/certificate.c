/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/certificate.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#include "lib/access/secret.h"
#include "lib/base/json.h"
#include "lib/http/base64.h"

enum {
    CERTIFICATE_LIMIT = 100, /* of a bundle */
    NUMBER_LIMIT = 1024,     /* bytes */
    FINGERPRINT = 30,        /* bytes of libtrust's */
};

static void certificate_free_stack(STACK_OF(X509) * *stack)
{
    sk_X509_pop_free(*stack, X509_free);
}
#define AUTO_STACK AUTO(certificate_free_stack)

/* What was read of a bundle; OpenSSL's words about what ends it are of no interest. */
static STACK_OF(X509) * certificates_read(const struct buffer *pem)
{
    STACK_OF(X509) *found = sk_X509_new_null();
    BIO *text = BIO_new_mem_buf(pem->data, (int)pem->length);
    X509 *each = NULL;

    while (found && text && sk_X509_num(found) < CERTIFICATE_LIMIT &&
           (each = PEM_read_bio_X509(text, NULL, NULL, NULL))) {
        (void)sk_X509_push(found, each);
    }
    BIO_free(text);
    ERR_clear_error();
    return found;
}

/* A member of a key, of `length` bytes; 0: as few as it has. */
static bool certificate_add_number(const EVP_PKEY *key, const char *parameter, int length,
                                   struct buffer *out)
{
    unsigned char bytes[NUMBER_LIMIT];
    BIGNUM *number = NULL;
    int written = -1;

    if (EVP_PKEY_get_bn_param(key, parameter, &number) == 1 &&
        BN_num_bytes(number) <= NUMBER_LIMIT) {
        written = BN_bn2binpad(number, bytes, length > 0 ? length : BN_num_bytes(number));
    }
    BN_free(number);
    if (written <= 0) {
        return false;
    }
    base64_encode_as(BASE64_URL, bytes, (size_t)written, out);
    return true;
}

/* The members that a key needs, in the order that its thumbprint takes them in. */
static bool certificate_add_members(const EVP_PKEY *key, struct buffer *out)
{
    static const struct {
        const char *name;
        const char *curve;
        int length;
    } curves[] = {
        {"prime256v1", "P-256", 32}, {"secp384r1", "P-384", 48}, {"secp521r1", "P-521", 66}};
    AUTO_BUFFER struct buffer first = BUFFER_INIT;
    AUTO_BUFFER struct buffer second = BUFFER_INIT;
    char group[32] = "";

    if (EVP_PKEY_is_a(key, "RSA")) {
        if (!certificate_add_number(key, OSSL_PKEY_PARAM_RSA_E, 0, &first) ||
            !certificate_add_number(key, OSSL_PKEY_PARAM_RSA_N, 0, &second)) {
            return false;
        }
        json_text(out, "e", first.data);
        json_text(out, "kty", "RSA");
        json_text(out, "n", second.data);
        return true;
    }
    (void)EVP_PKEY_get_group_name(key, group, sizeof(group), NULL);
    for (size_t i = 0; i < sizeof(curves) / sizeof(*curves); i++) {
        if (strcmp(curves[i].name, group) == 0 &&
            certificate_add_number(key, OSSL_PKEY_PARAM_EC_PUB_X, curves[i].length, &first) &&
            certificate_add_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, curves[i].length, &second)) {
            json_text(out, "crv", curves[i].curve);
            json_text(out, "kty", "EC");
            json_text(out, "x", first.data);
            json_text(out, "y", second.data);
            return true;
        }
    }
    return false;
}

/* RFC 7638. */
static bool certificate_add_thumbprint(const EVP_PKEY *key, struct buffer *out)
{
    AUTO_BUFFER struct buffer members = BUFFER_INIT;
    struct secret hash;
    struct error error;

    json_open_object(&members, NULL);
    if (!certificate_add_members(key, &members)) {
        return false;
    }
    json_close_object(&members);
    if (secret_hash(members.data, &hash, &error) < 0) {
        return false;
    }
    base64_encode_as(BASE64_URL, hash.bytes, sizeof(hash.bytes), out);
    return true;
}

/* Of 30 bytes of a hash: twelve groups of four digits in base 32, with colons between them. */
static void certificate_add_groups(const unsigned char *bytes, struct buffer *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    for (unsigned i = 0; i < FINGERPRINT * 8 / 5; i++) {
        unsigned bit = 5 * i;
        unsigned pair =
            (unsigned)bytes[bit / 8] << 8 | (bit / 8 + 1 < FINGERPRINT ? bytes[bit / 8 + 1] : 0);

        buffer_format(out, "%s%c", i > 0 && i % 4 == 0 ? ":" : "",
                      digits[pair >> (11 - bit % 8) & 31]);
    }
}

static bool certificate_add_fingerprint(const EVP_PKEY *key, struct buffer *out)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned char *der = NULL;
    int length = i2d_PUBKEY(key, &der);
    int hashed = length > 0 && EVP_Digest(der, (size_t)length, hash, NULL, EVP_sha256(), NULL);

    OPENSSL_free(der);
    if (hashed != 1) {
        return false;
    }
    certificate_add_groups(hash, out);
    return true;
}

static void certificate_add_key(const EVP_PKEY *key, const char *id, struct buffer *out)
{
    AUTO_BUFFER struct buffer members = BUFFER_INIT;

    if (!key || !certificate_add_members(key, &members)) {
        return;
    }
    json_open_object(out, NULL);
    if (*id) {
        json_text(out, "kid", id);
    }
    buffer_format(out, "%s%s", *id ? "," : "", members.data);
    json_close_object(out);
}

static void certificate_open_set(struct buffer *out)
{
    json_open_object(out, NULL);
    json_open_array(out, "keys");
}

static void certificate_close_set(struct buffer *out)
{
    json_close_array(out);
    json_close_object(out);
}

bool certificates_key_set(const struct buffer *pem, struct buffer *out)
{
    AUTO_STACK STACK_OF(X509) *bundle = certificates_read(pem);
    int count = bundle ? sk_X509_num(bundle) : 0;

    certificate_open_set(out);
    for (int i = 0; i < count; i++) {
        const EVP_PKEY *key = X509_get0_pubkey(sk_X509_value(bundle, i));
        AUTO_BUFFER struct buffer fingerprint = BUFFER_INIT;
        AUTO_BUFFER struct buffer thumbprint = BUFFER_INIT;

        if (key && certificate_add_fingerprint(key, &fingerprint) &&
            certificate_add_thumbprint(key, &thumbprint)) {
            certificate_add_key(key, fingerprint.data, out);
            certificate_add_key(key, thumbprint.data, out);
        }
    }
    certificate_close_set(out);
    ERR_clear_error();
    return count > 0;
}

/* NULL unless all of them are certificates. */
static STACK_OF(X509) * certificates_decode(const struct names *certificates)
{
    STACK_OF(X509) *chain = sk_X509_new_null();

    for (size_t i = 0; chain && i < certificates->count; i++) {
        AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
        const char *text = certificates->names[i];
        const unsigned char *cursor;
        X509 *each = NULL;

        if (base64_decode(BASE64_PADDED, text, strlen(text), &bytes) && bytes.length < INT_MAX) {
            cursor = (const unsigned char *)bytes.data;
            each = d2i_X509(NULL, &cursor, (long)bytes.length);
        }
        if (!each) {
            certificate_free_stack(&chain);
            return NULL;
        }
        (void)sk_X509_push(chain, each);
    }
    return chain;
}

/* Whatever in the bundle it leads to will do: that need not be a root. */
static bool certificates_lead(STACK_OF(X509) * bundle, STACK_OF(X509) * chain, int64_t now)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    bool leads = false;

    for (int i = 0; store && i < sk_X509_num(bundle); i++) {
        (void)X509_STORE_add_cert(store, sk_X509_value(bundle, i));
    }
    if (store && context &&
        X509_STORE_CTX_init(context, store, sk_X509_value(chain, 0), chain) == 1) {
        X509_STORE_CTX_set_flags(context, X509_V_FLAG_PARTIAL_CHAIN);
        X509_STORE_CTX_set_time(context, 0, (time_t)now);
        leads = X509_verify_cert(context) == 1;
    }
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return leads;
}

bool certificates_chain_key(const struct buffer *pem, const struct certificate_chain *chain,
                            struct buffer *out)
{
    AUTO_STACK STACK_OF(X509) *bundle = certificates_read(pem);
    AUTO_STACK STACK_OF(X509) *given = certificates_decode(chain->certificates);
    bool leads =
        bundle && given && sk_X509_num(given) > 0 && certificates_lead(bundle, given, chain->now);

    if (leads) {
        certificate_open_set(out);
        certificate_add_key(X509_get0_pubkey(sk_X509_value(given, 0)), chain->id, out);
        certificate_close_set(out);
    }
    ERR_clear_error();
    return leads;
}
