/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/registry/registry.h"

enum { PERMISSION_COUNT = PERMISSION_OVERWRITE + 1 };

static const struct {
    const char *prefix;
    const char *name;
    bool is_proxied;
    bool read_only;
    /* of PULL, RESUME, PUSH, DELETE */
    enum error_code codes[4];
} judgements[] = {
    {"", "team/app", false, false, {ERROR_NONE, ERROR_NONE, ERROR_NONE, ERROR_NONE}},
    {"", "team/app", false, true, {ERROR_NONE, ERROR_NONE, ERROR_READ_ONLY, ERROR_READ_ONLY}},
    {"", "proxy/x/app", true, false, {ERROR_NONE, ERROR_NONE, ERROR_UNSUPPORTED, ERROR_NONE}},
    {"", "proxy/x/app", true, true, {ERROR_NONE, ERROR_NONE, ERROR_READ_ONLY, ERROR_READ_ONLY}},
    {"team", "team/app", false, false, {ERROR_NONE, ERROR_NONE, ERROR_NONE, ERROR_NONE}},
    {"team", "other/app", false, false, {ERROR_DENIED, ERROR_DENIED, ERROR_DENIED, ERROR_DENIED}},
    {"team", "other/app", false, true, {ERROR_DENIED, ERROR_DENIED, ERROR_DENIED, ERROR_DENIED}},
    {"team", "proxy/x/app", true, false, {ERROR_DENIED, ERROR_DENIED, ERROR_DENIED, ERROR_DENIED}},
    {"proxy/x",
     "proxy/x/app",
     true,
     false,
     {ERROR_NONE, ERROR_NONE, ERROR_UNSUPPORTED, ERROR_NONE}},
    {"proxy/x",
     "proxy/y/app",
     true,
     false,
     {ERROR_DENIED, ERROR_DENIED, ERROR_DENIED, ERROR_DENIED}},
};

static void names_and_modes_decide_who_may(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(judgements); i++) {
        struct registry_options options = {.read_only = judgements[i].read_only};
        struct caller caller = {.options = &options};
        struct identity identity = {.is_proxied = judgements[i].is_proxied};

        (void)snprintf(caller.prefix, sizeof(caller.prefix), "%s", judgements[i].prefix);
        (void)snprintf(identity.name, sizeof(identity.name), "%s", judgements[i].name);
        for (int p = PERMISSION_PULL; p <= PERMISSION_DELETE; p++) {
            struct permit permit = PERMIT_INIT;
            struct error error = ERROR_INIT;
            enum error_code code = judgements[i].codes[p - PERMISSION_PULL];
            int result = registry_permit(&caller, &identity, (enum permission)p, &permit, &error);

            if (result != (code == ERROR_NONE ? 0 : -1) || error.code != code) {
                fail_msg("row %zu, permission %d: %d, code %d", i, p, result, (int)error.code);
            }
            assert_int_equal(permit_check(&permit, (enum permission)p, &error), result);
            if (result == 0) {
                assert_string_equal(permit_identity(&permit)->name, judgements[i].name);
            }
        }
    }
}

/* [access team]: everybody pulls, alice pushes, bob moves tags. */
#define WHOM(name)                                                                                 \
    {                                                                                              \
        .names = {.names = (char **)(const char *[]){name}, .count = 1 }                           \
    }
static struct rules_section team = {.name = (char *)"team",
                                    .repositories = WHOM("team/**"),
                                    .pull = WHOM("anonymous"),
                                    .push = WHOM("alice"),
                                    .overwrite = WHOM("bob"),
                                    .delete = WHOM("alice")};

static const struct {
    const char *user; /* "": nobody */
    const char *name;
    bool cannot_log_in;
    /* of PULL, RESUME, PUSH, DELETE, OVERWRITE */
    enum error_code codes[5];
} rulings[] = {
    {"",
     "team/app",
     false,
     {ERROR_NONE, ERROR_UNAUTHORIZED, ERROR_UNAUTHORIZED, ERROR_UNAUTHORIZED, ERROR_UNAUTHORIZED}},
    {"", "team/app", true, {ERROR_NONE, ERROR_DENIED, ERROR_DENIED, ERROR_DENIED, ERROR_DENIED}},
    {"alice", "team/app", false, {ERROR_NONE, ERROR_NONE, ERROR_NONE, ERROR_NONE, ERROR_DENIED}},
    {"bob", "team/app", false, {ERROR_NONE, ERROR_DENIED, ERROR_DENIED, ERROR_DENIED, ERROR_NONE}},
    {"alice",
     "other/app",
     false,
     {ERROR_DENIED, ERROR_DENIED, ERROR_DENIED, ERROR_DENIED, ERROR_DENIED}},
    {"",
     "other/app",
     false,
     {ERROR_UNAUTHORIZED, ERROR_UNAUTHORIZED, ERROR_UNAUTHORIZED, ERROR_UNAUTHORIZED,
      ERROR_UNAUTHORIZED}},
};

