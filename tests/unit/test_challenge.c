/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "lib/http/challenge.h"

static void understands_what_registries_ask(void **state)
{
    static const struct {
        const char *field;
        enum challenge_scheme scheme;
        const char *realm;
        const char *service;
        const char *scope;
    } cases[] = {
        {"Basic realm=\"here\"", CHALLENGE_BASIC, "here", "", ""},
        {"basic", CHALLENGE_BASIC, "", "", ""},
        {"BASIC realm=here", CHALLENGE_BASIC, "here", "", ""},
        {"Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\","
         "scope=\"repository:library/debian:pull\"",
         CHALLENGE_BEARER, "https://auth.docker.io/token", "registry.docker.io",
         "repository:library/debian:pull"},
        {"Bearer  realm=\"r\" , service=s ,scope=\"a b\"", CHALLENGE_BEARER, "r", "s", "a b"},
        {"Bearer SCOPE=\"x\", Realm=\"r\"", CHALLENGE_BEARER, "r", "", "x"},
        {"Bearer realm=\"a\\\"b\\\\c\"", CHALLENGE_BEARER, "a\"b\\c", "", ""},
        {"Bearer realm=\"a,b=c\",service=\"d\"", CHALLENGE_BEARER, "a,b=c", "d", ""},
        {"Bearer realm=\"r\",error=\"invalid_token\"", CHALLENGE_BEARER, "r", "", ""},
        /* Bearer wins, wherever it stands, and keeps its own parameters. */
        {"Basic realm=\"b\", Bearer realm=\"r\",service=\"s\"", CHALLENGE_BEARER, "r", "s", ""},
        {"Bearer realm=\"r\",service=\"s\", Basic realm=\"b\"", CHALLENGE_BEARER, "r", "s", ""},
        {"Negotiate, Bearer realm=\"r\"", CHALLENGE_BEARER, "r", "", ""},
        {"Digest realm=\"d\",service=\"x\", Basic realm=\"b\"", CHALLENGE_BASIC, "b", "", ""},
        {"NTLM abc==, Basic realm=\"b\"", CHALLENGE_BASIC, "b", "", ""},
        /* What broke off is read as far as it goes. */
        {"Bearer realm=\"r", CHALLENGE_BEARER, "r", "", ""},
        {"Bearer realm=", CHALLENGE_BEARER, "", "", ""},
        {"Bearer realm=\"r\\", CHALLENGE_BEARER, "r\\", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_CHALLENGE struct challenge challenge = CHALLENGE_INIT;

        assert_true(challenge_parse(&challenge, cases[i].field));
        assert_int_equal(challenge.scheme, cases[i].scheme);
        assert_string_equal(challenge.realm.data, cases[i].realm);
        assert_string_equal(challenge.service.data, cases[i].service);
        assert_string_equal(challenge.scope.data, cases[i].scope);
    }
}

static void does_not_understand_others(void **state)
{
    static const char *const fields[] = {"",
                                         " ",
                                         ",",
                                         "=",
                                         "\"",

                                         "Digest a=b",
                                         "Bearer1",
                                         "Bear er",
                                         "a=b",
                                         "realm=\"Bearer\"",
                                         "=Bearer",
                                         "Basically realm=\"x\"",
                                         "Negotiate abc=="};

    (void)state;
    for (size_t i = 0; i < COUNT(fields); i++) {
        AUTO_CHALLENGE struct challenge challenge = CHALLENGE_INIT;

        if (challenge_parse(&challenge, fields[i])) {
            fail_msg("'%s' is no challenge for us", fields[i]);
        }
        assert_int_equal(challenge.realm.length, 0);
    }
}

static void several_fields_are_read_one_after_the_other(void **state)
{
    AUTO_CHALLENGE struct challenge challenge = CHALLENGE_INIT;

    (void)state;
    assert_false(challenge_parse(&challenge, "Negotiate"));
    assert_true(challenge_parse(&challenge, "Bearer realm=\"r\",service=\"s\""));
    assert_true(challenge_parse(&challenge, "Basic realm=\"b\""));
    assert_int_equal(challenge.scheme, CHALLENGE_BEARER);
    assert_string_equal(challenge.realm.data, "r");
    assert_string_equal(challenge.service.data, "s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands_what_registries_ask),
        cmocka_unit_test(does_not_understand_others),
        cmocka_unit_test(several_fields_are_read_one_after_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
