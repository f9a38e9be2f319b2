/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "lib/http/conditions.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define D "sha256:" HEX
#define E "sha256:e" HEX

static void understands_entity_tags(void **state)
{
    static const struct {
        const char *field;
        size_t count;
    } cases[] = {
        {"\"" D "\"", 1},           {D, 1}, /* without quotes, as some clients send it */
        {"W/\"" D "\"", 1},         {"W/" D, 1},
        {" \"" D "\" ", 1},         {"\"x\", \"" D "\"", 1},
        {"\"" D "\",\"" D "\"", 2}, {"\"" D "\", *", 1},
    };
    struct digest digest;
    struct digest other = sha256("other");
    struct error error;

    (void)state;
    assert_returns(0, digest_parse(&digest, D, &error));
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_DIGEST_SET struct digest_set set = DIGEST_SET_INIT;

        conditions_parse(cases[i].field, &set);
        assert_int_equal(set.count, cases[i].count);
        assert_true(digest_set_has(&set, &digest));
        assert_int_equal(digest_set_has(&set, &other), set.any);
    }
}

static void what_is_none_of_ours_matches_nothing(void **state)
{
    static const char *const fields[] = {"",
                                         ",,",
                                         "\"\"",
                                         "\"",
                                         "W/",
                                         "W/\"\"",
                                         "\"abc\"",
                                         "sha256:abc",
                                         "\"**\"",
                                         "\"*\"",
                                         "w/\"" D "\"",
                                         "\"" D,
                                         "\"" E "\"",
                                         "\"md5:0123456789abcdef0123456789abcdef\"",
                                         "\"" D HEX HEX HEX "\""};
    struct digest digest;
    struct error error;

    (void)state;
    assert_returns(0, digest_parse(&digest, D, &error));
    for (size_t i = 0; i < COUNT(fields); i++) {
        AUTO_DIGEST_SET struct digest_set set = DIGEST_SET_INIT;

        conditions_parse(fields[i], &set);
        assert_int_equal(set.count, 0);
        assert_false(digest_set_has(&set, &digest));
    }
}

static void a_star_is_whatever_there_is(void **state)
{
    AUTO_DIGEST_SET struct digest_set set = DIGEST_SET_INIT;
    struct digest digest = sha256("anything");

    (void)state;
    conditions_parse("*", &set);
    assert_true(digest_set_has(&set, &digest));
    assert_false(digest_set_has(&set, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands_entity_tags),
        cmocka_unit_test(what_is_none_of_ours_matches_nothing),
        cmocka_unit_test(a_star_is_whatever_there_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