static void rules_decide_when_people_log_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rulings); i++) {
        struct registry_options options = {
            .access = {.mode = ACCESS_HTPASSWD, .rules = {.sections = &team, .section_count = 1}}};
        struct caller caller = {.options = &options,
                                .subject = subject_anonymous(),
                                .cannot_log_in = rulings[i].cannot_log_in};
        struct identity identity = {.is_proxied = false};

        if (*rulings[i].user) {
            assert_true(subject_make(SUBJECT_USER, rulings[i].user, &caller.subject));
        }
        (void)snprintf(identity.name, sizeof(identity.name), "%s", rulings[i].name);
        for (int p = PERMISSION_PULL; p < PERMISSION_COUNT; p++) {
            struct permit permit = PERMIT_INIT;
            struct error error = ERROR_INIT;

            (void)registry_permit(&caller, &identity, (enum permission)p, &permit, &error);
            if (error.code != rulings[i].codes[p - PERMISSION_PULL]) {
                fail_msg("row %zu, permission %d: code %d", i, p, (int)error.code);
            }
        }
    }
}

/* What may be below the name is whose pattern has all of it. */
static const struct {
    const char *repositories[3];
    const char *below;
    bool sees_all;
} sums[] = {
    {{"**"}, "proxy/a/", true},
    {{"**"}, "", true},
    {{"proxy/**"}, "proxy/a/", true},
    {{"proxy/**"}, "", false},
    {{"proxy/a/**"}, "proxy/a/", true},
    {{"proxy/a/**"}, "proxy/b/", false},
    {{"proxy/a/**"}, "proxy/", false},
    {{"proxy/a/*"}, "proxy/a/", false},
    {{"proxy/a/*", "proxy/a/*/*", "proxy/a/*/*/*"}, "proxy/a/", false},
    {{"proxy/a/app"}, "proxy/a/", false},
    {{"**", "!proxy/a/secret/**"}, "proxy/a/", false},
    {{"**", "!proxy/**"}, "proxy/a/", false},
    {{"**", "!**/secret"}, "proxy/a/", false},
    {{"**", "!proxy/b/**"}, "proxy/a/", true},
    {{"**", "!team/**", "!{user}/x"}, "proxy/a/", false},
};

static void sums_are_for_who_sees_all_that_they_are_of(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sums); i++) {
        struct rules_section section = {.name = (char *)"x", .pull = WHOM("alice")};
        struct registry_options options = {
            .access = {.mode = ACCESS_HTPASSWD,
                       .rules = {.sections = &section, .section_count = 1}}};
        struct caller caller = {.options = &options, .subject = subject_anonymous()};
        struct permit permit = PERMIT_INIT;
        struct error error;

        section.repositories.names.names = (char **)sums[i].repositories;
        while (section.repositories.names.count < 3 &&
               sums[i].repositories[section.repositories.names.count]) {
            section.repositories.names.count++;
        }
        assert_returns(0, registry_permit(&caller, NULL, PERMISSION_LIST, &permit, &error));
        assert_false(permit_sees_all(&permit, sums[i].below));
        assert_true(subject_make(SUBJECT_USER, "alice", &caller.subject));
        if (permit_sees_all(&permit, sums[i].below) != sums[i].sees_all) {
            fail_msg("row %zu", i);
        }
        (void)snprintf(caller.prefix, sizeof(caller.prefix), "team");
        assert_false(permit_sees_all(&permit, sums[i].below));
        caller = (struct caller){.options = &options, .subject = subject_anonymous()};
        options.access.mode = ACCESS_NONE;
        assert_true(permit_sees_all(&permit, sums[i].below));
    }
}

static void who_has_shown_something_is_let_in(void **state)
{
    struct registry_options options = {.access = {.mode = ACCESS_HTPASSWD}};
    struct caller caller = {.options = &options, .subject = subject_anonymous()};
    struct permit permit = PERMIT_INIT;
    struct error error = ERROR_INIT;

    (void)state;
    assert_fails(ERROR_UNAUTHORIZED,
                 registry_permit(&caller, NULL, PERMISSION_LOGIN, &permit, &error));
    caller.has_shown = true;
    assert_returns(0, registry_permit(&caller, NULL, PERMISSION_LOGIN, &permit, &error));
    caller =
        (struct caller){.options = &options, .subject = subject_anonymous(), .cannot_log_in = true};
    assert_returns(0, registry_permit(&caller, NULL, PERMISSION_LOGIN, &permit, &error));
    caller.cannot_log_in = false;
    options.access.mode = ACCESS_NONE;
    assert_returns(0, registry_permit(&caller, NULL, PERMISSION_LOGIN, &permit, &error));
}

