/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/registry/identity.h"

static struct upstream_options sections[] = {
    {.name = (char *)"alias", .url = (char *)"http://127.0.0.1:5001"},
    {.name = (char *)"registry.local:5000"},
    {.name = (char *)"space",
     .url = (char *)"https://space.example.org",
     .default_namespace = (char *)"team/apps"},
    {.name = (char *)"ghcr.io", .username = (char *)"everybody"},
    {.name = (char *)"ghcr.io/team",
     .url = (char *)"http://127.0.0.1:5002",
     .username = (char *)"bob"},
};

static const struct proxy_options options = {
    .enabled = true,
    .upstreams = (char *)"*",
    .mirror_root = (char *)"docker.io",
    .sections = sections,
    .section_count = COUNT(sections),
};

#define OWN "Registry.Example.Org:5000"

static const struct {
    const char *prefix;
    const char *namespace;
    const char *name;
    enum error_code code;
    const char *canonical;
    const char *there; /* NULL: hosted */
} rows[] = {
    /* Hosted. */
    {"", NULL, "app", ERROR_NONE, "app", NULL},
    {"", NULL, "team/app", ERROR_NONE, "team/app", NULL},
    {"", NULL, "proxy", ERROR_NONE, "proxy", NULL},
    {"", NULL, "a/proxy/docker.io/debian", ERROR_NONE, "a/proxy/docker.io/debian", NULL},
    {"", "", "team/app", ERROR_NONE, "team/app", NULL},
    {"", OWN, "team/app", ERROR_NONE, "team/app", NULL},
    {"", "REGISTRY.example.org:5000", "team/app", ERROR_NONE, "team/app", NULL},
    {"", NULL, "", ERROR_NAME_INVALID, NULL, NULL},
    {"", NULL, "Team/app", ERROR_NAME_INVALID, NULL, NULL},
    {"", NULL, "team//app", ERROR_NAME_INVALID, NULL, NULL},
    {"", NULL, "../app", ERROR_NAME_INVALID, NULL, NULL},
    /* By the path. */
    {"", NULL, "proxy/docker.io/debian", ERROR_NONE, "proxy/docker.io/library/debian",
     "library/debian"},
    {"", NULL, "proxy/docker.io/library/debian", ERROR_NONE, "proxy/docker.io/library/debian",
     "library/debian"},
    {"", NULL, "proxy/index.docker.io/debian", ERROR_NONE, "proxy/docker.io/library/debian",
     "library/debian"},
    {"", NULL, "proxy/registry-1.docker.io/bob/app", ERROR_NONE, "proxy/docker.io/bob/app",
     "bob/app"},
    {"", NULL, "proxy/quay.io/app", ERROR_NONE, "proxy/quay.io/app", "app"},
    {"", NULL, "proxy/alias/app", ERROR_NONE, "proxy/alias/app", "app"},
    {"", NULL, "proxy/registry.local_5000/app", ERROR_NONE, "proxy/registry.local_5000/app", "app"},
    {"", NULL, "proxy/space/web", ERROR_NONE, "proxy/space/team/apps/web", "team/apps/web"},
    {"", NULL, "proxy/ghcr.io/team/app", ERROR_NONE, "proxy/ghcr.io/team/app", "team/app"},
    {"", NULL, "proxy/alias/proxy/docker.io/app", ERROR_NONE, "proxy/alias/proxy/docker.io/app",
     "proxy/docker.io/app"},
    {"", NULL, "proxy/docker.io", ERROR_NAME_INVALID, NULL, NULL},
    {"", NULL, "proxy//debian", ERROR_NAME_INVALID, NULL, NULL},
    {"", NULL, "proxy/docker.io/", ERROR_NAME_INVALID, NULL, NULL},
    {"", NULL, "proxy/docker.io/UPPER", ERROR_NAME_INVALID, NULL, NULL},
    {"", NULL, "proxy/localhost/app", ERROR_DENIED, NULL, NULL},
    {"", NULL, "proxy/127.0.0.1/app", ERROR_DENIED, NULL, NULL},
    {"", NULL, "proxy/127.0.0.1_5001/app", ERROR_DENIED, NULL, NULL},
    {"", NULL, "proxy/ghcr.io_team/app", ERROR_DENIED, NULL, NULL},
    /* By the namespace. */
    {"", "docker.io", "debian", ERROR_NONE, "proxy/docker.io/library/debian", "library/debian"},
    {"", "Docker.IO", "library/debian", ERROR_NONE, "proxy/docker.io/library/debian",
     "library/debian"},
    {"", "registry-1.docker.io", "debian", ERROR_NONE, "proxy/docker.io/library/debian",
     "library/debian"},
    {"", "alias", "app", ERROR_NONE, "proxy/alias/app", "app"},
    {"", "127.0.0.1:5001", "app", ERROR_NONE, "proxy/alias/app", "app"},
    {"", "space.example.org:443", "web", ERROR_NONE, "proxy/space/team/apps/web", "team/apps/web"},
    {"", "Registry.LOCAL:5000", "app", ERROR_NONE, "proxy/registry.local_5000/app", "app"},
    {"", "docker.io", "proxy/docker.io/debian", ERROR_NONE, "proxy/docker.io/library/debian",
     "library/debian"},
    {"", "quay.io", "../app", ERROR_NAME_INVALID, NULL, NULL},
    {"", "quay.io", "", ERROR_NAME_INVALID, NULL, NULL},
    /* A host, and nothing else. */
    {"", "ghcr.io/team", "app", ERROR_DENIED, NULL, NULL},
    {"", "ghcr.io/team", "team/app", ERROR_DENIED, NULL, NULL},
    {"", "127.0.0.1:5002", "app", ERROR_DENIED, NULL,
     NULL}, /* the section's, which is for a prefix */
    {"", "ghcr.io/", "app", ERROR_DENIED, NULL, NULL},
    {"", "/", "app", ERROR_DENIED, NULL, NULL},
    {"", "../alias", "app", ERROR_DENIED, NULL, NULL},
    {"", "alias/..", "app", ERROR_DENIED, NULL, NULL},
    {"", "bob@alias", "app", ERROR_DENIED, NULL, NULL},
    {"", "alias%25eth0", "app", ERROR_DENIED, NULL, NULL},
    {"", "[::1]", "app", ERROR_DENIED, NULL, NULL},
    {"", "[::1]:5001", "app", ERROR_DENIED, NULL, NULL},
    {"", "alias:", "app", ERROR_DENIED, NULL, NULL},
    {"", ":5001", "app", ERROR_DENIED, NULL, NULL},
    {"", "quay.io:x", "app", ERROR_DENIED, NULL, NULL},
    {"", "quay.io:443", "app", ERROR_DENIED, NULL, NULL},
    {"", "quay.io:443:443", "app", ERROR_DENIED, NULL, NULL},
    {"", "quay.io ", "app", ERROR_DENIED, NULL, NULL},
    {"", "https://quay.io", "app", ERROR_DENIED, NULL, NULL},
    {"", "registry.example.org:5001", "app", ERROR_DENIED, NULL, NULL},
    /* Through a virtual host. */
    {"team-a", NULL, "app", ERROR_NONE, "team-a/app", NULL},
    {"team-a", OWN, "app", ERROR_NONE, "team-a/app", NULL},
    {"team-a", NULL, "team-a/app", ERROR_NONE, "team-a/team-a/app", NULL},
    {"team-a", NULL, "proxy/docker.io/debian", ERROR_NONE, "team-a/proxy/docker.io/debian", NULL},
    {"team-a", NULL, "../team-b/app", ERROR_NAME_INVALID, NULL, NULL},
    {"team-a", NULL, "/app", ERROR_NAME_INVALID, NULL, NULL},
    {"team-a", NULL, "", ERROR_NAME_INVALID, NULL, NULL},
    {"team-a", "quay.io", "app", ERROR_NONE, "proxy/quay.io/app", "app"}, /* and not permitted */
    {"team-a", "quay.io", "proxy/docker.io/app", ERROR_NONE, "proxy/quay.io/proxy/docker.io/app",
     "proxy/docker.io/app"},
    {"proxy/docker.io", NULL, "debian", ERROR_NONE, "proxy/docker.io/library/debian",
     "library/debian"},
    {"proxy/docker.io", "docker.io", "debian", ERROR_NONE, "proxy/docker.io/library/debian",
     "library/debian"},
    {"proxy/docker.io", "quay.io", "app", ERROR_NONE, "proxy/quay.io/app", "app"},
    {"proxy/docker.io/library", NULL, "debian", ERROR_NONE, "proxy/docker.io/library/debian",
     "library/debian"},
    {"proxy", NULL, "docker.io/debian", ERROR_NONE, "proxy/docker.io/library/debian",
     "library/debian"},
};

