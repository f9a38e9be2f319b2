/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "fcgi/route.h"

static const struct {
    const char *path;
    enum route_kind kind;
    const char *name;
    const char *last;
} endpoints[] = {
    {"/v2", ROUTE_BASE, "", ""},
    {"/v2/", ROUTE_BASE, "", ""},
    {"/v2/_catalog", ROUTE_CATALOG, "", ""},
    {"/v2/_berth/metrics", ROUTE_METRICS, "", ""},
    {"/v2/_berth/health", ROUTE_HEALTH, "", ""},
    {"/v2/a/blobs/sha256:x", ROUTE_BLOB, "a", "sha256:x"},
    {"/v2/a/b/c/blobs/sha256:x", ROUTE_BLOB, "a/b/c", "sha256:x"},
    {"/v2/a/blobs/", ROUTE_BLOB, "a", ""},
    {"/v2/a/blobs/uploads/", ROUTE_UPLOADS, "a", ""},
    {"/v2/a/blobs/uploads", ROUTE_UPLOADS, "a", ""},
    {"/v2/a/b/blobs/uploads", ROUTE_UPLOADS, "a/b", ""},
    {"/v2/a/blobs/uploads/id", ROUTE_UPLOAD, "a", "id"},
    {"/v2/a/manifests/latest", ROUTE_MANIFEST, "a", "latest"},
    {"/v2/a/manifests/sha256:x", ROUTE_MANIFEST, "a", "sha256:x"},
    {"/v2/a/manifests/", ROUTE_MANIFEST, "a", ""},
    {"/v2/a/tags/list", ROUTE_TAGS, "a", "list"},
    {"/v2/a/referrers/sha256:x", ROUTE_REFERRERS, "a", "sha256:x"},
    /* Names may contain the words of the endpoints. */
    {"/v2/blobs/blobs/x", ROUTE_BLOB, "blobs", "x"},
    {"/v2/a/manifests/blobs/x", ROUTE_BLOB, "a/manifests", "x"},
    {"/v2/a/blobs/uploads/manifests/v1", ROUTE_MANIFEST, "a/blobs/uploads", "v1"},
    {"/v2/a/blobs/uploads/tags/list", ROUTE_TAGS, "a/blobs/uploads", "list"},
    {"/v2/tags/tags/list", ROUTE_TAGS, "tags", "list"},
    {"/v2/manifests/manifests/manifests", ROUTE_MANIFEST, "manifests", "manifests"},
    /* Whether a name is good is for others to say. */
    {"/v2/../blobs/x", ROUTE_BLOB, "..", "x"},
    {"/v2/A b/manifests/..", ROUTE_MANIFEST, "A b", ".."},
    {"/v2/a//manifests/v1", ROUTE_MANIFEST, "a/", "v1"},
    {"/v2//a/manifests/v1", ROUTE_MANIFEST, "/a", "v1"},
};

static void finds_the_endpoint(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(endpoints); i++) {
        struct route route = {.kind = ROUTE_SETUP, .name = "untouched", .reference = "untouched"};

        if (!route_parse(endpoints[i].path, &route)) {
            fail_msg("'%s' is no endpoint", endpoints[i].path);
        }
        if (route.kind != endpoints[i].kind || strcmp(route.name, endpoints[i].name) != 0 ||
            strcmp(route.reference, endpoints[i].last) != 0) {
            fail_msg("'%s' is %d, '%s', '%s'", endpoints[i].path, (int)route.kind, route.name,
                     route.reference);
        }
    }
}

static void everything_else_is_none(void **state)
{
    static const char *const paths[] = {
        "",
        "/",
        "/v1/",
        "/v",
        "/v2x",
        "/v2x/",
        "/v20/a/blobs/x",
        "v2/",
        "//v2/",
        "/v2//",
        "/v2/a",
        "/v2/a/",
        "/v2/a/b",
        "/v2/_catalog/",
        "/v2/_catalogue",
        "/v2/_berth/metrics/",
        "/v2/_berth/unknown",
        "/v2/a/_catalog",
        "/v2/blobs/x",
        "/v2//blobs/x",
        "/v2/blobs/uploads",
        "/v2//blobs/uploads",
        "/v2/manifests/x",
        "/v2/tags/list",
        "/v2/a/tags",
        "/v2/a/tags/",
        "/v2/a/tags/lists",
        "/v2/a/tags/list/",
        "/v2/a/tags/list/x",
        "/v2/a/manifests/x/",
        "/v2/a/manifests/x/y",
        "/v2/a/blobs",
        "/v2/a/blobs/x/y",
        "/v2/a/Blobs/x",
        "/v2/a/xblobs/x",
        "/V2/a/blobs/x",
        "/v2/a/blobs/uploads/id/x",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct route route = {.kind = ROUTE_SETUP, .name = "untouched"};

        if (route_parse(paths[i], &route)) {
            fail_msg("'%s' is %d, '%s', '%s'", paths[i], (int)route.kind, route.name,
                     route.reference);
        }
        assert_string_equal(route.name, "untouched");
        assert_int_equal(route.kind, ROUTE_SETUP);
    }
}

static void parts_that_are_too_long_are_empty(void **state)
{
    AUTO_BUFFER struct buffer path = BUFFER_INIT;
    char name[NAME_SIZE + 1];
    char last[256];

    (void)state;
    memset(name, 'n', sizeof(name));
    memset(last, 'l', sizeof(last));
    for (size_t length = NAME_SIZE - 2; length <= NAME_SIZE; length++) {
        struct route route;

        buffer_clear(&path);
        buffer_format(&path, "/v2/%.*s/manifests/%.*s", (int)length, name, (int)length / 2 + 62,
                      last);
        assert_true(route_parse(path.data, &route));
        assert_int_equal(strlen(route.name), length < NAME_SIZE ? length : 0);
        assert_int_equal(strlen(route.reference), length / 2 + 62 < 192 ? length / 2 + 62 : 0);
        buffer_clear(&path);
        buffer_format(&path, "/v2/%.*s/blobs/uploads", (int)length, name);
        assert_true(route_parse(path.data, &route));
        assert_int_equal(strlen(route.name), length < NAME_SIZE ? length : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_endpoint),
        cmocka_unit_test(everything_else_is_none),
        cmocka_unit_test(parts_that_are_too_long_are_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
