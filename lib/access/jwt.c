/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/jwt.h"

#include <string.h>
#include <strings.h>

#include "lib/base/text.h"
#include "lib/http/base64.h"

enum { CHAIN_LIMIT = 8 };

static int jwt_refuse(struct error *error, const char *what)
{
    return error_set(error, ERROR_UNAUTHORIZED, "the token %s", what);
}

void jwt_release(struct jwt *jwt)
{
    names_release(&jwt->chain);
    buffer_release(&jwt->claims);
}

struct document jwt_claims(const struct jwt *jwt)
{
    return (struct document){jwt->claims.data, jwt->claims.length, NULL};
}

bool jwt_is_likely(const char *text)
{
    const char *first = strchr(text, '.');
    const char *second = first ? strchr(first + 1, '.') : NULL;

    return text_begins(text, "ey") && second && !strchr(second + 1, '.');
}

/* The next part, up to a dot or the end. */
static bool jwt_decode_part(const char **cursor, struct buffer *out)
{
    size_t length = strcspn(*cursor, ".");
    bool is_good = length > 0 && base64_decode(BASE64_URL, *cursor, length, out);

    *cursor += length + ((*cursor)[length] == '.');
    return is_good;
}

/* What would change what the signature or the claims mean, if one knew it. */
static int jwt_check_extensions(const struct document *header, struct error *error)
{
    AUTO_BUFFER struct buffer type = BUFFER_INIT;

    if (document_has_member(header, "crit") || document_has_member(header, "b64")) {
        return jwt_refuse(error, "asks for what this registry does not know ('crit')");
    }
    if (document_has_member(header, "enc") || document_has_member(header, "zip") ||
        document_has_member(header, "cty")) {
        return jwt_refuse(error, "is encrypted, or has another one in it");
    }
    if (document_has_member(header, "typ") &&
        !(document_text_member(header, "typ", &type) &&
          (strcasecmp(type.data, "JWT") == 0 || strcasecmp(type.data, "at+jwt") == 0))) {
        return jwt_refuse(error, "is of another kind ('typ')");
    }
    return 0;
}

static int jwt_read_algorithm(struct jwt *jwt, const struct document *header, struct error *error)
{
    AUTO_BUFFER struct buffer name = BUFFER_INIT;

    if (!document_text_member(header, "alg", &name)) {
        return jwt_refuse(error, "names no algorithm");
    }
    jwt->algorithm = jws_find_algorithm(name.data);
    if (!jwt->algorithm) {
        return jwt_refuse(error, "is signed by an algorithm that is not taken here");
    }
    if (jwt->algorithm->signature_length > 0 &&
        jwt->algorithm->signature_length != jwt->signature_length) {
        return jwt_refuse(error, "has a signature that is no such algorithm's");
    }
    return 0;
}

static int jwt_read_header(struct jwt *jwt, const struct document *header, struct error *error)
{
    AUTO_BUFFER struct buffer key = BUFFER_INIT;

    if (!document_is_unambiguous(header)) {
        return jwt_refuse(error, "has a header that is no JSON object, or says something twice");
    }
    if (jwt_check_extensions(header, error) < 0 || jwt_read_algorithm(jwt, header, error) < 0) {
        return -1;
    }
    if (document_has_member(header, "kid") &&
        !(document_text_member(header, "kid", &key) &&
          text_copy(jwt->key, sizeof(jwt->key), key.data, key.length))) {
        return jwt_refuse(error, "has a key id that is no text, or too long ('kid')");
    }
    if (document_has_member(header, "x5c") &&
        (!document_text_list(header, "x5c", &jwt->chain) || jwt->chain.count > CHAIN_LIMIT)) {
        return jwt_refuse(error, "has a chain of certificates that is none ('x5c')");
    }
    return 0;
}

static int jwt_read(struct jwt *jwt, struct error *error)
{
    AUTO_BUFFER struct buffer header = BUFFER_INIT;
    AUTO_BUFFER struct buffer signature = BUFFER_INIT;
    const char *cursor = jwt->text;

    if (!jwt_decode_part(&cursor, &header) || !jwt_decode_part(&cursor, &jwt->claims) ||
        !jwt_decode_part(&cursor, &signature)) {
        return jwt_refuse(error, "is cut short or damaged");
    }
    jwt->signature_length = signature.length;
    if (jwt_read_header(jwt, &(struct document){header.data, header.length, NULL}, error) < 0) {
        return -1;
    }
    if (!document_is_unambiguous(&(struct document){jwt->claims.data, jwt->claims.length, NULL})) {
        return jwt_refuse(error, "has claims that are no JSON object, or say something twice");
    }
    return 0;
}

int jwt_parse(struct jwt *out, const char *text, struct error *error)
{
    AUTO_JWT struct jwt jwt = JWT_INIT;

    jwt.text = text;
    if (strnlen(text, JWT_LIMIT + 1) > JWT_LIMIT) {
        return jwt_refuse(error, "is longer than 16 KiB");
    }
    if (!jwt_is_likely(text)) {
        return jwt_refuse(error, "is no signed JSON web token");
    }
    if (jwt_read(&jwt, error) < 0) {
        return -1;
    }
    *out = jwt;
    jwt = (struct jwt)JWT_INIT;
    return 0;
}

/* A time: whole seconds, as everybody writes them. 1; 0 if it is not there; -1. */
static int jwt_read_time(const struct document *claims, const char *name, int64_t *out)
{
    uint64_t seconds;

    if (!document_has_member(claims, name)) {
        return 0;
    }
    if (!document_number_member(claims, name, &seconds)) {
        return -1;
    }
    *out = (int64_t)seconds;
    return 1;
}

static int jwt_judge_time(const struct document *claims, int64_t now, int64_t *out_end,
                          struct error *error)
{
    int64_t end = 0;
    int64_t begin = 0;
    int64_t made = 0;
    int has_end = jwt_read_time(claims, "exp", &end);

    if (has_end < 0 || jwt_read_time(claims, "nbf", &begin) < 0 ||
        jwt_read_time(claims, "iat", &made) < 0) {
        return jwt_refuse(error, "has a time that is none ('exp', 'nbf', 'iat')");
    }
    if (has_end == 0) {
        return jwt_refuse(error, "never expires ('exp' is missing)");
    }
    if (end + JWT_LEEWAY <= now) {
        return jwt_refuse(error, "has expired ('exp')");
    }
    if (begin > now + JWT_LEEWAY || made > now + JWT_LEEWAY) {
        return jwt_refuse(error, begin > now + JWT_LEEWAY ? "is not valid yet ('nbf')"
                                                          : "was made in the future ('iat')");
    }
    *out_end = end;
    return 0;
}

int jwt_judge(const struct jwt *jwt, const struct jwt_use *use, int64_t *out_end,
              struct error *error)
{
    struct document claims = jwt_claims(jwt);
    AUTO_BUFFER struct buffer issuer = BUFFER_INIT;
    AUTO_NAMES struct names audiences = NAMES_INIT;
    bool is_meant = false;

    if (!document_text_member(&claims, "iss", &issuer) || strcmp(issuer.data, use->issuer) != 0) {
        return jwt_refuse(error, "is of another issuer ('iss')");
    }
    if (document_words(&claims, "aud", &audiences)) {
        for (size_t i = 0; i < audiences.count && !is_meant; i++) {
            is_meant = strcmp(audiences.names[i], use->audience) == 0;
        }
    }
    if (!is_meant) {
        return jwt_refuse(error, "is for another audience ('aud')");
    }
    return jwt_judge_time(&claims, use->now, out_end, error);
}
