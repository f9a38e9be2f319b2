/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/oci/image.h"

#define D "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void understands_what_people_write(void **state)
{
    static const struct {
        const char *text;
        bool has_host;
        const char *host;
        const char *name;
        const char *reference;
    } cases[] = {
        {"debian", false, "docker.io", "debian", "latest"},
        {"debian:12", false, "docker.io", "debian", "12"},
        {"library/debian:12", false, "docker.io", "library/debian", "12"},
        {"docker.io/debian", false, "docker.io", "debian", "latest"},
        {"quay.io/a/b/c:x_y.z-1", false, "quay.io", "a/b/c", "x_y.z-1"},
        {"localhost/app", false, "localhost", "app", "latest"},
        {"example.org:5000/app:1", false, "example.org:5000", "app", "1"},
        {"registry:5000/app", false, "registry:5000", "app", "latest"},
        {"debian@" D, false, "docker.io", "debian", D},
        {"ghcr.io/team/app:1@" D, false, "ghcr.io", "team/app", D},
        {"alias/app:1", true, "alias", "app", "1"},
        {"alias/team/app", true, "alias", "team/app", "latest"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct image image;
        struct error error;

        assert_returns(0, image_parse(&image, cases[i].text, cases[i].has_host, &error));
        assert_string_equal(image.host, cases[i].host);
        assert_string_equal(image.name, cases[i].name);
        assert_string_equal(image.reference, cases[i].reference);
    }
}

static void refuses_what_is_no_image(void **state)
{
    static const struct {
        const char *text;
        bool has_host;
    } cases[] = {
        {"", false},           {"/", false},        {"Debian", false},     {"debian:", false},
        {"debian:a b", false}, {"quay.io/", false}, {"quay.io/:1", false}, {"a/../b", false},
        {"debian", true},      {"/debian", true},   {"a//b", false},       {":12", false},
    };
    static const char *const digests[] = {"debian@", "debian@sha256:abc", "debian@" D "0",
                                          "debian@" D "@" D};
    struct error error;
    struct image image;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_fails(ERROR_NAME_INVALID,
                     image_parse(&image, cases[i].text, cases[i].has_host, &error));
    }
    for (size_t i = 0; i < COUNT(digests); i++) {
        assert_fails(ERROR_DIGEST_INVALID, image_parse(&image, digests[i], false, &error));
    }
}

static void refuses_what_is_too_long(void **state)
{
    char text[600];
    struct error error;
    struct image image;

    (void)state;
    memset(text, 'a', sizeof(text));
    text[400] = '\0';
    assert_fails(ERROR_NAME_INVALID, image_parse(&image, text, false, &error));
    text[300] = '.';
    text[301] = '/';
    assert_fails(ERROR_NAME_INVALID, image_parse(&image, text, false, &error));
    text[300] = 'a';
    text[301] = ':';
    text[200] = '/';
    text[400] = 'a';
    text[599] = '\0';
    assert_fails(ERROR_NAME_INVALID, image_parse(&image, text, false, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands_what_people_write),
        cmocka_unit_test(refuses_what_is_no_image),
        cmocka_unit_test(refuses_what_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
