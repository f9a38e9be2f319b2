/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/base/names.h"
#include "lib/proxy/ask/upstream.h"

static struct upstream_options sections[] = {
    {.name = TEXT("alias"), .url = TEXT("http://127.0.0.1:5000"), .allow_private_address = true},
    {.name = TEXT("other"),
     .url = TEXT("https://registry.example:8443"),
     .default_namespace = TEXT("team")},
    {.name = TEXT("docker.io/team"), .username = TEXT("team")},
    {.name = TEXT("quay.io"), .username = TEXT("quay")},
    {.name = TEXT("index.docker.io"), .username = TEXT("hub")},
    {.name = TEXT("docker.io/team/inner"), .username = TEXT("inner")},
    {.name = TEXT("anonymous.example/team")},
};

static struct proxy_options options = {.enabled = true,
                                       .upstreams = TEXT("*"),
                                       .sections = sections,
                                       .section_count = COUNT(sections)};

static void finds_who_is_meant(void **state)
{
    static const struct {
        const char *host;
        const char *name;
        const char *url;
    } cases[] = {
        {"docker.io", "docker.io", "https://registry-1.docker.io"},
        {"index.docker.io", "docker.io", "https://registry-1.docker.io"},
        {"registry-1.docker.io", "docker.io", "https://registry-1.docker.io"},
        {"ghcr.io", "ghcr.io", "https://ghcr.io"},
        {"quay.io", "quay.io", "https://quay.io"},
        {"alias", "alias", "http://127.0.0.1:5000"},
        {"other", "other", "https://registry.example:8443"},
        /* As containerd calls what is configured: its address. */
        {"127.0.0.1:5000", "alias", "http://127.0.0.1:5000"},
        {"registry.example:8443", "other", "https://registry.example:8443"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct upstream upstream;
        struct error error;

        assert_returns(0, upstream_find(&upstream, &options, cases[i].host, &error));
        assert_string_equal(upstream.name, cases[i].name);
        assert_string_equal(upstream.url, cases[i].url);
    }
}

static void does_not_ask_whoever(void **state)
{
    static const char *const hosts[] = {
        "",      "localhost", "127.0.0.1",     "127.0.0.1:5001",      "[::1]",
        "none",  "Docker.io", "docker.io:443", "docker.io/team",      "u@docker.io",
        "a.b\n", "..",        "10.0.0.1",      "registry.example:443"};
    struct upstream upstream;
    struct error error;

    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        assert_fails(ERROR_DENIED, upstream_find(&upstream, &options, hosts[i], &error));
    }
}

static void asks_only_who_is_listed(void **state)
{
    struct proxy_options some = options;
    struct upstream upstream;
    struct error error;

    (void)state;
    some.upstreams = TEXT("registry-1.docker.io, alias");
    assert_returns(0, upstream_find(&upstream, &some, "docker.io", &error));
    assert_returns(0, upstream_find(&upstream, &some, "index.docker.io", &error));
    assert_returns(0, upstream_find(&upstream, &some, "127.0.0.1:5000", &error));
    assert_fails(ERROR_DENIED, upstream_find(&upstream, &some, "quay.io", &error));
    some.upstreams = TEXT("");
    assert_fails(ERROR_DENIED, upstream_find(&upstream, &some, "docker.io", &error));
    some = options;
    some.enabled = false;
    assert_fails(ERROR_DENIED, upstream_find(&upstream, &some, "docker.io", &error));
}

static struct upstream find(const char *host)
{
    struct upstream upstream;
    struct error error;

    assert_returns(0, upstream_find(&upstream, &options, host, &error));
    return upstream;
}

static void only_what_says_so_may_be_private_or_plain(void **state)
{
    (void)state;
    assert_true(find("alias").allow_private_address);
    assert_true(find("alias").allow_http);
    assert_false(find("other").allow_private_address);
    assert_false(find("other").allow_http);
    assert_false(find("ghcr.io").allow_private_address);
}