static void a_repository_is_asked_for_where_one_is_meant(void **state)
{
    struct registry_options options = {.read_only = false};
    struct caller caller = {.options = &options};
    struct identity identity = {.name = "team/app"};

    (void)state;
    for (int p = PERMISSION_NONE; p < PERMISSION_COUNT; p++) {
        bool names = permission_names_repository((enum permission)p);
        struct permit permit = PERMIT_INIT;
        struct error error = ERROR_INIT;

        assert_int_equal(
            registry_permit(&caller, names ? NULL : &identity, (enum permission)p, &permit, &error),
            -1);
        assert_int_equal(error.code, ERROR_INTERNAL);
        assert_null(permit_caller(&permit));
    }
}

static void the_token_in_the_store_opens_the_setup(void **state)
{
    struct fixture *fixture = *state;
    struct registry_options options = {.hosted = {.root = fixture->path}};
    static const struct {
        const char *stored; /* NULL: no file */
        const char *given;
        bool is_granted;
    } rows[] = {
        {NULL, "secret", false},
        {NULL, "", false},
        {"", "", false},
        {"secret", NULL, false},
        {"secret", "", false},
        {"secret", "secret", true},
        {"secret", "secre", false},
        {"secret", "secrets", false},
        {"secret", "Secret", false},
    };

    assert_int_equal(mkdirat(fixture->directory, "_berth", 0700), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct caller caller = {.options = &options, .token = rows[i].given};
        struct permit permit = PERMIT_INIT;
        struct error error = ERROR_INIT;
        int result;

        if (rows[i].stored) {
            put_file(fixture->directory, LAYOUT_SETUP_TOKEN, rows[i].stored);
        }
        result = registry_permit(&caller, NULL, PERMISSION_TOKEN, &permit, &error);
        if (result != (rows[i].is_granted ? 0 : -1)) {
            fail_msg("row %zu: %d", i, result);
        }
        assert_int_equal(error.code, rows[i].is_granted ? ERROR_NONE : ERROR_NOT_FOUND);
    }
}

static void nothing_opens_without_a_permit(void **state)
{
    struct registry_options options = {.read_only = false};
    struct registry registry = REGISTRY_INIT;
    struct caller caller = {.options = &options};
    struct identity identity = {.name = "team/app"};
    struct page page = {.limit = 10};
    AUTO_NAMES struct names names = NAMES_INIT;
    struct source source = SOURCE_INIT;
    struct permit permit = PERMIT_INIT;
    struct permit other = PERMIT_INIT;
    struct error error = ERROR_INIT;

    (void)state;
    registry.options = &options;
    assert_fails(ERROR_INTERNAL, registry_find(&registry, &permit, REACH_HOSTED, &source, &error));
    assert_fails(ERROR_INTERNAL, registry_list(&registry, &permit, &page, &names, &error));
    assert_fails(ERROR_INTERNAL,
                 permit_extend(&permit, &identity, PERMISSION_PULL, &other, &error));
    assert_fails(ERROR_INTERNAL, permit_check(&permit, PERMISSION_NONE, &error));
    assert_returns(0, registry_permit(&caller, NULL, PERMISSION_LIST, &permit, &error));
    assert_fails(ERROR_INTERNAL, registry_find(&registry, &permit, REACH_HOSTED, &source, &error));
    assert_returns(0, permit_extend(&permit, &identity, PERMISSION_PULL, &other, &error));
    assert_fails(ERROR_INTERNAL, registry_list(&registry, &other, &page, &names, &error));
    assert_returns(0, registry_find(&registry, &other, REACH_HOSTED, &source, &error));
    assert_string_equal(source.repository.name, "team/app");
    assert_fails(ERROR_INTERNAL, source_mount(&source, NULL, &(struct digest){.text = ""}, &error));
    source_release(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_modes_decide_who_may),
        cmocka_unit_test(rules_decide_when_people_log_in),
        cmocka_unit_test(sums_are_for_who_sees_all_that_they_are_of),
        cmocka_unit_test(who_has_shown_something_is_let_in),
        cmocka_unit_test(a_repository_is_asked_for_where_one_is_meant),
        IN_DIRECTORY(the_token_in_the_store_opens_the_setup),
        cmocka_unit_test(nothing_opens_without_a_permit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
