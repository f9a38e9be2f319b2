/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/proxy/ask/upstream.h"

static struct upstream_options sections[] = {
    {.name = (char *)"alias", .url = (char *)"http://10.0.0.1:5000", .allow_private_address = true},
    {.name = (char *)"index.docker.io", .username = (char *)"hub"},
    {.name = (char *)"registry.local:5000", .username = (char *)"all"},
    {.name = (char *)"registry.local:5000/team", .username = (char *)"team"},
    {.name = (char *)"registry.local:5000/team/app", .username = (char *)"app"},
    {.name = (char *)"registry.local_5000", .url = (char *)"https://shadowed:1"},
    {.name = (char *)"other/team", .url = (char *)"https://prefixed:1", .username = (char *)"x"},
    {.name = (char *)"plain", .default_namespace = (char *)""},
};

static const struct proxy_options options = {
    .enabled = true,
    .upstreams = (char *)"*",
    .sections = sections,
    .section_count = COUNT(sections),
};

static void an_upstream_has_one_name_and_an_address(void **state)
{
    static const struct {
        const char *host;
        const char *name; /* NULL: denied */
        const char *url;
    } rows[] = {
        {"quay.io", "quay.io", "https://quay.io"},
        {"docker.io", "docker.io", "https://registry-1.docker.io"},
        {"index.docker.io", "docker.io", "https://registry-1.docker.io"},
        {"registry-1.docker.io", "docker.io", "https://registry-1.docker.io"},
        {"alias", "alias", "http://10.0.0.1:5000"},
        {"10.0.0.1:5000", "alias", "http://10.0.0.1:5000"},
        {"registry.local:5000", "registry.local_5000", "https://registry.local:5000"},
        {"registry.local_5000", "registry.local_5000", "https://registry.local:5000"},
        {"shadowed:1", NULL, NULL},
        {"prefixed:1", NULL, NULL},
        {"other/team", NULL, NULL},
        {"other", NULL, NULL},
        {"10.0.0.1", NULL, NULL},
        {"10.0.0.1_5000", NULL, NULL},
        {"", NULL, NULL},
        {"localhost", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct upstream upstream = {.name = "untouched"};
        struct error error = ERROR_INIT;
        int found = upstream_find(&upstream, &options, rows[i].host, &error);

        if (found != (rows[i].name ? 0 : -1) ||
            strcmp(upstream.name, rows[i].name ? rows[i].name : "untouched") != 0) {
            fail_msg("'%s' is '%s': %s", rows[i].host, upstream.name, error.message);
        }
        if (found < 0) {
            assert_int_equal(error.code, ERROR_DENIED);
        } else {
            assert_string_equal(upstream.url, rows[i].url);
            assert_int_equal(upstream.allow_http, strncmp(rows[i].url, "http:", 5) == 0);
            assert_int_equal(upstream.allow_private_address, strcmp(rows[i].name, "alias") == 0);
        }
    }
}

static void names_of_one_component_get_a_namespace(void **state)
{
    static const struct {
        const char *host;
        const char *name;
        const char *there; /* NULL: no name */
    } rows[] = {
        {"docker.io", "debian", "library/debian"},
        {"docker.io", "bob/app", "bob/app"},
        {"quay.io", "app", "app"},
        {"plain", "app", "app"},
        {"docker.io", "", NULL},
        {"quay.io", "a//b", NULL},
        {"quay.io", "A", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char there[NAME_SIZE] = "untouched";
        struct upstream upstream;
        struct error error = ERROR_INIT;

        assert_returns(0, upstream_find(&upstream, &options, rows[i].host, &error));
        if (rows[i].there) {
            assert_returns(0, upstream_repository(&upstream, rows[i].name, there, &error));
            assert_string_equal(there, rows[i].there);
        } else {
            assert_fails(ERROR_NAME_INVALID,
                         upstream_repository(&upstream, rows[i].name, there, &error));
            assert_string_equal(there, "untouched");
        }
    }
}

static void the_longest_prefix_chooses_the_account(void **state)
{
    static const struct {
        const char *host;
        const char *repository;
        const char *username; /* NULL: anonymous */
    } rows[] = {
        {"registry.local:5000", "app", "all"},
        {"registry.local:5000", "team", "team"},
        {"registry.local:5000", "team/other", "team"},
        {"registry.local:5000", "team/app", "app"},
        {"registry.local:5000", "team/app/deep", "app"},
        {"registry.local:5000", "team/apple", "team"},
        {"registry.local:5000", "teams/app", "all"},
        {"docker.io", "library/debian", "hub"},
        {"quay.io", "team/app", NULL},
        {"alias", "app", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct upstream_options *section;
        struct upstream upstream;
        struct error error = ERROR_INIT;

        assert_returns(0, upstream_find(&upstream, &options, rows[i].host, &error));
        section = upstream_credentials(&upstream, rows[i].repository);
        if (!section != !rows[i].username ||
            (section && strcmp(section->username, rows[i].username) != 0)) {
            fail_msg("%s of %s is fetched by '%s'", rows[i].repository, rows[i].host,
                     section ? section->username : "(nobody)");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upstream_has_one_name_and_an_address),
        cmocka_unit_test(names_of_one_component_get_a_namespace),
        cmocka_unit_test(the_longest_prefix_chooses_the_account),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