static void knows_what_a_repository_is_called_there(void **state)
{
    static const struct {
        const char *host;
        const char *name;
        const char *expected;
    } cases[] = {
        {"docker.io", "debian", "library/debian"},
        {"docker.io", "library/debian", "library/debian"},
        {"docker.io", "team/app", "team/app"},
        {"quay.io", "debian", "debian"},
        {"other", "app", "team/app"},
        {"other", "x/app", "x/app"},
        {"alias", "app", "app"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct upstream upstream = find(cases[i].host);
        char out[NAME_SIZE];
        struct error error;

        assert_returns(0, upstream_repository(&upstream, cases[i].name, out, &error));
        assert_string_equal(out, cases[i].expected);
    }
}

static void uses_the_account_of_the_longest_prefix(void **state)
{
    static const struct {
        const char *host;
        const char *name;
        const char *username; /* NULL: none */
    } cases[] = {
        {"docker.io", "library/debian", "hub"},
        {"docker.io", "team/app", "team"},
        {"docker.io", "team", "team"},
        {"docker.io", "teams/app", "hub"},
        {"docker.io", "x/team/app", "hub"},
        {"docker.io", "team/inner", "inner"},
        {"docker.io", "team/inner/app", "inner"},
        {"docker.io", "team/inner2/app", "team"},
        {"quay.io", "team/app", "quay"},
        {"ghcr.io", "team/app", NULL},
        {"alias", "team/app", NULL},
        {"anonymous.example", "team/app", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct upstream upstream = find(cases[i].host);
        const struct upstream_options *section = upstream_credentials(&upstream, cases[i].name);

        assert_int_equal(section == NULL, cases[i].username == NULL);
        if (section) {
            assert_string_equal(section->username, cases[i].username);
        }
    }
}

static void follows_only_to_its_own_kind(void **state)
{
    static const struct {
        const char *host;
        const char *url;
        bool expected;
    } cases[] = {
        {"ghcr.io", "https://cdn.example/x", true},
        {"ghcr.io", "https://cdn.example:8443/x", false},
        {"ghcr.io", "http://cdn.example/x", false},
        {"ghcr.io", "http://cdn.example:443/x", false},
        {"other", "https://cdn.example:8443/x", true},
        {"other", "https://cdn.example/x", true},
        {"other", "https://cdn.example:22/x", false},
        {"alias", "http://127.0.0.1:22/x", true},
        {"alias", "https://cdn.example:22/x", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct upstream upstream = find(cases[i].host);
        struct url url;

        assert_true(url_parse(cases[i].url, &url));
        if ((upstream_obstacle(&upstream, &url) == NULL) != cases[i].expected) {
            fail_msg("from %s to %s", cases[i].host, cases[i].url);
        }
    }
}

/* Those have numbers of their own: each once, however it is written. */
static void lists_those_that_are_configured(void **state)
{
    static const char *const expected[] = {"docker.io", "ghcr.io", "alias",
                                           "other",     "quay.io", "anonymous.example"};
    struct proxy_options some = options;
    AUTO_NAMES struct names names = NAMES_INIT;
    AUTO_NAMES struct names listed = NAMES_INIT;

    (void)state;
    some.mirror_root = TEXT("ghcr.io");
    upstream_list_configured(&some, &names);
    assert_int_equal(names.count, COUNT(expected));
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_string_equal(names.names[i], expected[i]);
    }
    some.mirror_root = TEXT("");
    some.upstreams = TEXT("registry.example, alias");
    upstream_list_configured(&some, &listed);
    assert_int_equal(listed.count, 2);
    assert_string_equal(listed.names[0], "alias");
    assert_string_equal(listed.names[1], "registry.example");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_who_is_meant),
        cmocka_unit_test(does_not_ask_whoever),
        cmocka_unit_test(asks_only_who_is_listed),
        cmocka_unit_test(only_what_says_so_may_be_private_or_plain),
        cmocka_unit_test(knows_what_a_repository_is_called_there),
        cmocka_unit_test(uses_the_account_of_the_longest_prefix),
        cmocka_unit_test(follows_only_to_its_own_kind),
        cmocka_unit_test(lists_those_that_are_configured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