static void there_is_one_spelling_for_what_is_meant(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct naming naming = {rows[i].name, rows[i].namespace, OWN, rows[i].prefix};
        struct error error = ERROR_INIT;
        struct identity identity = {.name = "untouched"};
        int found = identity_find(&identity, &options, &naming, &error);

        if (error.code != rows[i].code || found != (rows[i].code == ERROR_NONE ? 0 : -1) ||
            strcmp(identity.name, found == 0 ? rows[i].canonical : "untouched") != 0) {
            fail_msg("'%s' ns '%s' below '%s' is '%s', code %d", rows[i].name,
                     rows[i].namespace ? rows[i].namespace : "(none)", rows[i].prefix,
                     identity.name, (int)error.code);
        }
        if (found == 0 && (identity.is_proxied != (rows[i].there != NULL) ||
                           (rows[i].there && strcmp(identity.there, rows[i].there) != 0))) {
            fail_msg("'%s' is called '%s' there", identity.name, identity.there);
        }
    }
}

static void the_spelling_means_itself(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct naming naming = {rows[i].canonical, NULL, OWN, ""};
        struct error error = ERROR_INIT;
        struct identity identity;

        if (rows[i].canonical) {
            assert_returns(0, identity_find(&identity, &options, &naming, &error));
            assert_string_equal(identity.name, rows[i].canonical);
        }
    }
}

