/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/access/subject.h"

static void takes_the_names_of_a_kind_and_no_others(void **state)
{
    static const struct {
        enum subject_kind kind;
        const char *name;
        bool expected;
    } cases[] = {
        {SUBJECT_USER, "alice", true},
        {SUBJECT_USER, "alice@example.org", true},
        {SUBJECT_USER, "J\xc3\xbcrgen", true},
        {SUBJECT_USER, "robot", true},
        {SUBJECT_USER, "", false},
        {SUBJECT_USER, "robot/ci", false},
        {SUBJECT_USER, "github/alice", false},
        {SUBJECT_USER, "@ci", false},
        {SUBJECT_USER, "a:b", false},
        {SUBJECT_USER, "a b", false},
        {SUBJECT_USER, "a,b", false},
        {SUBJECT_USER, "a\nb", false},
        {SUBJECT_USER, "a\x7f", false},
        {SUBJECT_ROBOT, "robot/ci", true},
        {SUBJECT_ROBOT, "robot/", false},
        {SUBJECT_ROBOT, "robot/ci/x", false},
        {SUBJECT_ROBOT, "ci", false},
        {SUBJECT_ISSUER, "github/repo:x/y:ref:refs/heads/main", true},
        {SUBJECT_ISSUER, "robot/ci", false},
        {SUBJECT_ISSUER, "/x", false},
        {SUBJECT_ISSUER, "github/", false},
        {SUBJECT_ISSUER, "github", false},
        {SUBJECT_ANONYMOUS, "alice", false},
        {SUBJECT_ANONYMOUS, "", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct subject made = subject_anonymous();
        bool taken = subject_make(cases[i].kind, cases[i].name, &made);

        if (taken != cases[i].expected) {
            fail_msg("kind %d, name '%s'", (int)cases[i].kind, cases[i].name);
        }
        assert_int_equal(made.kind, taken ? cases[i].kind : SUBJECT_ANONYMOUS);
        assert_string_equal(made.name, taken ? cases[i].name : "");
        assert_int_equal(made.narrowed_rights, RIGHT_ALL);
    }
}

static void refuses_a_name_that_would_be_cut(void **state)
{
    char name[SUBJECT_NAME_SIZE + 1];
    struct subject made;

    (void)state;
    memset(name, 'a', sizeof(name));
    name[SUBJECT_NAME_SIZE] = '\0';
    assert_false(subject_make(SUBJECT_USER, name, &made));
    name[SUBJECT_NAME_SIZE - 1] = '\0';
    assert_true(subject_make(SUBJECT_USER, name, &made));
}

static bool is_called(void *context, const char *name)
{
    return strcmp(context, name) == 0;
}

static void scopes_give_each_repository_its_own_rights(void **state)
{
    struct subject subject = subject_anonymous();

    (void)state;
    assert_true(subject_scopes_have(&subject, RIGHT_DELETE, is_called, (char[]){"any"}));
    subject.is_scoped = true;
    assert_false(subject_scopes_have(&subject, RIGHT_PULL, is_called, (char[]){"any"}));
    assert_true(subject_add_scope(&subject, RIGHT_PULL | RIGHT_PUSH, "team/app"));
    assert_true(subject_add_scope(&subject, RIGHT_DELETE, "team/b"));
    assert_true(subject_add_scope(&subject, RIGHT_NONE, "team/c"));
    assert_true(subject_scopes_have(&subject, RIGHT_PUSH, is_called, (char[]){"team/app"}));
    assert_false(subject_scopes_have(&subject, RIGHT_DELETE, is_called, (char[]){"team/app"}));
    assert_true(subject_scopes_have(&subject, RIGHT_DELETE, is_called, (char[]){"team/b"}));
    assert_false(subject_scopes_have(&subject, RIGHT_PULL, is_called, (char[]){"team/b"}));
    assert_false(subject_scopes_have(&subject, RIGHT_PULL, is_called, (char[]){"team/c"}));
    assert_false(subject_scopes_have(&subject, RIGHT_PULL, is_called, (char[]){"team"}));
}

static void a_scope_that_would_be_cut_or_be_two_is_refused(void **state)
{
    struct subject subject = subject_anonymous();
    char name[SUBJECT_SCOPES_SIZE];

    (void)state;
    subject.is_scoped = true;
    memset(name, 'a', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_false(subject_add_scope(&subject, RIGHT_PULL, name));
    assert_false(subject_add_scope(&subject, RIGHT_PULL, "a\n15 b"));
    assert_false(subject_add_scope(&subject, RIGHT_PULL, "a 15"));
    assert_string_equal("", subject.scopes);
    assert_false(subject_scopes_have(&subject, RIGHT_PULL, is_called, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_names_of_a_kind_and_no_others),
        cmocka_unit_test(refuses_a_name_that_would_be_cut),
        cmocka_unit_test(scopes_give_each_repository_its_own_rights),
        cmocka_unit_test(a_scope_that_would_be_cut_or_be_two_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
