/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "lib/access/rules.h"

/* A list of two names at most, as a configuration would have it. */
#define LIST(the_line, ...)                                                                        \
    {                                                                                              \
        .names = {.names = (char **)(const char *[]){__VA_ARGS__},                                 \
                  .count = sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)},                \
        .line = (the_line)                                                                         \
    }

static const struct rules rules = {
    .groups =
        (struct rules_group[]){
            {.name = (char *)"ci", .members = LIST(1, "carl", "robot/ci-*", "github/repo:x/**")},
        },
    .group_count = 1,
    .sections =
        (struct rules_section[]){
            {.name = (char *)"team",
             .repositories = LIST(10, "team/**", "!team/secret/**"),
             .pull = LIST(11, "anonymous"),
             .push = LIST(12, "@ci", "alice"),
             .delete = LIST(13, "alice")},
            {.name = (char *)"secret",
             .repositories = LIST(20, "team/secret/**"),
             .pull = LIST(21, "authenticated")},
            {.name = (char *)"homes",
             .repositories = LIST(30, "home/{user}/**"),
             .push = LIST(31, "authenticated")},
            {.name = (char *)"releases",
             .repositories = LIST(40, "releases/*"),
             .push = LIST(41, "@ci"),
             .overwrite = LIST(42, "alice")},
            {.name = (char *)"more", .repositories = LIST(50, "team/app"), .push = LIST(51, "bob")},
        },
    .section_count = 5,
};

static struct subject subject_of(const char *name)
{
    struct subject subject = subject_anonymous();
    enum subject_kind kind = !strchr(name, '/')                ? SUBJECT_USER
                             : strncmp(name, "robot/", 6) == 0 ? SUBJECT_ROBOT
                                                               : SUBJECT_ISSUER;

    assert_true(!*name || subject_make(kind, name, &subject));
    return subject;
}

static unsigned rights_of(const struct rules *any, const struct subject *subject,
                          const char *repository)
{
    unsigned granted = RIGHT_NONE;

    for (unsigned right = RIGHT_PULL; right <= RIGHT_DELETE; right *= 2) {
        struct decision decision;

        rules_judge(any, subject, repository, (enum right)right, &decision);
        granted |= decision.is_granted ? right : 0U;
    }
    return granted;
}

enum { PULLS = RIGHT_PULL, PUSHES = RIGHT_PULL | RIGHT_PUSH, MOVES = PUSHES | RIGHT_OVERWRITE };

static const struct {
    const char *subject; /* "": nobody */
    const char *repository;
    unsigned rights;
} judgements[] = {
    {"", "team/app", PULLS},
    {"zoe", "team/app", PULLS},
    {"alice", "team/app", RIGHT_ALL},
    {"alice", "team/other", RIGHT_ALL},
    {"carl", "team/app", MOVES},
    {"carl", "team/other", MOVES},
    {"bob", "team/app", MOVES}, /* by another section */
    {"bob", "team/other", PULLS},
    {"robot/ci-1", "team/app", MOVES},
    {"robot/cd", "team/app", PULLS},
    {"github/repo:x/y:ref:refs/heads/main", "team/app", MOVES},
    {"github/repo:xx/y:ref:refs/heads/main", "team/app", PULLS},
    {"gitlab/repo:x/y", "team/app", PULLS},
    /* Excluded there, and another section gives less. */
    {"", "team/secret/x", 0},
    {"alice", "team/secret/x", PULLS},
    {"robot/cd", "team/secret/x", PULLS},
    /* No section at all. */
    {"", "other", 0},
    {"alice", "other", 0},
    {"alice", "team", 0},
    {"alice", "proxy/docker.io/library/debian", 0},
    /* Who pushes may pull. */
    {"alice", "home/alice/x", MOVES},
    {"alice", "home/bob/x", 0},
    {"", "home/alice/x", 0},
    {"robot/alice", "home/alice/x", 0},
    {"robot/alice", "home/robot/alice", 0},
    /* Who moves tags is said. */
    {"carl", "releases/x", PUSHES},
    {"alice", "releases/x", RIGHT_OVERWRITE},
};

static void rights_add_up_over_sections(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(judgements); i++) {
        struct subject subject = subject_of(judgements[i].subject);
        unsigned rights = rights_of(&rules, &subject, judgements[i].repository);

        if (rights != judgements[i].rights) {
            fail_msg("'%s' may %x to %s", judgements[i].subject, rights, judgements[i].repository);
        }
    }
}