static void a_section_for_a_prefix_is_nobodys_upstream(void **state)
{
    struct naming naming = {"proxy/ghcr.io/team/app", NULL, NULL, ""};
    struct error error = ERROR_INIT;
    struct identity identity;

    (void)state;
    assert_returns(0, identity_find(&identity, &options, &naming, &error));
    assert_string_equal(identity.upstream.name, "ghcr.io");
    assert_string_equal(identity.upstream.url, "https://ghcr.io");
    assert_string_equal(identity.upstream.section->username, "everybody");
    assert_string_equal(upstream_credentials(&identity.upstream, identity.there)->username, "bob");
}

static void what_is_too_long_here_is_no_name(void **state)
{
    char name[NAME_SIZE] = "";
    struct naming naming = {name, "quay.io", NULL, ""};
    struct error error = ERROR_INIT;
    struct identity identity;
    size_t fits = NAME_SIZE - 1 - strlen("proxy/quay.io/");

    (void)state;
    memset(name, 'a', fits);
    assert_returns(0, identity_find(&identity, &options, &naming, &error));
    assert_int_equal(strlen(identity.name), NAME_SIZE - 1);
    name[fits] = 'a';
    assert_fails(ERROR_NAME_INVALID, identity_find(&identity, &options, &naming, &error));
    naming.namespace = NULL;
    naming.prefix = "a-prefix-of-some-length";
    assert_fails(ERROR_NAME_INVALID, identity_find(&identity, &options, &naming, &error));
}

