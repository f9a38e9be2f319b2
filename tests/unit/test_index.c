/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/oci/index.h"

#define A "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define B "sha256:1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int parse(const char *json, struct index *out, struct error *error)
{
    struct document document = {json, strlen(json), NULL};

    return index_parse(out, &document, error);
}

static void reads_platforms(void **state)
{
    static const struct {
        const char *text;
        const char *os;
        const char *architecture;
        const char *variant;
    } good[] = {
        {"linux/amd64", "linux", "amd64", ""},
        {"linux/arm/v7", "linux", "arm", "v7"},
        {"windows/amd64", "windows", "amd64", ""},
    };
    static const char *const bad[] = {"",
                                      "linux",
                                      "linux/",
                                      "/amd64",
                                      "linux//v7",
                                      "linux/arm/",
                                      "linux/arm/v7/x",
                                      "linux/0123456789012345678901234567890123456789"};

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct platform platform;

        assert_true(platform_parse(&platform, good[i].text));
        assert_string_equal(platform.os, good[i].os);
        assert_string_equal(platform.architecture, good[i].architecture);
        assert_string_equal(platform.variant, good[i].variant);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct platform platform = {.os = "untouched"};

        if (platform_parse(&platform, bad[i])) {
            fail_msg("'%s' is taken for a platform", bad[i]);
        }
        assert_string_equal(platform.os, "untouched");
    }
}

static void a_platform_without_a_variant_means_them_all(void **state)
{
    static const struct {
        const char *wanted;
        const char *has;
        bool matches;
    } cases[] = {
        {"linux/amd64", "linux/amd64", true},      {"linux/amd64", "linux/arm64", false},
        {"linux/amd64", "windows/amd64", false},   {"linux/arm", "linux/arm/v6", true},
        {"linux/arm/v7", "linux/arm/v6", false},   {"linux/arm/v7", "linux/arm", true},
        {"linux/arm64/v8", "linux/arm64", true},   {"linux/arm64/v9", "linux/arm64", false},
        {"linux/amd64/v3", "linux/amd64", false},  {"linux/amd64", "linux/amd64/v3", true},
        {"linux/amd64", "unknown/unknown", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct platform wanted;
        struct platform has;

        assert_true(platform_parse(&wanted, cases[i].wanted));
        assert_true(platform_parse(&has, cases[i].has));
        if (platform_matches(&wanted, &has) != cases[i].matches) {
            fail_msg("%s and %s", cases[i].wanted, cases[i].has);
        }
    }
}

static void an_index_tells_what_its_children_are_for(void **state)
{
    AUTO_INDEX struct index index = INDEX_INIT;
    struct error error;

    (void)state;
    assert_returns(0, parse("{\"manifests\":[{\"digest\":\"" A "\",\"size\":1,\"platform\":"
                            "{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"}},"
                            "{\"digest\":\"" B "\",\"size\":1}]}",
                            &index, &error));
    assert_int_equal(index.count, 2);
    assert_string_equal(index.children[0].digest.text, A);
    assert_true(index.children[0].has_platform);
    assert_string_equal(index.children[0].platform.os, "linux");
    assert_string_equal(index.children[0].platform.architecture, "arm");
    assert_string_equal(index.children[0].platform.variant, "v7");
    assert_string_equal(index.children[1].digest.text, B);
    assert_false(index.children[1].has_platform);
}

static void a_strange_platform_matches_nothing(void **state)
{
    static const char *const platforms[] = {
        "{}", "{\"os\":1,\"architecture\":[]}", "{\"os\":\"linux\"}",
        "{\"os\":\"linux\",\"architecture\":\"0123456789012345678901234567890123456789\"}"};
    struct platform wanted;

    (void)state;
    assert_true(platform_parse(&wanted, "linux/amd64"));
    for (size_t i = 0; i < COUNT(platforms); i++) {
        AUTO_INDEX struct index index = INDEX_INIT;
        AUTO_BUFFER struct buffer json = BUFFER_INIT;
        struct error error;

        buffer_format(&json, "{\"manifests\":[{\"digest\":\"" A "\",\"platform\":%s}]}",
                      platforms[i]);
        assert_returns(0, parse(json.data, &index, &error));
        assert_int_equal(index.count, 1);
        assert_true(index.children[0].has_platform);
        assert_false(platform_matches(&wanted, &index.children[0].platform));
    }
}

static void what_is_no_index_has_no_children(void **state)
{
    static const char *const none[] = {"{\"config\":{},\"layers\":[]}", "{\"manifests\":[]}",
                                       "{\"manifests\":null}"};

    (void)state;
    for (size_t i = 0; i < COUNT(none); i++) {
        AUTO_INDEX struct index index = INDEX_INIT;
        struct error error;

        assert_returns(0, parse(none[i], &index, &error));
        assert_int_equal(index.count, 0);
    }
}

static void a_child_needs_a_digest(void **state)
{
    static const char *const bad[] = {"{\"manifests\":[{}]}",
                                      "{\"manifests\":[{\"digest\":\"sha256:abc\"}]}",
                                      "{\"manifests\":[{\"digest\":\"" A "\"},{\"digest\":5}]}"};

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        AUTO_INDEX struct index index = INDEX_INIT;
        struct error error;

        assert_fails(ERROR_MANIFEST_INVALID, parse(bad[i], &index, &error));
        assert_null(index.children);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_platforms),
        cmocka_unit_test(a_platform_without_a_variant_means_them_all),
        cmocka_unit_test(an_index_tells_what_its_children_are_for),
        cmocka_unit_test(a_strange_platform_matches_nothing),
        cmocka_unit_test(what_is_no_index_has_no_children),
        cmocka_unit_test(a_child_needs_a_digest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