static void without_sections_whoever_has_logged_in_may(void **state)
{
    struct rules none = {.section_count = 0};
    struct subject alice = subject_of("alice");
    struct subject robot = subject_of("robot/ci");
    struct subject nobody = subject_anonymous();

    (void)state;
    assert_int_equal(rights_of(&none, &alice, "a"), RIGHT_ALL);
    assert_int_equal(rights_of(&none, &robot, "a"), RIGHT_ALL);
    assert_int_equal(rights_of(&none, &nobody, "a"), RIGHT_NONE);
}

static void a_narrowing_only_narrows(void **state)
{
    struct rules none = {.section_count = 0};
    struct subject alice = subject_of("alice");

    (void)state;
    alice.narrowed_rights = RIGHT_PULL | RIGHT_PUSH;
    assert_int_equal(rights_of(&rules, &alice, "team/app"), PUSHES);
    assert_int_equal(rights_of(&none, &alice, "a"), PUSHES);
    assert_int_equal(rights_of(&rules, &alice, "other"), RIGHT_NONE);
    (void)snprintf(alice.narrowed_names, sizeof(alice.narrowed_names), "team/a*, !team/ab");
    assert_int_equal(rights_of(&rules, &alice, "team/app"), PUSHES);
    assert_int_equal(rights_of(&rules, &alice, "team/ab"), RIGHT_NONE);
    assert_int_equal(rights_of(&rules, &alice, "team/x"), RIGHT_NONE);
    (void)snprintf(alice.narrowed_names, sizeof(alice.narrowed_names), "**");
    assert_int_equal(rights_of(&rules, &alice, "other"), RIGHT_NONE);
}

static void a_decision_says_which_line_decides(void **state)
{
    static const struct {
        const char *subject;
        const char *repository;
        enum right right;
        unsigned line;
        const char *explanation;
    } rows[] = {
        {"", "team/app", RIGHT_PULL, 11, "[access team] gives it by 'pull = anonymous'"},
        {"carl", "team/app", RIGHT_PUSH, 12, "[access team] gives it by 'push = @ci'"},
        {"bob", "team/app", RIGHT_PUSH, 51, "[access more] gives it by 'push = bob'"},
        {"carl", "team/app", RIGHT_OVERWRITE, 12, "[access team] gives it by 'push = @ci'"},
        {"alice", "home/alice/x", RIGHT_PULL, 31,
         "[access homes] gives it by 'push = authenticated'"},
        {"zoe", "team/app", RIGHT_PUSH, 12, "[access team] gives push to others"},
        {"carl", "releases/x", RIGHT_OVERWRITE, 42, "[access releases] gives overwrite to others"},
        {"alice", "team/secret/x", RIGHT_PUSH, 20,
         "[access secret] is for this repository and gives push to nobody"},
        {"alice", "other", RIGHT_PULL, 0, "no [access] section is for this repository"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUFFER struct buffer explanation = BUFFER_INIT;
        struct subject subject = subject_of(rows[i].subject);
        struct decision decision;

        rules_judge(&rules, &subject, rows[i].repository, rows[i].right, &decision);
        decision_explain(&decision, rows[i].right, &explanation);
        if (decision.line != rows[i].line || strcmp(explanation.data, rows[i].explanation) != 0) {
            fail_msg("row %zu: line %u, %s", i, decision.line, explanation.data);
        }
    }
}

static void whom_a_rule_may_name(void **state)
{
    static const struct {
        const char *whom;
        bool is_whom;
        bool is_member;
    } rows[] = {
        {"alice", true, true},
        {"alice@example.org", true, true},
        {"@ci", true, false},
        {"anonymous", true, false},
        {"authenticated", true, false},
        {"robot/ci", true, true},
        {"robot/*", true, true},
        {"github/repo:x/y:*", true, true},
        {"", false, false},
        {"@", false, false},
        {"@@ci", false, false},
        {"@ci/x", false, false},
        {"!alice", false, false},
        {"al ice", false, false},
        {"*", false, false},
        {"al*", false, false},
        {"a:b", false, false},
        {"/x", false, false},
        {"robot/", false, false},
        {"git*b/x", false, false},
        {"a\tb", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rules_whom_is_valid(rows[i].whom) != rows[i].is_whom ||
            rules_member_is_valid(rows[i].whom) != rows[i].is_member) {
            fail_msg("'%s'", rows[i].whom);
        }
    }
    assert_true(rules_name_is_valid("team-1.a_B"));
    assert_false(rules_name_is_valid(""));
    assert_false(rules_name_is_valid("-a"));
    assert_false(rules_name_is_valid("a b"));
    assert_false(rules_name_is_valid("a/b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rights_add_up_over_sections),
        cmocka_unit_test(without_sections_whoever_has_logged_in_may),
        cmocka_unit_test(a_narrowing_only_narrows),
        cmocka_unit_test(a_decision_says_which_line_decides),
        cmocka_unit_test(whom_a_rule_may_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