static void what_is_not_listed_or_switched_off_is_denied(void **state)
{
    struct proxy_options few = options;
    struct error error = ERROR_INIT;
    struct identity identity;

    (void)state;
    few.upstreams = (char *)"alias, index.docker.io, registry.local:5000";
    for (size_t i = 0; i < 4; i++) {
        static const char *const names[] = {"alias", "docker.io", "registry.local:5000", "quay.io"};
        struct naming naming = {"app", names[i], NULL, ""};

        assert_int_equal(identity_find(&identity, &few, &naming, &error), i < 3 ? 0 : -1);
    }
    assert_int_equal(error.code, ERROR_DENIED);
    few.enabled = false;
    assert_fails(ERROR_DENIED, identity_find(&identity, &few,
                                             &(struct naming){"app", "alias", NULL, ""}, &error));
}

static void a_prefix_has_one_spelling_too(void **state)
{
    static const struct {
        const char *prefix;
        const char *canonical; /* NULL: it is none */
    } prefixes[] = {
        {NULL, ""},
        {"team-a", "team-a"},
        {"team/a", "team/a"},
        {"proxy", "proxy"},
        {"proxy/docker.io", "proxy/docker.io"},
        {"proxy/index.docker.io/library", "proxy/docker.io/library"},
        {"proxy/registry.local_5000", "proxy/registry.local_5000"},
        {"proxy/unknown", "proxy/unknown"}, /* refused when it is used */
        {"team-a/", NULL},
        {"/team-a", NULL},
        {"team//a", NULL},
        {"..", NULL},
        {"Team", NULL},
        {"proxy/", NULL},
        {"a b", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(prefixes); i++) {
        struct error error = ERROR_INIT;
        char prefix[NAME_SIZE] = "untouched";
        int result = identity_prefix(prefix, &options, prefixes[i].prefix, &error);

        if (prefixes[i].canonical) {
            assert_int_equal(result, 0);
            assert_string_equal(prefix, prefixes[i].canonical);
            continue;
        }
        assert_int_equal(result, -1);
        assert_int_equal(error.code, ERROR_INTERNAL);
        assert_non_null(strstr(error.message, prefixes[i].prefix));
        assert_string_equal(prefix, "untouched");
    }
}

static void below_means_behind_a_slash(void **state)
{
    struct identity identity = {.name = "team-a/app"};

    (void)state;
    assert_true(identity_is_below(&identity, ""));
    assert_true(identity_is_below(&identity, "team-a"));
    assert_false(identity_is_below(&identity, "team"));
    assert_false(identity_is_below(&identity, "team-"));
    assert_false(identity_is_below(&identity, "team-a/app"));
    assert_false(identity_is_below(&identity, "team-a/app/x"));
    assert_false(identity_is_below(&identity, "team-b"));
}

static void a_mirror_has_hosted_names_only(void **state)
{
    struct proxy_options without = options;
    struct identity hosted = {.name = "debian"};
    struct identity mirrored;
    struct error error = ERROR_INIT;

    (void)state;
    assert_returns(1, identity_mirror(&hosted, &options, &mirrored, &error));
    assert_string_equal(mirrored.name, "proxy/docker.io/library/debian");
    assert_true(mirrored.is_proxied);
    assert_returns(0, identity_mirror(&mirrored, &options, &mirrored, &error));
    without.mirror_root = (char *)"";
    assert_returns(0, identity_mirror(&hosted, &without, &mirrored, &error));
    without.mirror_root = (char *)"docker.io/library";
    assert_fails(ERROR_DENIED, identity_mirror(&hosted, &without, &mirrored, &error));
    without.enabled = false;
    assert_returns(0, identity_mirror(&hosted, &without, &mirrored, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_one_spelling_for_what_is_meant),
        cmocka_unit_test(the_spelling_means_itself),
        cmocka_unit_test(a_section_for_a_prefix_is_nobodys_upstream),
        cmocka_unit_test(what_is_too_long_here_is_no_name),
        cmocka_unit_test(what_is_not_listed_or_switched_off_is_denied),
        cmocka_unit_test(a_prefix_has_one_spelling_too),
        cmocka_unit_test(below_means_behind_a_slash),
        cmocka_unit_test(a_mirror_has_hosted_names_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
