/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/key_set.h"

#include <string.h>

#include "lib/base/json.h"
#include "lib/base/text.h"
#include "lib/http/base64.h"

enum {
    RSA_BYTES = 2048 / 8, /* at least */
    RSA_LONGEST = 8192 / 8,
    EXPONENT_LONGEST = 8,
    COORDINATE_LONGEST = 66,
};

/* A key that can verify signatures. */
struct public_key {
    struct buffer id;        /* may be empty */
    struct buffer algorithm; /* the only one that it is for; may be empty */
    enum jws_family family;
    const char *curve;    /* as jws_algorithm has it */
    size_t length;        /* of a signature by RSA, in bytes */
    struct buffer first;  /* "n" or "x" */
    struct buffer second; /* "e" or "y" */
};

#define PUBLIC_KEY_INIT                                                                            \
    {                                                                                              \
        .id = BUFFER_INIT, .algorithm = BUFFER_INIT, .first = BUFFER_INIT, .second = BUFFER_INIT   \
    }
#define AUTO_PUBLIC_KEY AUTO(public_key_release)

static void public_key_release(struct public_key *key)
{
    buffer_release(&key->id);
    buffer_release(&key->algorithm);
    buffer_release(&key->first);
    buffer_release(&key->second);
}

/* A number in base 64. Its length in bytes; 0 if it is none. */
static size_t public_key_number(const struct document *document, const char *name,
                                struct buffer *out)
{
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;

    if (!document_text_member(document, name, out) ||
        !base64_decode(BASE64_URL, out->data, out->length, &bytes)) {
        return 0;
    }
    /* Some write a zero in front, by which others know that it is not negative. */
    return bytes.length > 1 && bytes.data[0] == '\0' ? bytes.length - 1 : bytes.length;
}

static bool public_key_read_rsa(const struct document *document, struct public_key *out)
{
    size_t exponent = public_key_number(document, "e", &out->second);

    out->family = JWS_RSA;
    out->length = public_key_number(document, "n", &out->first);
    return out->length >= RSA_BYTES && out->length <= RSA_LONGEST && exponent > 0 &&
           exponent <= EXPONENT_LONGEST;
}

static bool public_key_read_curve(const struct document *document, struct public_key *out)
{
    static const char *const names[] = {"ES256", "ES384", "ES512"};
    AUTO_BUFFER struct buffer curve = BUFFER_INIT;
    size_t x = public_key_number(document, "x", &out->first);
    size_t y = public_key_number(document, "y", &out->second);

    (void)document_text_member(document, "crv", &curve);
    out->family = JWS_CURVE;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const char *known = jws_find_algorithm(names[i])->curve;

        out->curve = strcmp(curve.data, known) == 0 ? known : out->curve;
    }
    return out->curve && x > 0 && x <= COORDINATE_LONGEST && y > 0 && y <= COORDINATE_LONGEST;
}

/* Whether it is one that its owner means for signatures. */
static bool public_key_is_for_signatures(const struct document *document)
{
    AUTO_BUFFER struct buffer use = BUFFER_INIT;
    AUTO_NAMES struct names operations = NAMES_INIT;
    bool is_for = !document_has_member(document, "key_ops");

    if (document_has_member(document, "use") &&
        !(document_text_member(document, "use", &use) && strcmp(use.data, "sig") == 0)) {
        return false;
    }
    if (!is_for && document_text_list(document, "key_ops", &operations)) {
        for (size_t i = 0; i < operations.count; i++) {
            is_for = is_for || strcmp(operations.names[i], "verify") == 0;
        }
    }
    return is_for;
}

