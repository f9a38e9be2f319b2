/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "fcgi/page/rows.h"
#include "lib/store/portrait.h"

static void versions_are_compared_as_people_count(void **state)
{
    /* Each is before the next. */
    static const char *const rows[] = {
        "0.9",    "1", "1.0-rc1", "1.0-rc2", "1.0-rc10", "1.0",     "1.0.1", "1.2",   "1.9", "1.10",
        "1.10.0", "2", "10",      "10.0",    "latest",   "v1.2-rc", "v1.2",  "v1.10", "v2"};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t j = 0; j < COUNT(rows); j++) {
            int result = tagged_compare(rows[i], rows[j]);

            if ((result < 0) != (i < j) || (result > 0) != (i > j)) {
                fail_msg("'%s' and '%s': %d", rows[i], rows[j], result);
            }
        }
    }
    assert_true(tagged_compare("1.01", "1.1") != 0);
    assert_true(tagged_compare("99999999999999999999998", "99999999999999999999999") < 0);
}

static void tags_of_commits_are_known(void **state)
{
    static const char *const good[] = {"sha-0123abc", "sha-1234567", "deadbeef",
                                       "0123456789abcdef01"};
    static const char *const bad[] = {"",       "sha-",        "sha-012345", "1234567", "20261129",
                                      "latest", "sha-0123abx", "DEADBEEF",   "v1.0",    "abcdef"};

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        if (!rows_tag_is_commit(good[i])) {
            fail_msg("'%s' is none", good[i]);
        }
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (rows_tag_is_commit(bad[i])) {
            fail_msg("'%s' is one", bad[i]);
        }
    }
}

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void tags_that_tools_make_of_digests_are_known(void **state)
{
    (void)state;
    assert_true(portrait_tag_is_mark("sha256-" HEX));
    assert_true(portrait_tag_is_mark("sha256-" HEX ".sig"));
    assert_false(portrait_tag_is_mark("sha256-" HEX "x"));
    assert_false(portrait_tag_is_mark("sha256-0123"));
    assert_false(portrait_tag_is_mark("sha-" HEX));
    assert_false(portrait_tag_is_mark("sha256"));
    assert_false(portrait_tag_is_mark(""));
}

static void kinds_are_told_by_types(void **state)
{
    static const struct {
        const char *type;
        enum description_kind kind;
    } rows[] = {
        {"application/vnd.oci.image.config.v1+json", KIND_IMAGE},
        {"application/vnd.docker.container.image.v1+json", KIND_IMAGE},
        {"application/vnd.cncf.helm.config.v1+json", KIND_CHART},
        {"application/vnd.dev.sigstore.bundle.v0.3+json", KIND_SIGNATURE},
        {"application/vnd.dev.cosign.artifact.sig.v1+json", KIND_SIGNATURE},
        {"application/vnd.dev.cosign.artifact.sbom.v1+json", KIND_SBOM},
        {"application/vnd.cncf.notary.signature", KIND_SIGNATURE},
        {"application/spdx+json", KIND_SBOM},
        {"application/vnd.cyclonedx+json", KIND_SBOM},
        {"application/vnd.in-toto+json", KIND_ATTESTATION},
        {"application/x", KIND_ARTIFACT},
        {"", KIND_ARTIFACT},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (description_kind_of(rows[i].type) != rows[i].kind) {
            fail_msg("'%s' is another kind", rows[i].type);
        }
    }
}

static void what_a_manifest_says_is_read_within_limits(void **state)
{
    static const char text[] =
        "{\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
        "\"digest\":\"sha256:" HEX "\",\"size\":5},\"layers\":[{\"digest\":\"sha256:" HEX
        "\",\"size\":7},{\"digest\":\"nonsense\",\"size\":1},7,{\"digest\":\"sha256:" HEX
        "\",\"size\":-1},{\"digest\":\"sha256:" HEX "\",\"size\":1e300}],"
        "\"annotations\":{\"a\":\"b\",\"c\":7},\"subject\":{\"digest\":\"x\"}}";
    AUTO_DESCRIPTION struct description description = DESCRIPTION_INIT;
    struct document document = {.bytes = text, .length = strlen(text)};

    (void)state;
    assert_true(description_read(&description, &document, MEDIA_TYPE_OCI_MANIFEST));
    assert_int_equal(description.kind, KIND_IMAGE);
    assert_int_equal(description.part_count, 3);
    assert_int_equal(description.size, 12);
    assert_int_equal(description.annotations.count, 2);
    assert_false(description.has_subject);
    document.length--;
    assert_false(description_read(&description, &document, MEDIA_TYPE_OCI_MANIFEST));
}

static void what_a_configuration_says_need_not_be_what_it_should_be(void **state)
{
    static const char *const rows[] = {
        "{}", "{\"config\":7,\"history\":{},\"os\":[]}",
        "{\"config\":{\"Env\":[1,null,\"a\"],\"Labels\":[],\"Entrypoint\":\"x\"},\"history\":[1]}"};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_IMAGE_CONFIG struct image_config config = IMAGE_CONFIG_INIT;
        struct document document = {.bytes = rows[i], .length = strlen(rows[i])};

        assert_true(image_config_read(&config, &document));
        assert_string_equal(config.platform, "");
        assert_string_equal(config.user, "");
        assert_int_equal(config.environment.count, i == 2 ? 1 : 0);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_compared_as_people_count),
        cmocka_unit_test(tags_of_commits_are_known),
        cmocka_unit_test(tags_that_tools_make_of_digests_are_known),
        cmocka_unit_test(kinds_are_told_by_types),
        cmocka_unit_test(what_a_manifest_says_is_read_within_limits),
        cmocka_unit_test(what_a_configuration_says_need_not_be_what_it_should_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
