/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/http/cookie.h"

static void finds_the_one_cookie_of_a_name(void **state)
{
    static const struct {
        const char *field;
        const char *value; /* NULL: none */
    } rows[] = {
        {"berth=abc", "abc"},
        {"a=1; berth=abc; b=2", "abc"},
        {"a=1;berth=abc;b=2", "abc"},
        {" berth=abc ", "abc"},
        {"berth=\"abc\"", "abc"},
        {"berth=", ""},
        {"berth=a=b==", "a=b=="},
        {"xberth=1; berth=abc; berthx=2", "abc"},
        {"berth; berth=abc", "abc"},
        {"x=berth=1; berth=abc", "abc"},
        {";;berth=abc;;", "abc"},
        {NULL, NULL},
        {"", NULL},
        {"berth", NULL},
        {"Berth=abc", NULL},
        {"berth =abc", NULL},
        {"=berth", NULL},
        {"__Host-berth=abc", NULL},
        {"berth=a b", NULL},
        {"berth=a,b", NULL},
        {"berth=a\"b", NULL},
        {"berth=\"", NULL},
        {"berth=a\\b", NULL},
        {"berth=a\tb", NULL},
        {"berth=a\x7f", NULL},
        {"berth=\xc3\xa4", NULL},
        /* Who has put which of them there cannot be told. */
        {"berth=abc; berth=abc", NULL},
        {"berth=abc; x=1; berth=", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUFFER struct buffer value = BUFFER_INIT;
        bool found = cookie_find(rows[i].field, "berth", &value);

        if (found != (rows[i].value != NULL) ||
            strcmp(value.data, rows[i].value ? rows[i].value : "") != 0) {
            fail_msg("'%s' has '%s'", rows[i].field, value.data);
        }
    }
}

static void takes_nothing_that_is_too_long(void **state)
{
    AUTO_BUFFER struct buffer field = BUFFER_INIT;
    AUTO_BUFFER struct buffer value = BUFFER_INIT;

    (void)state;
    buffer_format(&field, "berth=%0*d", COOKIE_VALUE_LIMIT, 0);
    assert_true(cookie_find(field.data, "berth", &value));
    assert_int_equal(value.length, COOKIE_VALUE_LIMIT);
    buffer_add_text(&field, "0");
    assert_false(cookie_find(field.data, "berth", &value));
    buffer_clear(&field);
    buffer_format(&field, "berth=1; x=%0*d", COOKIE_FIELD_LIMIT - 11, 0);
    assert_true(cookie_find(field.data, "berth", &value));
    buffer_add_text(&field, "0");
    assert_false(cookie_find(field.data, "berth", &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_one_cookie_of_a_name),
        cmocka_unit_test(takes_nothing_that_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
