/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/oci/manifest.h"

/* What is written to be read in two ways, or to cost more than it is worth. */

#define DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LAYER(more) "{\"mediaType\":\"a/b\",\"digest\":\"" DIGEST "\"" more "}"
#define WITH_SIZE(size) LAYER(",\"size\":" size)
#define INDEX_OF(child) "{\"schemaVersion\":2,\"manifests\":[" child "]}"
#define INDEX_WITH(member) "{\"schemaVersion\":2,\"manifests\":[]," member "}"

enum { LONG = 4 * 1024 * 1024 };

static struct error error;

static int parse(const char *bytes, size_t length, struct manifest *out)
{
    struct document document = {bytes, length, MEDIA_TYPE_OCI_INDEX};

    return manifest_parse(out, &document, &error);
}

static void assert_refused(const char *json)
{
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;

    if (parse(json, strlen(json), &manifest) != -1 || error.code != ERROR_MANIFEST_INVALID) {
        fail_msg("taken: %.200s", json);
    }
}

static void a_size_is_a_whole_number_that_everybody_reads_alike(void **state)
{
    static const char *const bad[] = {
        INDEX_OF(WITH_SIZE("1e999")),
        INDEX_OF(WITH_SIZE("-1e999")),
        INDEX_OF(WITH_SIZE("-1")),
        INDEX_OF(WITH_SIZE("1.5")),
        INDEX_OF(WITH_SIZE("1e-1")),
        INDEX_OF(WITH_SIZE("9223372036854775808")),
        INDEX_OF(WITH_SIZE("18446744073709551616")),
        INDEX_OF(WITH_SIZE("9007199254740992")),
        INDEX_OF(WITH_SIZE("9007199254740993")),
        INDEX_OF(WITH_SIZE("01")),
        INDEX_OF(WITH_SIZE("+1")),
        INDEX_OF(WITH_SIZE("1.")),
        INDEX_OF(WITH_SIZE(".5")),
        INDEX_OF(WITH_SIZE("0x10")),
        INDEX_OF(WITH_SIZE("NaN")),
        INDEX_OF(WITH_SIZE("Infinity")),
        INDEX_OF(WITH_SIZE("\"1\"")),
        INDEX_OF(WITH_SIZE("[1]")),
        INDEX_OF(WITH_SIZE("true")),
        INDEX_OF(WITH_SIZE("null")),
        INDEX_OF(LAYER("")),
    };
    static const struct {
        const char *json;
        uint64_t size;
    } good[] = {
        {INDEX_OF(WITH_SIZE("0")), 0},
        {INDEX_OF(WITH_SIZE("-0")), 0},
        {INDEX_OF(WITH_SIZE("1e3")), 1000},
        {INDEX_OF(WITH_SIZE("9007199254740991")), 9007199254740991},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_refused(bad[i]);
    }
    for (size_t i = 0; i < COUNT(good); i++) {
        AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;

        assert_returns(0, parse(good[i].json, strlen(good[i].json), &manifest));
        assert_int_equal(manifest.references[0].size, good[i].size);
    }
}

