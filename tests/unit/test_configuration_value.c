/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "lib/configuration/value.h"

enum season {
    SPRING,
    SUMMER,
    WINTER,
};

static const char *const season_words[] = {
    [SPRING] = "spring",
    [SUMMER] = "summer",
    [WINTER] = "winter",
    NULL,
};

/* A place for a value of any kind. */
union value {
    char *text;
    struct names list;
    bool boolean;
    uint64_t number;
    enum season season;
};

static bool item_is_short(const char *item)
{
    return strlen(item) == 1;
}

static const struct {
    struct value_form form;
    const char *text;
    const char *printed;
} good[] = {
    {{.kind = VALUE_TEXT}, "any thing", "any thing"},
    {{.kind = VALUE_TEXT}, "", ""},
    {{.kind = VALUE_PATH}, "/a/b", "/a/b"},
    {{.kind = VALUE_PATH}, "/a/b///", "/a/b"},
    {{.kind = VALUE_PATH}, "/", "/"},
    {{.kind = VALUE_PATH}, "b/c", "/etc/berth/b/c"},
    {{.kind = VALUE_PATH}, "../c", "/etc/berth/../c"},
    {{.kind = VALUE_OPTIONAL_PATH}, "", ""},
    {{.kind = VALUE_OPTIONAL_PATH}, "b", "/etc/berth/b"},
    {{.kind = VALUE_URL}, "https://a.example:5000", "https://a.example:5000"},
    {{.kind = VALUE_URL}, "http://a/", "http://a"},
    {{.kind = VALUE_HOST}, "", ""},
    {{.kind = VALUE_HOST}, "docker.io", "docker.io"},
    {{.kind = VALUE_HOST}, "corp", "corp"},
    {{.kind = VALUE_HOST}, "a.example:5000", "a.example:5000"},
    {{.kind = VALUE_HOSTS}, "*", "*"},
    {{.kind = VALUE_HOSTS}, "docker.io ,ghcr.io", "docker.io ,ghcr.io"},
    {{.kind = VALUE_TEXT}, "\"", "\""},
    {{.kind = VALUE_TEXT}, "~$x", "~$x"},
    {{.kind = VALUE_LIST}, "", ""},
    {{.kind = VALUE_LIST}, "a", "a"},
    {{.kind = VALUE_LIST}, " team/** ,!team/base,, c ", "team/**, !team/base, c"},
    {{.kind = VALUE_ITEMS, .item_is_valid = item_is_short}, "a , b", "a, b"},
    {{.kind = VALUE_OPTIONAL_ITEMS, .item_is_valid = item_is_short}, "a , b", "a, b"},
    {{.kind = VALUE_OPTIONAL_ITEMS, .item_is_valid = item_is_short}, "", ""},
    {{.kind = VALUE_OPTIONAL_URL}, "", ""},
    {{.kind = VALUE_OPTIONAL_URL}, "https://a.example/", "https://a.example"},
    {{.kind = VALUE_BOOLEAN}, "yes", "yes"},
    {{.kind = VALUE_BOOLEAN}, "no", "no"},
    {{.kind = VALUE_NUMBER}, "0", "0"},
    {{.kind = VALUE_NUMBER, .minimum = 1, .maximum = 9}, "1", "1"},
    {{.kind = VALUE_NUMBER, .minimum = 1, .maximum = 9}, "9", "9"},
    {{.kind = VALUE_BYTES}, "4M", "4194304"},
    {{.kind = VALUE_BYTES, .maximum = 1024}, "1K", "1024"},
    {{.kind = VALUE_SECONDS}, "2h", "7200s"},
    {{.kind = VALUE_SECONDS, .minimum = 60}, "1m", "60s"},
    {{.kind = VALUE_AGE, .minimum = 60}, "keep", "keep"},
    {{.kind = VALUE_AGE, .minimum = 60}, "30d", "2592000s"},
    {{.kind = VALUE_CHOICE, .choices = season_words}, "spring", "spring"},
    {{.kind = VALUE_CHOICE, .choices = season_words}, "winter", "winter"},
};

static void what_was_set_is_printed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        union value value = {.list = NAMES_INIT};
        AUTO_BUFFER struct buffer printed = BUFFER_INIT;

        if (!value_set(&value, &good[i].form, "/etc/berth/configuration.ini", good[i].text)) {
            fail_msg("refused: '%s'", good[i].text);
        }
        assert_true(value_is_set(&value, &good[i].form));
        value_print(&value, &good[i].form, &printed);
        assert_string_equal(printed.data, good[i].printed);
        value_release(&value, &good[i].form);
    }
}

