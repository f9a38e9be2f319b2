/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/configuration/section.h"

/* A configuration of nobody: a top, a plain section, two kinds of named ones. */
struct rule {
    char *name;
    struct names repositories;
    uint64_t keep;
};

struct hook {
    char *name;
    char *url;
    char *secret;
};

struct made_up {
    char *place;
    bool enabled;
    struct rule *rules;
    size_t rule_count;
    struct hook *hooks;
    size_t hook_count;
};

static const struct key top_keys[] = {
    {.name = "place", VALUE(PATH, struct made_up, place), .example = "/srv/place"},
    {.name = NULL},
};
static const struct key page_keys[] = {
    {.name = "enabled", VALUE(BOOLEAN, struct made_up, enabled), .standard = "yes"},
    {.name = NULL},
};
static const struct key rule_keys[] = {
    {.name = "repositories", VALUE(LIST, struct rule, repositories), .standard = "*"},
    {.name = "keep", VALUE(NUMBER, struct rule, keep), .form.minimum = 1, .standard = "20"},
    {.name = NULL},
};
static const struct key hook_keys[] = {
    {.name = "url", VALUE(URL, struct hook, url), .example = "https://ci.example.org"},
    {.name = "secret", VALUE(TEXT, struct hook, secret), .is_secret = true},
    {.name = NULL},
};

static bool name_is_lower(const char *name)
{
    return *name && strspn(name, "abcdefghijklmnopqrstuvwxyz") == strlen(name);
}

static const struct section_kind kinds[] = {
    {.name = "", .keys = top_keys},
    {.name = "page", .keys = page_keys},
    {.name = "rule",
     .keys = rule_keys,
     .name_is_valid = name_is_lower,
     .one = "a rule",
     .like = "team",
     .many = "rules",
     .limit = 3,
     SECTION_ARRAY(struct made_up, rules, rule_count)},
    {.name = "hook",
     .keys = hook_keys,
     .name_is_valid = name_is_lower,
     .one = "a hook",
     .like = "ci",
     .many = "hooks",
     .limit = 3,
     SECTION_ARRAY(struct made_up, hooks, hook_count)},
    {.name = NULL},
};

/* Two rules must not keep more than a hundred things. */
static bool judge_made_up(const void *values, struct section_place *out_place,
                          struct buffer *out_message)
{
    const struct made_up *made_up = values;
    uint64_t sum = 0;

    for (size_t i = 0; i < made_up->rule_count; i++) {
        sum += made_up->rules[i].keep;
        if (sum > 100) {
            *out_place = (struct section_place){"rule", i, "keep"};
            buffer_add_text(out_message, "too many are kept");
            return false;
        }
    }
    if (!made_up->enabled && sum > 0) {
        buffer_add_text(out_message, "nothing can be kept");
    }
    return made_up->enabled || sum == 0;
}

static const struct section_table table = {.kinds = kinds, .judge = judge_made_up};

static int read_text(const char *text, struct made_up *out, struct error *error)
{
    AUTO_BUFFER struct buffer content = BUFFER_INIT;

    memset(out, 0, sizeof(*out));
    buffer_add_text(&content, text);
    return sections_read(&table, out, "/etc/made-up.ini", &content, error);
}

static void named_sections_become_elements_in_their_order(void **state)
{
    struct made_up read;
    struct error error = ERROR_INIT;

    (void)state;
    assert_returns(0, read_text("place = p\n"
                                "[rule b]\nkeep = 3\n"
                                "[hook b]\nurl = https://h/\n"
                                "[rule a]\n"
                                "[rule b]\nrepositories = x/**, !x/y\n",
                                &read, &error));
    assert_string_equal(read.place, "/etc/p");
    assert_true(read.enabled);
    assert_int_equal(read.rule_count, 2);
    assert_string_equal(read.rules[0].name, "b");
    assert_int_equal(read.rules[0].keep, 3);
    assert_int_equal(read.rules[0].repositories.count, 2);
    assert_string_equal(read.rules[0].repositories.names[1], "!x/y");
    assert_string_equal(read.rules[1].name, "a");
    assert_int_equal(read.rules[1].keep, 20);
    assert_string_equal(read.rules[1].repositories.names[0], "*");
    assert_int_equal(read.hook_count, 1);
    assert_string_equal(read.hooks[0].url, "https://h");
    assert_null(read.hooks[0].secret);
    sections_release(kinds, &read);
    assert_null(read.rules);
    assert_int_equal(read.hook_count, 0);
    assert_null(read.place);
}