static void a_text_is_utf_8_and_has_no_nul(void **state)
{
    static const char *const bad[] = {
        INDEX_WITH("\"x\":\"\\u0000\""),
        INDEX_WITH("\"x\\u0000\":1"),
        INDEX_WITH("\"x\":\"\\ud800\""),
        INDEX_WITH("\"x\":\"\\udc00\\ud800\""),
        INDEX_WITH("\"x\":\"\\ud800\\u0041\""),
        INDEX_WITH("\"x\":\"\\u12\""),
        INDEX_WITH("\"x\":\"\\x41\""),
        INDEX_WITH("\"x\":\"\xff\""),
        INDEX_WITH("\"x\":\"\xc0\xaf\""),
        INDEX_WITH("\"x\":\"\xed\xa0\x80\""),
        INDEX_WITH("\"x\":\"\xf4\x90\x80\x80\""),
        INDEX_WITH("\"x\":\"\xe2\x82\""),
        INDEX_WITH("\"\xff\":1"),
        INDEX_WITH("\"x\":\"\x7f\n\""),
        "\xef\xbb\xbf" INDEX_WITH("\"x\":1"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_refused(bad[i]);
    }
}

static void nothing_is_said_twice_or_as_something_else(void **state)
{
    static const char *const bad[] = {
        INDEX_WITH("\"manifests\":[]"),
        INDEX_WITH("\"Manifests\":[]"),
        INDEX_WITH("\"manife\xc5\xbfts\":[]"),
        INDEX_WITH("\"manife\\u017fts\":[]"),
        INDEX_WITH("\"\\u006danifests\":[]"),
        INDEX_WITH("\"mediaType\":\"a/b\",\"mediaType\":\"a/b\""),
        INDEX_WITH("\"mediaType\":7"),
        INDEX_WITH("\"mediaType\":[]"),
        INDEX_WITH("\"mediaType\":{}"),
        INDEX_WITH("\"mediaType\":true"),
        INDEX_WITH("\"artifactType\":{}"),
        INDEX_WITH("\"subject\":[]"),
        INDEX_WITH("\"subject\":[1]"),
        INDEX_WITH("\"subject\":[{\"\":1}]"),
        INDEX_OF("[1]"),
        INDEX_WITH("\"subject\":\"" DIGEST "\""),
        INDEX_WITH("\"subject\":{}"),
        INDEX_WITH("\"subject\":" WITH_SIZE("1") ",\"Subject\":" WITH_SIZE("2")),
        INDEX_WITH("\"annotations\":{\"a\":1}"),
        INDEX_WITH("\"annotations\":{\"a\":null}"),
        INDEX_OF("{\"digest\":\"" DIGEST "\",\"Digest\":\"" DIGEST "\",\"size\":1}"),
        INDEX_OF("{\"digest\":[\"" DIGEST "\"],\"size\":1}"),
        INDEX_OF("null"),
        INDEX_OF("[]"),
        "{\"schemaVersion\":2,\"manifests\":{\"0\":" WITH_SIZE("1") "}}",
        "{\"schemaVersion\":2e0,\"schemaVersion\":2,\"manifests\":[]}",
        "{\"schemaVersion\":\"2\",\"manifests\":[]}",
        "{\"schemaVersion\":3,\"manifests\":[]}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_refused(bad[i]);
    }
}

/* `data` is for readers who want to save a request; what a manifest names is named all the same. */
static void embedded_data_and_empty_descriptors_are_references_like_others(void **state)
{
    static const char json[] =
        "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_TYPE_OCI_MANIFEST
        "\",\"artifactType\":\"application/vnd.example.sbom\",\"config\":"
        "{\"mediaType\":\"application/vnd.oci.empty.v1+json\",\"size\":2,\"data\":\"e30=\","
        "\"digest\":\"" DIGEST
        "\"},\"layers\":[" WITH_SIZE("2") "],\"subject\":" WITH_SIZE("3") "}";
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct document document = {json, strlen(json), NULL};

    (void)state;
    assert_returns(0, manifest_parse(&manifest, &document, &error));
    assert_int_equal(manifest.reference_count, 2);
    assert_string_equal(manifest.artifact_type, "application/vnd.example.sbom");
    assert_true(manifest.has_subject);
    assert_string_equal(manifest.subject.text, DIGEST);
}

/* Nobody can make one whose digest stands in it; who claims to has made a reference like others. */
static void a_circle_is_not_followed(void **state)
{
    static const char json[] =
        "{\"schemaVersion\":2,\"manifests\":[" WITH_SIZE("1") "],\"subject\":" WITH_SIZE("1") "}";
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;

    (void)state;
    assert_returns(0, parse(json, strlen(json), &manifest));
    assert_int_equal(manifest.reference_count, 1);
    assert_true(digest_equal(&manifest.subject, &manifest.references[0].digest));
}

/* `unit` again and again behind `head`, up to four megabytes, and `tail`. */
static int parse_long(const char *head, const char *unit, const char *tail)
{
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    AUTO_BUFFER struct buffer json = BUFFER_INIT;

    buffer_add_text(&json, head);
    while (json.length + strlen(unit) + strlen(tail) <= LONG) {
        buffer_add_text(&json, unit);
    }
    buffer_add_text(&json, tail);
    return parse(json.data, json.length, &manifest);
}

/* It ends, within the test's alarm and its stack. */
static void four_megabytes_of_anything_come_to_an_end(void **state)
{
    static const struct {
        const char *head;
        const char *unit;
        const char *tail;
    } rows[] = {
        {"", "[", ""},
        {"", "{\"a\":", ""},
        {"", "[]", ""},
        {"{\"schemaVersion\":2,\"manifests\":", "[", ""},
        {"{\"schemaVersion\":2,\"manifests\":[], \"x\":[", "0,", "0]}"},
        {"{\"schemaVersion\":2,\"manifests\":[", "[],", "[]]}"},
        {"{\"schemaVersion\":2,\"manifests\":[", "{},", "{}]}"},
        {"{\"schemaVersion\":2,\"manifests\":[]", ",\"a\":1", "}"},
        {"{\"schemaVersion\":2", ",\"manifests\":[]", "}"},
        {"{\"schemaVersion\":2,\"manifests\":[]", ",\"Manifests\":[]", "}"},
        {"{\"schemaVersion\":2,\"manifests\":[],\"x\":", "9", "}x"},
        {"{\"schemaVersion\":2,\"manifests\":[],\"x\":\"", "\\", "\"}"},
        {"{\"schemaVersion\":2,\"manifests\":[],\"x\":\"", "\\ud83d", "\"}"},
        {"", " ", ""},
        {"", "\"", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (parse_long(rows[i].head, rows[i].unit, rows[i].tail) != -1) {
            fail_msg("taken: %s%s…", rows[i].head, rows[i].unit);
        }
    }
}

static void more_than_is_worth_looking_for_is_counted(void **state)
{
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    AUTO_BUFFER struct buffer json = BUFFER_INIT;

    (void)state;
    buffer_add_text(&json, "{\"schemaVersion\":2,\"manifests\":[");
    for (int i = 0; i < 1001; i++) {
        buffer_format(&json, "%s%s", i > 0 ? "," : "", WITH_SIZE("1"));
    }
    buffer_add_text(&json, "]}");
    assert_returns(0, parse(json.data, json.length, &manifest));
    assert_returns(0, manifest_check_count(&manifest, 1001, &error));
    assert_fails(ERROR_MANIFEST_TOO_LARGE, manifest_check_count(&manifest, 1000, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_size_is_a_whole_number_that_everybody_reads_alike),
        cmocka_unit_test(a_text_is_utf_8_and_has_no_nul),
        cmocka_unit_test(nothing_is_said_twice_or_as_something_else),
        cmocka_unit_test(embedded_data_and_empty_descriptors_are_references_like_others),
        cmocka_unit_test(a_circle_is_not_followed),
        cmocka_unit_test(four_megabytes_of_anything_come_to_an_end),
        cmocka_unit_test(more_than_is_worth_looking_for_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
