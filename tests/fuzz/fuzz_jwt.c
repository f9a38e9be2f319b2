/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/access/certificate.h"
#include "lib/access/key_set.h"
#include "lib/base/text.h"
#include "lib/http/base64.h"

enum { NOW = 1764000000 };

/* What may be said of a token that was taken apart, whoever made it. */
static void check_parsed(const struct jwt *jwt)
{
    static const struct jwt_use use = {"https://i", "here", NOW};
    struct document claims = jwt_claims(jwt);
    AUTO_BUFFER struct buffer issuer = BUFFER_INIT;
    struct error error;
    int64_t end = 0;

    CHECK(jwt->algorithm && jwt->algorithm->name[1] == 'S' && jwt->algorithm->name[0] != 'H');
    CHECK(document_is_unambiguous(&claims));
    if (jwt_judge(jwt, &use, &end, &error) == 0) {
        CHECK(end + JWT_LEEWAY > NOW);
        CHECK(document_text_member(&claims, "iss", &issuer) &&
              strcmp(issuer.data, "https://i") == 0);
    } else {
        CHECK(error.code == ERROR_UNAUTHORIZED && *error.message);
    }
}

static void parse(const char *text)
{
    AUTO_JWT struct jwt jwt = JWT_INIT;
    struct error error;

    if (jwt_parse(&jwt, text, &error) == 0) {
        check_parsed(&jwt);
    } else {
        CHECK(error.code == ERROR_UNAUTHORIZED && *error.message);
    }
}

/* Header and claims with a line between them, for which nobody has to know base 64. */
static void parse_parts(const char *text)
{
    static const char signature[64] = "a signature of sixty-four bytes";
    AUTO_BUFFER struct buffer token = BUFFER_INIT;
    size_t header = strcspn(text, "\n");

    base64_encode_as(BASE64_URL, text, header, &token);
    buffer_add_text(&token, ".");
    text += header + (text[header] == '\n');
    base64_encode_as(BASE64_URL, text, strlen(text), &token);
    buffer_add_text(&token, ".");
    base64_encode_as(BASE64_URL, signature, sizeof(signature), &token);
    parse(token.data);
}

/* What is kept of keys is kept when it is tidied again, and libcjose bears it. */
static void tidy(const char *text)
{
    static const char token[] =
        "eyJhbGciOiJFUzI1NiJ9.e30."
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAA";
    struct document document = {text, strlen(text), NULL};
    AUTO_BUFFER struct buffer once = BUFFER_INIT;
    AUTO_BUFFER struct buffer twice = BUFFER_INIT;
    AUTO_BUFFER struct buffer key = BUFFER_INIT;
    AUTO_JWT struct jwt jwt = JWT_INIT;
    struct error error;

    if (key_set_tidy(&document, &once) == 0) {
        return;
    }
    document = (struct document){once.data, once.length, NULL};
    CHECK(key_set_tidy(&document, &twice) == 1);
    CHECK(strcmp(once.data, twice.data) == 0);
    CHECK(jwt_parse(&jwt, token, &error) == 0);
    if (key_set_find(&document, &jwt, &key, &error) > 0) {
        CHECK(jws_verify(token, key.data, &error) <= 0);
    }
}

/* Lines of a chain that lead nowhere, and a bundle. */
static void lead(const char *text)
{
    AUTO_NAMES struct names chain = NAMES_INIT;
    AUTO_BUFFER struct buffer bundle = BUFFER_INIT;
    AUTO_BUFFER struct buffer none = BUFFER_INIT;
    AUTO_BUFFER struct buffer keys = BUFFER_INIT;
    AUTO_BUFFER struct buffer again = BUFFER_INIT;
    const char *cursor = text;
    const char *line;
    size_t length;

    while (text_next_item(&cursor, '\n', &line, &length)) {
        AUTO_BUFFER struct buffer each = BUFFER_INIT;

        buffer_add(&each, line, length);
        names_add(&chain, each.data);
    }
    CHECK(!certificates_chain_key(&none, &(struct certificate_chain){&chain, "id", NOW}, &keys));
    CHECK(keys.length == 0);
    buffer_add_text(&bundle, text);
    (void)certificates_key_set(&bundle, &keys);
    CHECK(key_set_tidy(&(struct document){keys.data, keys.length, NULL}, &again) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    text = copy_text(data, size);
    parse(text);
    parse_parts(text);
    tidy(text);
    lead(text);
    free(text);
    return 0;
}
