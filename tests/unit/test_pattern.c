/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/oci/pattern.h"

static const struct {
    const char *pattern;
    const char *name;
    bool matches;
} likenesses[] = {
    {"app", "app", true},
    {"app", "apps", false},
    {"apps", "app", false},
    {"app", "team/app", false},
    {"app", "app/team", false},
    {"", "", true},
    {"", "a", false},
    {"*", "app", true},
    {"*", "team/app", false},
    {"*/*", "team/app", true},
    {"*/*", "app", false},
    {"*/*", "a/b/c", false},
    {"team/*", "team/app", true},
    {"team/*", "team", false},
    {"team/*", "team/app/debug", false},
    {"team/*", "teams/app", false},
    {"team/*", "my/team/app", false},
    {"team*", "team", true},
    {"team*", "teams", true},
    {"team*", "team/app", false},
    {"team/*-dev", "team/app-dev", true},
    {"team/*-dev", "team/app-dev-2", false},
    {"team/*a*b", "team/xaxaxbxb", true},
    {"team/*/debug", "team/app/debug", true},
    {"team/*/debug", "team/a/b/debug", false},
    {"**", "app", true},
    {"**", "a/b/c", true},
    {"team/**", "team/app", true},
    {"team/**", "team/app/debug", true},
    {"team/**", "team", false},
    {"team/**", "teams/app", false},
    {"team**", "team", true},
    {"team**", "teams/app", true},
    {"**/app", "app", true},
    {"**/app", "team/app", true},
    {"**/app", "a/b/app", true},
    {"**/app", "myapp", false},
    {"**/app", "team/myapp", false},
    {"**/app", "app/x", false},
    {"team/**/app", "team/app", true},
    {"team/**/app", "team/x/app", true},
    {"team/**/app", "team/x/y/app", true},
    {"team/**/app", "team/xapp", false},
    {"team/**/app", "teamapp", false},
    {"**/*", "app", true},
    {"**/*", "a/b/c", true},
    {"**/a/**", "a/b", true},
    {"**/a/**", "x/a/b/c", true},
    {"**/a/**", "x/a", false},
    {"a**b", "a/x/b", true},
    {"a**b", "ab", true},
    {"repo:x/**", "repo:x/y:ref:refs/heads/main", true},
    {"repo:x/*:ref:refs/heads/main", "repo:x/y:ref:refs/heads/main", true},
    {"repo:x/*:ref:refs/heads/main", "repo:x/y/z:ref:refs/heads/main", false},
    {"repo:x/*:ref:refs/heads/main", "repo:x/y:ref:refs/heads/main2", false},
};

static void a_name_is_like_a_pattern_or_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(likenesses); i++) {
        if (pattern_matches(likenesses[i].pattern, likenesses[i].name, NULL) !=
            likenesses[i].matches) {
            fail_msg("'%s' and '%s'", likenesses[i].pattern, likenesses[i].name);
        }
    }
}