static const struct {
    struct value_form form;
    const char *text;
    const char *expected;
} bad[] = {
    {{.kind = VALUE_PATH}, "", "a path is expected, not"},
    {{.kind = VALUE_PATH},
     "~/berth",
     "paths are written out, since ~ and $ mean nothing here, not"},
    {{.kind = VALUE_PATH}, "/srv/$USER", "paths are written out, since"},
    {{.kind = VALUE_OPTIONAL_PATH}, "$HOME/ca.pem", "paths are written out, since"},
    {{.kind = VALUE_PATH}, "\"/srv\"", "values are written without quotes, not"},
    {{.kind = VALUE_TEXT}, "'bob'", "values are written without quotes, not"},
    {{.kind = VALUE_TEXT}, "\"\"", "values are written without quotes, not"},
    {{.kind = VALUE_BOOLEAN}, "\"yes\"", "values are written without quotes, not"},
    {{.kind = VALUE_HOST},
     "https://docker.io",
     "a registry's name such as docker.io (no https://) is expected, not"},
    {{.kind = VALUE_HOST}, "docker.io, ghcr.io", "a registry's name such as"},
    {{.kind = VALUE_HOST}, "Docker.io", "a registry's name such as"},
    {{.kind = VALUE_HOST}, "*", "a registry's name such as"},
    {{.kind = VALUE_HOSTS},
     "docker.io ghcr.io",
     "* for any, or a list such as docker.io, ghcr.io (no https://) is expected, not"},
    {{.kind = VALUE_HOSTS}, "", "* for any"},
    {{.kind = VALUE_HOSTS}, " , ", "* for any"},
    {{.kind = VALUE_HOSTS}, "https://docker.io", "* for any"},
    {{.kind = VALUE_HOSTS}, "docker.io/library", "* for any"},
    {{.kind = VALUE_HOSTS}, "*.example", "* for any"},
    {{.kind = VALUE_ITEMS, .item_is_valid = item_is_short, .items = "short ones"},
     "a, longer",
     "short ones is expected, not"},
    {{.kind = VALUE_ITEMS, .item_is_valid = item_is_short, .items = "short ones"},
     " , ",
     "short ones is expected, not"},
    {{.kind = VALUE_OPTIONAL_ITEMS, .item_is_valid = item_is_short, .items = "short ones"},
     "a, longer",
     "short ones is expected, not"},
    {{.kind = VALUE_OPTIONAL_ITEMS, .item_is_valid = item_is_short, .items = "short ones"},
     ",",
     "short ones is expected, not"},
    {{.kind = VALUE_OPTIONAL_URL}, "a.example", "an address such as"},
    {{.kind = VALUE_URL},
     "",
     "an address such as https://registry.example.org:5000 is expected, not"},
    {{.kind = VALUE_URL}, "ftp://a", "an address such as"},
    {{.kind = VALUE_URL}, "https://", "an address such as"},
    {{.kind = VALUE_URL}, "https:///", "an address such as"},
    {{.kind = VALUE_URL}, "https://a/b", "an address such as"},
    {{.kind = VALUE_URL}, "https://user@a", "an address such as"},
    {{.kind = VALUE_BOOLEAN}, "", "yes or no is expected, not"},
    {{.kind = VALUE_BOOLEAN}, "Yes", "yes or no is expected, not"},
    {{.kind = VALUE_BOOLEAN}, "true", "yes or no is expected, not"},
    {{.kind = VALUE_NUMBER}, "", "a number is expected, not"},
    {{.kind = VALUE_NUMBER}, "-1", "a number is expected, not"},
    {{.kind = VALUE_NUMBER}, "1 ", "a number is expected, not"},
    {{.kind = VALUE_NUMBER, .minimum = 1}, "0", "a number, and 1 at least, is expected, not"},
    {{.kind = VALUE_NUMBER, .maximum = 9}, "10", "a number, and 9 at most, is expected, not"},
    {{.kind = VALUE_BYTES}, "1g", "a number of bytes such as 512, 64K, 4M, 1G is expected, not"},
    {{.kind = VALUE_BYTES, .maximum = 67108864},
     "67108865",
     "a number of bytes such as 512, 64K, 4M, and 64M at most, is expected, not"},
    {{.kind = VALUE_SECONDS}, "1w", "a time such as 60s, 15m, 12h, 7d is expected, not"},
    {{.kind = VALUE_AGE}, "never", "keep, or a time such as 12h, 30d is expected, not"},
    {{.kind = VALUE_AGE, .minimum = 3600},
     "59m",
     "keep, or a time such as 12h, 30d, and 3600s at least, is expected, not"},
    {{.kind = VALUE_SECONDS, .minimum = 86400, .maximum = 864000},
     "23h",
     "a time such as 60s, 15m, 12h, 7d, and 1d at least, and 10d at most, is expected, not"},
    {{.kind = VALUE_CHOICE, .choices = season_words},
     "autumn",
     "spring, summer or winter is expected, not"},
    {{.kind = VALUE_CHOICE, .choices = season_words}, "", "spring, summer or winter"},
    {{.kind = VALUE_CHOICE, .choices = season_words}, "Spring", "spring, summer or winter"},
};

static void what_is_not_of_the_form_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        union value value;
        union value before;
        AUTO_BUFFER struct buffer expected = BUFFER_INIT;

        memset(&value, 0x5a, sizeof(value));
        before = value;
        if (value_set(&value, &bad[i].form, "/etc/c.ini", bad[i].text)) {
            fail_msg("taken: '%s'", bad[i].text);
        }
        assert_memory_equal(&value, &before, sizeof(value));
        value_expect(&bad[i].form, bad[i].text, &expected);
        assert_ptr_equal(strstr(expected.data, bad[i].expected), expected.data);
    }
}

static void a_value_replaces_the_one_before_it(void **state)
{
    struct value_form path = {.kind = VALUE_PATH};
    struct value_form list = {.kind = VALUE_LIST};
    union value value = {.text = NULL};

    (void)state;
    assert_false(value_is_set(&value, &path));
    assert_true(value_set(&value, &path, "/c.ini", "a"));
    assert_true(value_set(&value, &path, "/c.ini", "b"));
    assert_string_equal(value.text, "/b");
    value_release(&value, &path);
    assert_null(value.text);
    value.list = (struct names)NAMES_INIT;
    assert_true(value_set(&value, &list, "/c.ini", "a, b"));
    assert_true(value_set(&value, &list, "/c.ini", "c"));
    assert_int_equal(value.list.count, 1);
    assert_string_equal(value.list.names[0], "c");
    value_release(&value, &list);
    assert_int_equal(value.list.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_set_is_printed),
        cmocka_unit_test(what_is_not_of_the_form_is_refused_and_changes_nothing),
        cmocka_unit_test(a_value_replaces_the_one_before_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
