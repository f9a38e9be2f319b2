/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/http/form.h"

static void reads_fields_that_repeat_and_spaces(void **state)
{
    static const char body[] = "grant_type=password&scope=repository%3Aa%3Apull+repository:b:push&"
                               "scope=x&password=a%2Bb+c&empty=&flag";
    AUTO_FORM struct query form = QUERY_INIT;

    (void)state;
    assert_true(form_parse(&form, body, strlen(body)));
    assert_string_equal(query_value(&form, "grant_type", 0), "password");
    assert_string_equal(query_value(&form, "scope", 0), "repository:a:pull repository:b:push");
    assert_string_equal(query_value(&form, "scope", 1), "x");
    assert_null(query_value(&form, "scope", 2));
    assert_string_equal(query_value(&form, "password", 0), "a+b c");
    assert_string_equal(query_value(&form, "empty", 0), "");
    assert_null(query_value(&form, "flag", 0));
}

static void reads_an_empty_body(void **state)
{
    AUTO_FORM struct query form = QUERY_INIT;

    (void)state;
    assert_true(form_parse(&form, "", 0));
    assert_null(query_value(&form, "", 0));
}

static void refuses_broken_escapes_controls_and_what_is_too_long(void **state)
{
    static const char *const cases[] = {"a=%", "a=%4", "a=%zz", "a=%00", "a=%0a", "a=b\n", "%=b"};
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    AUTO_FORM struct query form = QUERY_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_false(form_parse(&form, cases[i], strlen(cases[i])));
        assert_int_equal(form.pairs.length, 0);
    }
    assert_false(form_parse(&form, "a=b\0c=d", 7));
    buffer_add_text(&body, "a=");
    while (body.length < FORM_LIMIT) {
        buffer_add_text(&body, "+");
    }
    assert_true(form_parse(&form, body.data, body.length));
    buffer_add_text(&body, "+");
    assert_false(form_parse(&form, body.data, body.length));
}

static void knows_its_type(void **state)
{
    static const struct {
        const char *type;
        bool expected;
    } cases[] = {
        {"application/x-www-form-urlencoded", true},
        {"application/x-www-form-urlencoded; charset=utf-8", true},
        {"Application/X-WWW-Form-URLencoded;charset=utf-8", true},
        {"application/x-www-form-urlencoded2", false},
        {"application/json", false},
        {"", false},
        {NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(form_is_type(cases[i].type), cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_fields_that_repeat_and_spaces),
        cmocka_unit_test(reads_an_empty_body),
        cmocka_unit_test(refuses_broken_escapes_controls_and_what_is_too_long),
        cmocka_unit_test(knows_its_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
