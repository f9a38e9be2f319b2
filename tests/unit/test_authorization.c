/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/http/authorization.h"
#include "lib/http/base64.h"

static void add_basic(struct buffer *out, const char *pair, size_t length)
{
    buffer_add_text(out, "Basic ");
    base64_encode(pair, length, out);
}

static void reads_a_name_and_a_password(void **state)
{
    static const struct {
        const char *field;
        const char *user;
        const char *password;
    } cases[] = {
        {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"}, /* RFC 7617, 2 */
        {"basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"},
        {"BASIC   QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"},
        {"Basic YTpiOmM=", "a", "b:c"},
        {"Basic YTo=", "a", ""},
        {"Basic OmI=", "", "b"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_AUTHORIZATION struct authorization read = AUTHORIZATION_INIT;

        assert_true(authorization_parse(&read, cases[i].field));
        assert_int_equal(read.scheme, AUTHORIZATION_BASIC);
        assert_string_equal(read.user, cases[i].user);
        assert_string_equal(read.password, cases[i].password);
        assert_null(read.token);
    }
}

static void takes_nothing_for_nobody(void **state)
{
    static const char *const cases[] = {NULL, "", "Basic Og==", "bAsIc Og=="};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_AUTHORIZATION struct authorization read = AUTHORIZATION_INIT;

        assert_true(authorization_parse(&read, cases[i]));
        assert_int_equal(read.scheme, AUTHORIZATION_NONE);
    }
}

static void reads_a_token(void **state)
{
    AUTO_AUTHORIZATION struct authorization read = AUTHORIZATION_INIT;

    (void)state;
    assert_true(authorization_parse(&read, "bearer berth_a_AZaz09-._~+/=="));
    assert_int_equal(read.scheme, AUTHORIZATION_BEARER);
    assert_string_equal(read.token, "berth_a_AZaz09-._~+/==");
    assert_null(read.user);
}

static void refuses_what_it_does_not_understand(void **state)
{
    static const char *const cases[] = {
        "Basic",
        "Basic ",
        "Basic YTpi, Basic YTpi",
        "Basic YTpi,Bearer x",
        "Basic YTpi ",
        "Basic\tYTpi",
        "Basic YQ==",
        "Basic YTpj=",
        "Basic YTpi\n",
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer a,b",
        "Bearer a, Basic",
        "Bearer =",
        "Bearer a=b",
        "Bearer \"a\"",
        "Digest a=b",
        "Negotiate YTpi",
        "Basi YTpi",
        "BasicYTpi YTpi",
        " Basic YTpi",
        "x",
        "Bearer a\xc3",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_AUTHORIZATION struct authorization read = AUTHORIZATION_INIT;

        if (authorization_parse(&read, cases[i])) {
            fail_msg("'%s' was taken", cases[i]);
        }
        assert_int_equal(read.scheme, AUTHORIZATION_NONE);
        assert_int_equal(read.text.length, 0);
    }
}

static void refuses_controls_in_what_was_encoded(void **state)
{
    static const struct {
        const char *pair;
        size_t length;
    } cases[] = {{"a\0:b", 4}, {"a:b\0c", 5}, {"a:b\0", 4}, {"a:b\n", 4}, {"\x7f:b", 3}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUFFER struct buffer field = BUFFER_INIT;
        AUTO_AUTHORIZATION struct authorization read = AUTHORIZATION_INIT;

        add_basic(&field, cases[i].pair, cases[i].length);
        assert_false(authorization_parse(&read, field.data));
    }
}

static void refuses_what_is_longer_than_any_secret(void **state)
{
    AUTO_BUFFER struct buffer field = BUFFER_INIT;
    AUTO_AUTHORIZATION struct authorization read = AUTHORIZATION_INIT;

    (void)state;
    buffer_add_text(&field, "Bearer ");
    while (field.length < AUTHORIZATION_LIMIT) {
        buffer_add_text(&field, "a");
    }
    assert_true(authorization_parse(&read, field.data));
    authorization_release(&read);
    buffer_add_text(&field, "a");
    assert_false(authorization_parse(&read, field.data));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_name_and_a_password),
        cmocka_unit_test(takes_nothing_for_nobody),
        cmocka_unit_test(reads_a_token),
        cmocka_unit_test(refuses_what_it_does_not_understand),
        cmocka_unit_test(refuses_controls_in_what_was_encoded),
        cmocka_unit_test(refuses_what_is_longer_than_any_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