static void what_a_section_must_not_be_is_told(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } texts[] = {
        {"place = p\n[rule]\n",
         "/etc/made-up.ini:2: unknown section 'rule': did you mean [rule NAME]?"},
        {"place = p\n[ruler x]\n",
         "/etc/made-up.ini:2: unknown section 'ruler x': did you mean [rule NAME]?"},
        {"place = p\n[page x]\n",
         "/etc/made-up.ini:2: unknown section 'page x': did you mean [page]?"},
        {"place = p\n[Page]\n", "/etc/made-up.ini:2: unknown section 'Page': did you mean [page]?"},
        {"place = p\n[other]\n", "/etc/made-up.ini:2: unknown section 'other'"},
        {"place = p\n[]\n", "/etc/made-up.ini:2: unknown section ''"},
        {"place = p\n[rule X]\n",
         "/etc/made-up.ini:2: the name of a rule is expected, such as [rule team], not 'X'"},
        {"[rule ]\n",
         "/etc/made-up.ini:1: the name of a rule is expected, such as [rule team], not ''"},
        {"[rule a]\n[rule b]\n[hook a]\n[rule c]\n[rule a]\n[rule d]\n",
         "/etc/made-up.ini:6: there are too many rules: 'd'"},
        {"[rule a]\nenabled = yes\n",
         "/etc/made-up.ini:2: unknown key 'enabled' here: it belongs in [page]"},
        {"keep = 1\n", "/etc/made-up.ini:1: unknown key 'keep' here: it belongs in [rule NAME]"},
        {"[rule a]\nplace = p\n",
         "/etc/made-up.ini:2: unknown key 'place' here: it belongs at the top "
         "of the file, above all sections"},
        {"[rule a]\nrepositorys = p\n", "/etc/made-up.ini:2: unknown key 'repositorys': did you "
                                        "mean 'repositories' in [rule NAME]?"},
        {"[rule a]\nEnable = yes\n",
         "/etc/made-up.ini:2: unknown key 'Enable': did you mean 'enabled' in [page]?"},
        {"[rule a]\nother = 1\n", "/etc/made-up.ini:2: unknown key 'other'"},
        {"place = p\n[rule a]\nkeep = 90\n[page]\n[rule b]\n\nkeep = 11\n",
         "/etc/made-up.ini:7: too many are kept"},
        {"place = p\n[rule a]\nkeep = 90\n\n[rule b]\n", "/etc/made-up.ini:5: too many are kept"},
        {"place = p\n[rule a]\n[page]\nenabled = no\n", "/etc/made-up.ini: nothing can be kept"},
        {"[rule a]\nkeep = 1\n[rule b]\nkeep = 1\n[rule a]\nkeep = 1\n",
         "/etc/made-up.ini:6: set twice, or followed by an indented line: 'keep'"},
        {"[rule a]\nkeep = 0\n",
         "/etc/made-up.ini:2: a number, and 1 at least, is expected, not '0'"},
        {"[page]\n", "/etc/made-up.ini: place is missing: write a line such as "
                     "'place = /srv/place' at the top"},
        {"place = p\n[hook ci]\n[hook b]\nurl = https://b\n",
         "/etc/made-up.ini: url is missing: write a line such as 'url = https://ci.example.org' "
         "below [hook ci]"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct made_up read;
        struct error error = ERROR_INIT;

        assert_fails(ERROR_INTERNAL, read_text(texts[i].text, &read, &error));
        assert_string_equal(error.message, texts[i].message);
        sections_release(kinds, &read);
    }
}

static void everything_is_printed_as_it_is_read(void **state)
{
    struct made_up read;
    struct error error = ERROR_INIT;
    AUTO_BUFFER struct buffer printed = BUFFER_INIT;

    (void)state;
    assert_returns(0, read_text("place = /p\n[hook b]\nurl = https://h\nsecret = s\n[rule b]\n",
                                &read, &error));
    sections_print(kinds, &read, &printed);
    assert_string_equal(printed.data, "place = /p\n"
                                      "\n[page]\nenabled = yes\n"
                                      "\n[rule b]\nrepositories = *\nkeep = 20\n"
                                      "\n[hook b]\nurl = https://h\nsecret = (not shown)\n");
    sections_release(kinds, &read);
}

static void the_tables_are_described_for_machines(void **state)
{
    AUTO_BUFFER struct buffer described = BUFFER_INIT;

    (void)state;
    sections_describe(kinds, NULL, &described);
    assert_string_equal(
        described.data,
        "[{\"section\":\"\",\"named\":false,\"keys\":[{\"name\":\"place\",\"required\":true}]},"
        "{\"section\":\"page\",\"named\":false,\"keys\":"
        "[{\"name\":\"enabled\",\"default\":\"yes\",\"required\":false}]},"
        "{\"section\":\"rule\",\"named\":true,\"keys\":"
        "[{\"name\":\"repositories\",\"default\":\"*\",\"required\":false},"
        "{\"name\":\"keep\",\"default\":\"20\",\"required\":false}]},"
        "{\"section\":\"hook\",\"named\":true,\"keys\":[{\"name\":\"url\",\"required\":true},"
        "{\"name\":\"secret\",\"required\":false}]}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_sections_become_elements_in_their_order),
        cmocka_unit_test(what_a_section_must_not_be_is_told),
        cmocka_unit_test(everything_is_printed_as_it_is_read),
        cmocka_unit_test(the_tables_are_described_for_machines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
