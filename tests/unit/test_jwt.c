/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/access/key_set.h"
#include "tests/unit/signer.h"

enum { NOW = 1764000000 };

#define HEADER "{\"alg\":\"ES256\",\"kid\":\"one\"}"
#define CLAIMS "\"iss\":\"https://i\",\"aud\":\"here\""
#define GOOD "{" CLAIMS ",\"exp\":1764000300}"

static const struct jwt_use use = {"https://i", "here", NOW};

/* 0, or -1 with the reason. */
static int judge(const char *header, const char *claims, struct error *error)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_JWT struct jwt jwt = JWT_INIT;
    int64_t end;

    signer_add_token(header, claims, &text);
    return jwt_parse(&jwt, text.data, error) < 0 || jwt_judge(&jwt, &use, &end, error) < 0 ? -1 : 0;
}

static void assert_refused(const char *header, const char *claims, const char *reason)
{
    struct error error = ERROR_INIT;

    if (judge(header, claims, &error) == 0 || error.code != ERROR_UNAUTHORIZED ||
        !strstr(error.message, reason)) {
        fail_msg("%s.%s: not '%s', but '%s'", header, claims, reason, error.message);
    }
}

static void takes_what_is_said_clearly(void **state)
{
    static const char *const headers[] = {HEADER, "{\"alg\":\"ES256\"}",
                                          "{\"alg\":\"ES256\",\"typ\":\"JWT\"}",
                                          "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"unknown\":[]}"};
    static const char *const claims[] = {
        GOOD,
        "{" CLAIMS ",\"exp\":1763999941}",
        "{\"iss\":\"https://i\",\"aud\":[\"there\",\"here\"],\"exp\":1764000300}",
        "{" CLAIMS ",\"exp\":1764000300,\"nbf\":1764000060,\"iat\":1764000060}",
    };
    struct error error = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(headers); i++) {
        assert_returns(0, judge(headers[i], GOOD, &error));
    }
    for (size_t i = 0; i < COUNT(claims); i++) {
        assert_returns(0, judge(HEADER, claims[i], &error));
    }
}