static bool public_key_read(const char *text, struct public_key *out)
{
    struct document document = {text, strlen(text), NULL};
    AUTO_BUFFER struct buffer type = BUFFER_INIT;

    if (!document_is_unambiguous(&document) || !document_text_member(&document, "kty", &type) ||
        !public_key_is_for_signatures(&document)) {
        return false;
    }
    if ((document_has_member(&document, "kid") &&
         !(document_text_member(&document, "kid", &out->id) && out->id.length < JWT_KEY_SIZE)) ||
        (document_has_member(&document, "alg") &&
         !(document_text_member(&document, "alg", &out->algorithm) &&
           jws_find_algorithm(out->algorithm.data)))) {
        return false;
    }
    return (strcmp(type.data, "RSA") == 0 && public_key_read_rsa(&document, out)) ||
           (strcmp(type.data, "EC") == 0 && public_key_read_curve(&document, out));
}

static void public_key_write(const struct public_key *key, struct buffer *out)
{
    bool is_curve = key->family == JWS_CURVE;

    json_text(out, "kty", is_curve ? "EC" : "RSA");
    if (is_curve) {
        json_text(out, "crv", key->curve);
    }
    json_text(out, is_curve ? "x" : "n", key->first.data);
    json_text(out, is_curve ? "y" : "e", key->second.data);
}

static bool public_key_fits(const struct public_key *key, const struct jwt *jwt)
{
    const struct jws_algorithm *algorithm = jwt->algorithm;

    return key->family == algorithm->family &&
           (key->algorithm.length == 0 || strcmp(key->algorithm.data, algorithm->name) == 0) &&
           (key->family == JWS_RSA ? key->length == jwt->signature_length
                                   : strcmp(key->curve, algorithm->curve) == 0);
}

int key_set_tidy(const struct document *set, struct buffer *out)
{
    AUTO_NAMES struct names texts = NAMES_INIT;
    size_t begin = out->length;

    if (!document_has_member(set, "keys") || !document_object_list(set, "keys", &texts)) {
        return 0;
    }
    json_open_object(out, NULL);
    json_open_array(out, "keys");
    for (size_t i = 0; i < texts.count && out->length - begin < KEY_SET_TIDY; i++) {
        AUTO_PUBLIC_KEY struct public_key key = PUBLIC_KEY_INIT;

        if (!public_key_read(texts.names[i], &key)) {
            continue;
        }
        json_open_object(out, NULL);
        if (key.id.length > 0) {
            json_text(out, "kid", key.id.data);
        }
        if (key.algorithm.length > 0) {
            json_text(out, "alg", key.algorithm.data);
        }
        public_key_write(&key, out);
        json_close_object(out);
    }
    json_close_array(out);
    json_close_object(out);
    return 1;
}

int key_set_find(const struct document *set, const struct jwt *jwt, struct buffer *out,
                 struct error *error)
{
    AUTO_NAMES struct names texts = NAMES_INIT;
    AUTO_BUFFER struct buffer found = BUFFER_INIT;
    size_t named = 0;
    size_t fitting = 0;

    (void)document_object_list(set, "keys", &texts);
    for (size_t i = 0; i < texts.count; i++) {
        AUTO_PUBLIC_KEY struct public_key key = PUBLIC_KEY_INIT;

        if (!public_key_read(texts.names[i], &key) ||
            (*jwt->key && strcmp(key.id.data, jwt->key) != 0)) {
            continue;
        }
        named++;
        if (public_key_fits(&key, jwt)) {
            AUTO_BUFFER struct buffer written = BUFFER_INIT;

            json_open_object(&written, NULL);
            public_key_write(&key, &written);
            json_close_object(&written);
            /* The same one may be there under several ids. */
            fitting += fitting == 0 || strcmp(written.data, found.data) != 0;
            buffer_clear(&found);
            buffer_add(&found, written.data, written.length);
        }
    }
    if (named == 0) {
        return 0;
    }
    if (fitting != 1) {
        return error_set(error, ERROR_UNAUTHORIZED,
                         fitting == 0 ? "the token's algorithm is not that of its key ('alg')"
                                      : "the token does not say which key it is signed with "
                                        "('kid'), and several would do");
    }
    buffer_add(out, found.data, found.length);
    return 1;
}
