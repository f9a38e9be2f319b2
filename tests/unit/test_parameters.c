/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "fcgi/parameters.h"

static void finds_what_is_there_by_its_whole_name(void **state)
{
    static const char *const list[] = {
        "HTTP_RANGE=bytes=0-", "HTTP_RANGES=no", "HTTPS=", "=x", "BROKEN", "HTTP_RANGE=2", NULL};
    struct parameters parameters;

    (void)state;
    parameters_read(&parameters, list);
    assert_string_equal(parameters_find(&parameters, "HTTP_RANGE"), "bytes=0-"); /* the first */
    assert_string_equal(parameters_find(&parameters, "HTTP_RANGES"), "no");
    assert_string_equal(parameters_find(&parameters, "HTTPS"), "");
    assert_string_equal(parameters_find(&parameters, ""), "x");
    assert_null(parameters_find(&parameters, "HTTP_RANG"));
    assert_null(parameters_find(&parameters, "HTTP"));
    assert_null(parameters_find(&parameters, "BROKEN"));
    assert_null(parameters_find(&parameters, "http_range"));
}

static void there_may_be_none(void **state)
{
    static const char *const list[] = {NULL};
    struct parameters parameters;

    (void)state;
    parameters_read(&parameters, list);
    assert_null(parameters_find(&parameters, "HTTPS"));
    parameters_read(&parameters, NULL);
    assert_null(parameters_find(&parameters, "HTTPS"));
}

/* What a client sends is what it likes: more than there are slots, and all in one of them. */
static void finds_each_of_very_many(void **state)
{
    enum { MANY = 3 * PARAMETER_SLOTS };
    static char texts[MANY][64];
    static const char *list[MANY + 1];
    struct parameters parameters;

    (void)state;
    for (int together = 0; together < 2; together++) {
        for (int count = 0; count <= MANY; count++) {
            for (int i = 0; i < count; i++) {
                (void)snprintf(texts[i], sizeof(texts[i]),
                               together ? "HTTP_%04d____________=%d" : "HTTP_A_%d=%d", i, i);
                list[i] = texts[i];
            }
            list[count] = NULL;
            parameters_read(&parameters, list);
            for (int i = 0; i < count; i++) {
                char name[64];

                (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(texts[i], "="), texts[i]);
                assert_ptr_equal(parameters_find(&parameters, name), texts[i] + strlen(name) + 1);
            }
            assert_null(parameters_find(&parameters, "HTTP_B"));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_is_there_by_its_whole_name),
        cmocka_unit_test(there_may_be_none),
        cmocka_unit_test(finds_each_of_very_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