static void refuses_headers_that_mean_something_else(void **state)
{
    static const struct {
        const char *header;
        const char *reason;
    } rows[] = {
        {"{}", "no signed JSON web token"},
        {"[]", "no signed JSON web token"},
        {"{\"x\":1}", "names no algorithm"},
        {"{\"alg\":\"ES256\",}", "no JSON object"},
        {"{\"alg\":\"ES256\"} {}", "no JSON object"},
        {"{\"alg\":\"ES256\",\"alg\":\"ES256\"}", "something twice"},
        {"{\"alg\":[\"ES256\"]}", "names no algorithm"},
        {"{\"alg\":\"es256\"}", "not taken"},
        {"{\"alg\":\"none\"}", "not taken"},
        {"{\"alg\":\"HS256\"}", "not taken"},
        {"{\"alg\":\"EdDSA\"}", "not taken"},
        {"{\"alg\":\"ES256K\"}", "not taken"},
        {"{\"alg\":\"ES384\"}", "no such algorithm's"},
        {"{\"alg\":\"ES256\",\"crit\":null}", "'crit'"},
        {"{\"alg\":\"ES256\",\"b64\":false}", "'crit'"},
        {"{\"alg\":\"ES256\",\"cty\":\"JWT\"}", "another one in it"},
        {"{\"alg\":\"ES256\",\"enc\":\"A128GCM\"}", "is encrypted"},
        {"{\"alg\":\"ES256\",\"zip\":\"DEF\"}", "is encrypted"},
        {"{\"alg\":\"ES256\",\"typ\":\"JWE\"}", "'typ'"},
        {"{\"alg\":\"ES256\",\"typ\":1}", "'typ'"},
        {"{\"alg\":\"ES256\",\"kid\":\"\"}", "'kid'"},
        {"{\"alg\":\"ES256\",\"kid\":7}", "'kid'"},
        {"{\"alg\":\"ES256\",\"x5c\":\"x\"}", "'x5c'"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_refused(rows[i].header, GOOD, rows[i].reason);
    }
}

static void refuses_claims_that_are_not_so(void **state)
{
    static const struct {
        const char *claims;
        const char *reason;
    } rows[] = {
        {"{}", "another issuer"},
        {"x", "no JSON object"},
        {"{" CLAIMS ",\"exp\":1764000300,\"a\":{\"b\":1,\"b\":1}}", "something twice"},
        {"{" CLAIMS ",\"exp\":1764000300,\"a\":[[{\"b\":1,\"\\u0062\":1}]]}", "something twice"},
        {"{\"iss\":\"https://i/\",\"aud\":\"here\",\"exp\":1764000300}", "another issuer"},
        {"{\"iss\":[\"https://i\"],\"aud\":\"here\",\"exp\":1764000300}", "another issuer"},
        {"{\"iss\":\"https://i\",\"exp\":1764000300}", "another audience"},
        {"{\"iss\":\"https://i\",\"aud\":[],\"exp\":1764000300}", "another audience"},
        {"{\"iss\":\"https://i\",\"aud\":{\"here\":1},\"exp\":1764000300}", "another audience"},
        {"{\"iss\":\"https://i\",\"aud\":\"here \",\"exp\":1764000300}", "another audience"},
        {"{" CLAIMS "}", "never expires"},
        {"{" CLAIMS ",\"exp\":1763999940}", "has expired"},
        {"{" CLAIMS ",\"exp\":-1}", "a time that is none"},
        {"{" CLAIMS ",\"exp\":1e300}", "a time that is none"},
        {"{" CLAIMS ",\"exp\":null}", "a time that is none"},
        {"{" CLAIMS ",\"exp\":1764000300,\"nbf\":1764000061}", "not valid yet"},
        {"{" CLAIMS ",\"exp\":1764000300,\"nbf\":\"0\"}", "a time that is none"},
        {"{" CLAIMS ",\"exp\":1764000300,\"iat\":1764000061}", "in the future"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_refused(HEADER, rows[i].claims, rows[i].reason);
    }
}

static void refuses_whatever_is_no_token(void **state)
{
    static const char *const texts[] = {
        "",          "a",          "ey.",         "ey..",        "eyJ9.eyJ9", "e30.e30",
        "e30.e30.e", "e30.e30.ee", "e30=.e30.ee", "ey.ey.ey.ey", "ey+.ey.ey", "ey\n.ey.ey"};
    struct error error = ERROR_INIT;
    AUTO_BUFFER struct buffer longest = BUFFER_INIT;
    struct jwt jwt = JWT_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_fails(ERROR_UNAUTHORIZED, jwt_parse(&jwt, texts[i], &error));
    }
    while (longest.length <= JWT_LIMIT) {
        buffer_add_text(&longest, "eyey");
    }
    assert_fails(ERROR_UNAUTHORIZED, jwt_parse(&jwt, longest.data, &error));
    assert_non_null(strstr(error.message, "16 KiB"));
}

#define RSA_MEMBERS(bytes) "\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" bytes "\""

static void keeps_of_keys_what_can_verify_signatures(void **state)
{
    static const char *const useless[] = {
        "{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}",
        "{" RSA_MEMBERS("AQAB") "}", /* too short */
        "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"A A\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"use\":\"enc\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"key_ops\":[\"sign\"]}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"alg\":\"ECDH-ES\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"kid\":1}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"crv\":\"P-256\"}",
    };
    AUTO_BUFFER struct buffer set = BUFFER_INIT;
    AUTO_BUFFER struct buffer tidy = BUFFER_INIT;

    (void)state;
    buffer_add_text(&set, "{\"keys\":[");
    for (size_t i = 0; i < COUNT(useless); i++) {
        buffer_format(&set, "%s,", useless[i]);
    }
    buffer_add_text(&set,
                    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AQ\",\"use\":\"sig\","
                    "\"kid\":\"k\",\"alg\":\"ES256\",\"key_ops\":[\"verify\"],\"d\":\"secret\","
                    "\"x5c\":[\"x\"]}],\"more\":1}");
    assert_int_equal(1, key_set_tidy(&(struct document){set.data, set.length, NULL}, &tidy));
    assert_string_equal(
        "{\"keys\":[{\"kid\":\"k\",\"alg\":\"ES256\",\"kty\":\"EC\",\"crv\":\"P-256\","
        "\"x\":\"AA\",\"y\":\"AQ\"}]}",
        tidy.data);
    assert_int_equal(0, key_set_tidy(&(struct document){"{}", 2, NULL}, &tidy));
    assert_int_equal(0, key_set_tidy(&(struct document){"[]", 2, NULL}, &tidy));
}

static void one_key_verifies_and_no_other(void **state)
{
    AUTO_BUFFER struct buffer set = BUFFER_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_BUFFER struct buffer key = BUFFER_INIT;
    AUTO_JWT struct jwt jwt = JWT_INIT;
    struct error error = ERROR_INIT;
    struct document document;

    (void)state;
    buffer_add_text(&set, "{\"keys\":[{\"kid\":\"two\"," RSA_MEMBERS("AQAB") "}");
    signer_add_key("one", &set);
    buffer_add_text(&set, "]}");
    document = (struct document){set.data, set.length, NULL};
    signer_add_token(HEADER, GOOD, &text);
    assert_returns(0, jwt_parse(&jwt, text.data, &error));
    assert_returns(1, key_set_find(&document, &jwt, &key, &error));
    assert_returns(1, jws_verify(text.data, key.data, &error));
    text.data[0] = 'f';
    assert_returns(0, jws_verify(text.data, key.data, &error));
    assert_fails(ERROR_INTERNAL,
                 jws_verify(text.data,
                            "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AQ\"}",
                            &error));
}

static void one_key_under_two_ids_is_one(void **state)
{
    AUTO_BUFFER struct buffer set = BUFFER_INIT;
    AUTO_BUFFER struct buffer key = BUFFER_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_JWT struct jwt jwt = JWT_INIT;
    struct error error = ERROR_INIT;

    (void)state;
    buffer_add_text(&set, "{\"keys\":[");
    signer_add_key("two", &set);
    signer_add_key("three", &set);
    buffer_add_text(&set, "]}");
    signer_add_token("{\"alg\":\"ES256\"}", GOOD, &text);
    assert_returns(0, jwt_parse(&jwt, text.data, &error));
    assert_returns(
        1, key_set_find(&(struct document){set.data, set.length, NULL}, &jwt, &key, &error));
    assert_returns(1, jws_verify(text.data, key.data, &error));
}

static void a_key_has_to_be_the_only_one_that_fits(void **state)
{
    AUTO_BUFFER struct buffer set = BUFFER_INIT;
    AUTO_BUFFER struct buffer key = BUFFER_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_JWT struct jwt jwt = JWT_INIT;
    struct error error = ERROR_INIT;
    struct document document;

    (void)state;
    buffer_add_text(&set, "{\"keys\":[");
    signer_add_key("two", &set);
    signer_add_key("three", &set);
    buffer_add_text(
        &set, ",{\"kid\":\"two\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AQ\"}]}");
    document = (struct document){set.data, set.length, NULL};
    signer_add_token(HEADER, GOOD, &text);
    assert_returns(0, jwt_parse(&jwt, text.data, &error));
    assert_returns(0, key_set_find(&document, &jwt, &key, &error));
    (void)snprintf(jwt.key, sizeof(jwt.key), "two");
    assert_fails(ERROR_UNAUTHORIZED, key_set_find(&document, &jwt, &key, &error));
    (void)snprintf(jwt.key, sizeof(jwt.key), "three");
    assert_returns(1, key_set_find(&document, &jwt, &key, &error));
    jwt.key[0] = '\0';
    assert_fails(ERROR_UNAUTHORIZED, key_set_find(&document, &jwt, &key, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_is_said_clearly),
        cmocka_unit_test(refuses_headers_that_mean_something_else),
        cmocka_unit_test(refuses_claims_that_are_not_so),
        cmocka_unit_test(refuses_whatever_is_no_token),
        cmocka_unit_test(keeps_of_keys_what_can_verify_signatures),
        cmocka_unit_test(one_key_verifies_and_no_other),
        cmocka_unit_test(one_key_under_two_ids_is_one),
        cmocka_unit_test(a_key_has_to_be_the_only_one_that_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
