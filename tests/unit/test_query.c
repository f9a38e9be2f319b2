/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/http/query.h"

static void values_are_found_by_name_and_decoded(void **state)
{
    static const struct {
        const char *query;
        const char *name;
        unsigned n;
        const char *value; /* NULL: none */
    } rows[] = {
        {"n=5", "n", 0, "5"},
        {"n=5&last=a", "last", 0, "a"},
        {"last=a%2Fb", "last", 0, "a/b"},
        {"last=a+b", "last", 0, "a+b"},
        {"n=", "n", 0, ""},
        {"n=&m=1", "n", 0, ""},
        {"n=&m=1", "m", 0, "1"},
        {"n", "n", 0, NULL},
        {"", "n", 0, NULL},
        {"", "", 0, NULL},
        {"=5", "", 0, "5"},
        {"&&", "n", 0, NULL},
        {"&n=1&", "n", 0, "1"},
        {"n&n=1", "n", 0, "1"},
        {"nn=5", "n", 0, NULL},
        {"xn=5", "n", 0, NULL},
        {"n=5", "nn", 0, NULL},
        {"x=n", "n", 0, NULL},
        {"x=n&y=n", "n", 0, NULL},
        {"N=5", "n", 0, NULL},
        {"%6e=5", "n", 0, "5"},
        {"n%3D=5", "n=", 0, "5"},
        {"tag=a&tag=b&tag=c", "tag", 0, "a"},
        {"tag=a&tag=b&tag=c", "tag", 2, "c"},
        {"tag=a&tag=b&tag=c", "tag", 3, NULL},
        {"n=a=b", "n", 0, "a=b"},
        {"n=1%26x=2", "n", 0, "1&x=2"},
        {"n=1%26x=2", "x", 0, NULL},
        {"n=a?b#c;d", "n", 0, "a?b#c;d"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_QUERY struct query query = QUERY_INIT;
        const char *value;

        assert_true(query_parse(&query, rows[i].query));
        value = query_value(&query, rows[i].name, rows[i].n);
        if (!value != !rows[i].value || (value && strcmp(value, rows[i].value) != 0)) {
            fail_msg("'%s' in '%s' is '%s'", rows[i].name, rows[i].query, value ? value : "(none)");
        }
    }
}

static void one_broken_escape_spoils_all_of_it(void **state)
{
    static const char *const texts[] = {"n=%",        "n=%4",      "n=%00",     "n=%0a",
                                        "n=%7f",      "n=%4&x=1",  "x=1&n=%zz", "%=1",
                                        "%00=1",      "x=%g0&n=1", "n=\x01",    "n=1&m=a%",
                                        "x=1&n%0d=2", "n=%%%20",   "n=% 0",     "%zz&n=1"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        AUTO_QUERY struct query query = QUERY_INIT;

        assert_true(query_parse(&query, "x=before"));
        if (query_parse(&query, texts[i])) {
            fail_msg("'%s' was taken", texts[i]);
        }
        assert_null(query_value(&query, "x", 0));
        assert_null(query_value(&query, "n", 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found_by_name_and_decoded),
        cmocka_unit_test(one_broken_escape_spoils_all_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