static void a_user_has_a_component_of_his_own(void **state)
{
    static const struct {
        const char *pattern;
        const char *name;
        const char *user;
        bool matches;
    } rows[] = {
        {"home/{user}/**", "home/alice/app", "alice", true},
        {"home/{user}/**", "home/bob/app", "alice", false},
        {"home/{user}/**", "home/alice2/app", "alice", false},
        {"home/{user}/**", "home/alic/app", "alice", false},
        {"{user}", "alice", "alice", true},
        {"{user}/{user}", "alice/alice", "alice", true},
        {"{user}/{user}", "alice/bob", "alice", false},
        /* Nobody, and who is no component. */
        {"home/{user}/**", "home/alice/app", NULL, false},
        {"home/{user}/**", "home//app", "", false},
        {"home/{user}/**", "home/robot/ci/app", "robot/ci", false},
        {"home/{user}", "home/{user}", NULL, false},
        /* What a user is called is no pattern. */
        {"home/{user}/**", "home/bob/app", "*", false},
        {"home/{user}/**", "home/bob/app", "**", false},
        {"{user}", "{user}", "{user}", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (pattern_matches(rows[i].pattern, rows[i].name, rows[i].user) != rows[i].matches) {
            fail_msg("row %zu: '%s' and '%s'", i, rows[i].pattern, rows[i].name);
        }
    }
}

static void what_a_list_excludes_is_out_wherever_it_stands(void **state)
{
    static const struct {
        const char *list;
        const char *name;
        bool matches;
    } rows[] = {
        {"team/**", "team/app", true},         {"team/**, !team/secret/**", "team/app", true},
        {"a, team/**", "team/app", true},      {"team/**, !team/secret/**", "team/secret/x", false},
        {"!team/x, team/**", "team/x", false}, {"team/x, !team/**, team/x", "team/x", false},
        {"!team/x", "team/y", false},          {"", "team/y", false},
        {"!team/x, **", "team/y", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_NAMES struct names names = NAMES_INIT;
        AUTO_FREE char *copy = strdup(rows[i].list);
        char *rest = copy;
        char *item;

        while ((item = strsep(&rest, ","))) {
            names_add(&names, item + strspn(item, " "));
        }
        if (patterns_match(&names, rows[i].name, NULL) != rows[i].matches ||
            patterns_match_text(rows[i].list, rows[i].name, NULL) != rows[i].matches) {
            fail_msg("'%s' and '%s'", rows[i].list, rows[i].name);
        }
    }
}

static void a_pattern_is_what_a_repository_can_be_called(void **state)
{
    static const struct {
        const char *pattern;
        bool is_valid;
    } rows[] = {
        {"app", true},         {"team/*", true},    {"**", true},          {"**/app", true},
        {"a.b_c-d/*x*", true}, {"{user}/**", true}, {"home/{user}", true}, {"*/**", true},
        {"", false},           {"/", false},        {"/app", false},       {"app/", false},
        {"a//b", false},       {"App", false},      {"a b", false},        {"***", false},
        {"a:b", false},        {"x{user}", false},  {"{user}x", false},    {"{User}", false},
        {"{name}", false},     {"!a", false},       {"@a", false},         {"a?", false},
        {"[ab]", false},       {"a\\*", false},     {"\xc3\xa4", false},
    };
    char text[PATTERN_SIZE + 2];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (pattern_is_valid(rows[i].pattern) != rows[i].is_valid) {
            fail_msg("'%s'", rows[i].pattern);
        }
    }
    memset(text, 'a', sizeof(text));
    text[PATTERN_SIZE - 1] = '\0';
    assert_true(pattern_is_valid(text));
    text[PATTERN_SIZE - 1] = 'a';
    text[PATTERN_SIZE] = '\0';
    assert_false(pattern_is_valid(text));
}

static void tags_have_patterns_of_their_own(void **state)
{
    static const char *const good[] = {"v*", "*", "**", "V1.0_x-*", "_*", "latest"};
    static const char *const bad[] = {"",     "a/b", "{user}", "!v1", "a b",
                                      "v***", "v?",  "v1:",    "@v1"};
    char text[PATTERN_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_true(pattern_is_valid_for_tags(good[i]));
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(pattern_is_valid_for_tags(bad[i]));
    }
    memset(text, 'a', sizeof(text));
    text[PATTERN_SIZE] = '\0';
    assert_false(pattern_is_valid_for_tags(text));
    text[PATTERN_SIZE - 1] = '\0';
    assert_true(pattern_is_valid_for_tags(text));
    assert_true(pattern_matches("v*", "v1.0-RC_2", NULL));
    assert_false(pattern_matches("v*", "V1", NULL));
}

/* With a matcher that tries again, each of these would take longer than there is time. */
static void no_pattern_takes_for_ever(void **state)
{
    char pattern[PATTERN_SIZE];
    char name[512];

    (void)state;
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (size_t i = 0; i + 2 < sizeof(pattern); i += 2) {
        memcpy(pattern + i, "*a", 3);
    }
    assert_true(pattern_matches(pattern, name, NULL));
    memcpy(pattern + strlen(pattern) - 1, "b", 2);
    assert_false(pattern_matches(pattern, name, NULL));
    for (size_t i = 0; i + 3 < sizeof(pattern); i += 3) {
        memcpy(pattern + i, "**a", 4);
    }
    assert_true(pattern_matches(pattern, name, NULL));
    memcpy(pattern + strlen(pattern) - 1, "b", 2);
    assert_false(pattern_matches(pattern, name, NULL));
    for (size_t i = 0; i + 4 < sizeof(pattern); i += 4) {
        memcpy(pattern + i, "**/*", 5);
        memcpy(name + 2 * i, "a/a/a/a/", 8);
    }
    (void)pattern_matches(pattern, name, NULL);
}

/* A pattern that would be longer with the user's name than there is room matches nothing. */
static void a_pattern_that_is_too_long_is_like_nothing(void **state)
{
    char user[512];
    char pattern[] = "{user}{user}{user}";
    char name[3 * sizeof(user)];

    (void)state;
    memset(user, 'u', sizeof(user) - 1);
    user[sizeof(user) - 1] = '\0';
    memset(name, 'u', sizeof(name));
    name[3 * (sizeof(user) - 1)] = '\0';
    assert_false(pattern_matches(pattern, name, user));
    assert_true(pattern_matches("{user}", user, user));
    assert_false(pattern_matches(name, name, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_like_a_pattern_or_not),
        cmocka_unit_test(a_user_has_a_component_of_his_own),
        cmocka_unit_test(what_a_list_excludes_is_out_wherever_it_stands),
        cmocka_unit_test(a_pattern_is_what_a_repository_can_be_called),
        cmocka_unit_test(tags_have_patterns_of_their_own),
        cmocka_unit_test(no_pattern_takes_for_ever),
        cmocka_unit_test(a_pattern_that_is_too_long_is_like_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
