/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "fcgi/page/place.h"

#define D "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void a_path_is_what_one_would_pull(void **state)
{
    static const struct {
        const char *path;
        const char *prefix;
        enum place_kind kind;
        const char *name;
        const char *reference;
    } rows[] = {
        {"/", "/", PLACE_FRONT, "", ""},
        {"/registry/", "/registry/", PLACE_FRONT, "", ""},
        {"/team/", "/", PLACE_FRONT, "team", ""},
        {"/team/app", "/", PLACE_REPOSITORY, "team/app", ""},
        {"/registry/team/app", "/registry/", PLACE_REPOSITORY, "team/app", ""},
        {"/team/app:1.0", "/", PLACE_IMAGE, "team/app", "1.0"},
        {"/team/app@" D, "/", PLACE_IMAGE, "team/app", D},
        {"/-/name/v2/app", "/", PLACE_REPOSITORY, "v2/app", ""},
        {"/-/name/v2/app:1", "/", PLACE_IMAGE, "v2/app", "1"},
        {"/-/name/v2/", "/", PLACE_FRONT, "v2", ""},
        {"/v1/search", "/registry/", PLACE_SEARCH, "", ""},
        {"/v1/_ping", "/", PLACE_PING, "", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct place place;

        if (!place_parse(rows[i].path, rows[i].prefix, &place)) {
            fail_msg("'%s' is nothing", rows[i].path);
        }
        assert_int_equal(place.kind, rows[i].kind);
        assert_string_equal(place.name, rows[i].name);
        assert_string_equal(place.reference, rows[i].reference);
        assert_int_equal(place.is_digest, strcmp(rows[i].reference, D) == 0);
    }
}

static void what_is_no_name_is_nothing(void **state)
{
    static const char *const rows[] = {
        "",
        "/x",
        "/registry",
        "/registry/Team",
        "/registry//",
        "/registry/a//b",
        "/registry/../x",
        "/registry/.x",
        "/registry/a:",
        "/registry/a@",
        "/registry/a@sha256:1",
        "/registry/:1",
        "/registry/a:b:c",
        "/registry/a:" D,
        "/registry/a/:1",
        "/registry/<script>",
        "/registry/_x",
        "/registry/-x",
        "/v1/x",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct place place;

        if (place_parse(rows[i], "/registry/", &place)) {
            fail_msg("'%s' is something", rows[i]);
        }
    }
}

static void the_rest_is_a_word_with_what_follows(void **state)
{
    struct place place;
    char path[300] = "/-/";

    (void)state;
    assert_true(place_parse("/-/file/style.css", "/", &place));
    assert_int_equal(place.kind, PLACE_OWN);
    assert_string_equal(place.word, "file");
    assert_string_equal(place.rest, "style.css");
    assert_true(place_parse("/-/trash", "/", &place));
    assert_string_equal(place.word, "trash");
    assert_string_equal(place.rest, "");
    memset(path + 3, 'a', sizeof(path) - 4);
    assert_false(place_parse(path, "/", &place));
}

static void a_prefix_is_a_path_with_slashes_around(void **state)
{
    static const char *const bad[] = {"",       "registry/", "/registry", "//",   "/a//", "/v2/",
                                      "/v2/x/", "/a b/",     "/a?/",      "/\"/", "/<x>/"};

    (void)state;
    assert_true(place_prefix_is_valid("/"));
    assert_true(place_prefix_is_valid("/registry/"));
    assert_true(place_prefix_is_valid("/a/b/"));
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (place_prefix_is_valid(bad[i])) {
            fail_msg("'%s' is one", bad[i]);
        }
    }
}

static void names_that_mean_something_else_are_awkward(void **state)
{
    (void)state;
    assert_true(place_name_is_awkward("v2"));
    assert_true(place_name_is_awkward("v2/app"));
    assert_true(place_name_is_awkward("robots.txt"));
    assert_false(place_name_is_awkward("v2x"));
    assert_false(place_name_is_awkward("team/v2"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_what_one_would_pull),
        cmocka_unit_test(what_is_no_name_is_nothing),
        cmocka_unit_test(the_rest_is_a_word_with_what_follows),
        cmocka_unit_test(a_prefix_is_a_path_with_slashes_around),
        cmocka_unit_test(names_that_mean_something_else_are_awkward),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
