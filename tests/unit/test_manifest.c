/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "lib/oci/manifest.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define A                                                                                          \
    "sha256:a"                                                                                     \
    "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define B                                                                                          \
    "sha256:b"                                                                                     \
    "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define C "sha512:" HEX HEX
#define ARTIFACT "application/vnd.oci.artifact.manifest.v1+json"

/* JSON in single quotes, which is easier to read here. */
static void to_json(const char *quoted, struct buffer *out)
{
    for (; *quoted; quoted++) {
        buffer_add(out, *quoted == '\'' ? "\"" : quoted, 1);
    }
}

static int parse(const char *quoted, const char *content_type, struct manifest *out,
                 struct error *error)
{
    AUTO_BUFFER struct buffer json = BUFFER_INIT;
    struct document document = {NULL, 0, content_type};
    char *exact;
    int result;

    /* Without a NUL behind it: the sanitizers see a look behind the end. */
    to_json(quoted, &json);
    exact = malloc(json.length + 1);
    assert_non_null(exact);
    memcpy(exact, json.data, json.length);
    exact[json.length] = '}';
    document.bytes = exact;
    document.length = json.length;
    result = manifest_parse(out, &document, error);
    free(exact);
    return result;
}

static void check_reference(const struct reference *reference, enum reference_kind kind,
                            const char *digest, uint64_t size)
{
    assert_int_equal(reference->kind, kind);
    assert_string_equal(reference->digest.text, digest);
    assert_int_equal(reference->size, size);
    assert_false(reference->elsewhere);
}

static void an_image_refers_to_its_layers_and_its_config(void **state)
{
    static const char *const types[] = {MEDIA_TYPE_OCI_MANIFEST, MEDIA_TYPE_DOCKER_MANIFEST};

    (void)state;
    for (size_t i = 0; i < COUNT(types); i++) {
        AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
        struct error error = ERROR_INIT;

        assert_returns(0, parse("{'schemaVersion':2,'config':{'mediaType':'a/config','digest':'" A
                                "','size':2},'layers':[{'mediaType':'application/b','digest':'" B
                                "','size':9007199254740991},{'digest':'" C
                                "','size':0}],'blobs':null}",
                                types[i], &manifest, &error));
        assert_string_equal(manifest.media_type, types[i]);
        assert_int_equal(manifest.reference_count, 3);
        check_reference(&manifest.references[0], REFERENCE_BLOB, B, 9007199254740991);
        check_reference(&manifest.references[1], REFERENCE_BLOB, C, 0);
        check_reference(&manifest.references[2], REFERENCE_BLOB, A, 2);
        assert_false(manifest.has_subject);
        assert_string_equal(manifest.artifact_type, "a/config");
        assert_null(manifest.annotations);
    }
}

static void an_index_refers_to_manifests(void **state)
{
    static const char *const types[] = {MEDIA_TYPE_OCI_INDEX, MEDIA_TYPE_DOCKER_LIST};

    (void)state;
    for (size_t i = 0; i < COUNT(types); i++) {
        AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
        struct error error = ERROR_INIT;

        assert_returns(0,
                       parse("{'schemaVersion':2,'manifests':[{'digest':'" A
                             "','size':7,'platform':{'os':'linux'}},{'digest':'" B "','size':8}]}",
                             types[i], &manifest, &error));
        assert_int_equal(manifest.reference_count, 2);
        check_reference(&manifest.references[0], REFERENCE_MANIFEST, A, 7);
        check_reference(&manifest.references[1], REFERENCE_MANIFEST, B, 8);
        assert_null(manifest.artifact_type);
    }
}

static void an_artifact_refers_to_its_blobs(void **state)
{
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct error error = ERROR_INIT;

    (void)state;
    assert_returns(0, parse("{'mediaType':'" ARTIFACT "','artifactType':'a/sbom','blobs':[{"
                            "'digest':'" A "','size':7}],'subject':{'digest':'" B
                            "','size':3},'annotations':{'k':'v','e':'\\u00e4\\\\'}}",
                            NULL, &manifest, &error));
    assert_string_equal(manifest.media_type, ARTIFACT);
    assert_int_equal(manifest.reference_count, 1);
    check_reference(&manifest.references[0], REFERENCE_BLOB, A, 7);
    assert_true(manifest.has_subject);
    assert_string_equal(manifest.subject.text, B);
    assert_string_equal(manifest.artifact_type, "a/sbom");
    assert_string_equal(manifest.annotations, "{\"k\":\"v\",\"e\":\"\xc3\xa4\\\\\"}");
}

static void what_has_urls_need_not_be_here(void **state)
{
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct error error = ERROR_INIT;

    (void)state;
    assert_returns(0, parse("{'schemaVersion':2,'config':{'digest':'" A "','size':2},'layers':[{"
                            "'digest':'" A "','size':1,'urls':['https://x/']},{'digest':'" B
                            "','size':1,'urls':[]},{'digest':'" B "','size':1,'urls':null}]}",
                            MEDIA_TYPE_OCI_MANIFEST, &manifest, &error));
    assert_true(manifest.references[0].elsewhere);
    assert_false(manifest.references[1].elsewhere);
    assert_false(manifest.references[2].elsewhere);
    assert_false(manifest.references[3].elsewhere);
}

/* The rest of an image and of an index, to be completed in front. */
#define IMAGE "'schemaVersion':2,'config':{'digest':'" A "','size':2}}"
#define INDEX "'schemaVersion':2,'manifests':[]}"

static void the_type_comes_from_header_or_document(void **state)
{
    static const struct {
        const char *json;
        const char *content_type;
        const char *type; /* NULL: refused */
    } rows[] = {
        {"{" IMAGE, MEDIA_TYPE_OCI_MANIFEST, MEDIA_TYPE_OCI_MANIFEST},
        {"{" IMAGE, MEDIA_TYPE_OCI_MANIFEST "; charset=utf-8", MEDIA_TYPE_OCI_MANIFEST},
        {"{" IMAGE, MEDIA_TYPE_OCI_MANIFEST ";x", MEDIA_TYPE_OCI_MANIFEST},
        {"{'mediaType':'" MEDIA_TYPE_OCI_MANIFEST "'," IMAGE, NULL, MEDIA_TYPE_OCI_MANIFEST},
        {"{'mediaType':'" MEDIA_TYPE_OCI_MANIFEST "'," IMAGE, "", MEDIA_TYPE_OCI_MANIFEST},
        {"{'mediaType':'" MEDIA_TYPE_OCI_MANIFEST "'," IMAGE, "application/octet-stream",
         MEDIA_TYPE_OCI_MANIFEST},
        {"{'mediaType':'" MEDIA_TYPE_DOCKER_MANIFEST "'," IMAGE, "Application/JSON",
         MEDIA_TYPE_DOCKER_MANIFEST},
        {"{'mediaType':'" MEDIA_TYPE_OCI_MANIFEST "'," IMAGE, MEDIA_TYPE_OCI_MANIFEST,
         MEDIA_TYPE_OCI_MANIFEST},
        {"{'mediaType':'" MEDIA_TYPE_OCI_MANIFEST "'," IMAGE, MEDIA_TYPE_DOCKER_MANIFEST, NULL},
        {"{'mediaType':'" MEDIA_TYPE_OCI_INDEX "'," INDEX, MEDIA_TYPE_OCI_MANIFEST, NULL},
        {"{" INDEX, NULL, MEDIA_TYPE_OCI_INDEX},
        {"{'layers':[]," IMAGE, NULL, MEDIA_TYPE_OCI_MANIFEST},
        {"{'a':1}", "application/vnd.example+json", "application/vnd.example+json"},
        {"{'a':1}", "application/x;y", "application/x"},
        {"{'a':1}", "text/x", NULL},
        {"{'a':1}", "text/plain", NULL},
        {"{'mediaType':'text/html'}", NULL, NULL},
        {"{'mediaType':'text/html'}", "text/html", NULL},
        {"{'mediaType':'image/svg+xml'}", "application/json", NULL},
        {"{'a':1}", "text", NULL},
        {"{'a':1}", "application/b/c", NULL},
        {"{'a':1}", NULL, NULL},
        {"{'mediaType':'application/b\\r\\nX: y'}", NULL, NULL},
        {"{'mediaType':'nonsense'}", NULL, NULL},
        {"{'mediaType':''," INDEX, NULL, MEDIA_TYPE_OCI_INDEX},
        {"{'mediaType':5," INDEX, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
        struct error error = ERROR_INIT;
        int result = parse(rows[i].json, rows[i].content_type, &manifest, &error);

        if (result != (rows[i].type ? 0 : -1) ||
            strcmp(manifest.media_type, rows[i].type ? rows[i].type : "") != 0) {
            fail_msg("%s as %s is %d, '%s'", rows[i].json,
                     rows[i].content_type ? rows[i].content_type : "(nothing)", result,
                     manifest.media_type);
        }
    }
}

static const struct {
    const char *json;
    const char *content_type;
} broken[] = {
    {"", MEDIA_TYPE_OCI_MANIFEST},
    {"[]", MEDIA_TYPE_OCI_MANIFEST},
    {"null", MEDIA_TYPE_OCI_MANIFEST},
    {"'{}'", MEDIA_TYPE_OCI_MANIFEST},
    {"{", MEDIA_TYPE_OCI_MANIFEST},
    {"{" IMAGE "}", MEDIA_TYPE_OCI_MANIFEST},
    {"{" IMAGE " x", MEDIA_TYPE_OCI_MANIFEST},
    {"{}", MEDIA_TYPE_OCI_MANIFEST},
    {"{}", MEDIA_TYPE_OCI_INDEX},
    {"{'schemaVersion':2}", MEDIA_TYPE_OCI_MANIFEST},
    {"{'schemaVersion':3,'config':{'digest':'" A "','size':2}}", MEDIA_TYPE_OCI_MANIFEST},
    {"{'schemaVersion':'2','config':{'digest':'" A "','size':2}}", MEDIA_TYPE_OCI_MANIFEST},
    {"{'config':{'digest':'" A "','size':2}}", MEDIA_TYPE_OCI_MANIFEST},
    {"{'schemaVersion':1}", "application/b"},
    {"{'schemaVersion':1,'fsLayers':[]}", "application/b"},
    {"{'fsLayers':[],'schemaVersion':2}", "application/b"},
    {"{'schemaVersion':2,'config':null}", MEDIA_TYPE_OCI_MANIFEST},
    {"{'schemaVersion':2,'config':'" A "'}", MEDIA_TYPE_OCI_MANIFEST},
    {"{'manifests':[]," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'layers':[]," INDEX, MEDIA_TYPE_OCI_INDEX},
    {"{'config':{}," INDEX, MEDIA_TYPE_OCI_INDEX},
    {"{'layers':{}," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'layers':'x'," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'layers':[null]," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'layers':[{}]," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'layers':['" A "']," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'layers':[{'digest':5,'size':1}]," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'layers':[{'digest':'sha256:x','size':1}]," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'layers':[{'digest':'md5:" HEX "','size':1}]," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'layers':[{'digest':'" A "'}]," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'layers':[{'digest':'" A "','size':'1'}]," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'layers':[{'digest':'" A "','size':-1}]," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'layers':[{'digest':'" A "','size':1.5}]," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'layers':[{'digest':'" A "','size':1e300}]," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'layers':[{'digest':'" A "','size':1e999}]," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'layers':[{'digest':'" A "','size':9007199254740994}]," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'layers':[{'digest':'" A "','size':1,'mediaType':5}]," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'subject':'" A "'," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'subject':{}," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'subject':{'digest':'" A "'}," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'subject':{'digest':'x','size':1}," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'annotations':[]," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'annotations':{'a':1}," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'artifactType':5," IMAGE, MEDIA_TYPE_OCI_MANIFEST},
    {"{'blobs':5}", ARTIFACT},
    {"{'manifests':[{'digest':'" A "'}]}", "application/b"},
    {"{'a':'\\u0000'}", "application/b"},
};

static void refuses_what_is_no_manifest(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(broken); i++) {
        struct manifest manifest = {.reference_count = 4711};
        struct error error = ERROR_INIT;
        int result = parse(broken[i].json, broken[i].content_type, &manifest, &error);

        if (result != -1 || error.code != ERROR_MANIFEST_INVALID || !*error.message) {
            fail_msg("%s as %s is %d", broken[i].json, broken[i].content_type, result);
        }
        assert_int_equal(manifest.reference_count, 4711);
    }
}

/* A reader that takes the first and one that takes the last would see different manifests. */
static void a_member_that_appears_twice_is_refused(void **state)
{
    static const char *const names[] = {"schemaVersion", "mediaType",   "config",
                                        "layers",        "manifests",   "blobs",
                                        "subject",       "annotations", "artifactType"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        AUTO_BUFFER struct buffer json = BUFFER_INIT;
        AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
        struct error error = ERROR_INIT;

        buffer_format(&json, "{'%s':null,'other':1,'%s':null}", names[i], names[i]);
        assert_fails(ERROR_MANIFEST_INVALID, parse(json.data, "application/b", &manifest, &error));
        assert_non_null(strstr(error.message, "twice"));
    }
}

static void escapes_do_not_hide_a_member_that_appears_twice(void **state)
{
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct error error = ERROR_INIT;

    (void)state;
    assert_fails(ERROR_MANIFEST_INVALID, parse("{'layers':[],'l\\u0061yers':[]," IMAGE,
                                               MEDIA_TYPE_OCI_MANIFEST, &manifest, &error));
    assert_non_null(strstr(error.message, "twice"));
}

static void nor_may_a_member_of_a_descriptor(void **state)
{
    static const char *const descriptors[] = {
        "'digest':'" A "','size':2,'digest':'" B "'",
        "'digest':'" A "','size':2,'size':3",
        "'digest':'" A "','size':2,'mediaType':'application/b','mediaType':'application/b'",
        "'digest':'" A "','size':2,'urls':[],'urls':['x']",
    };
    static const char *const places[] = {
        "{'schemaVersion':2,'config':{%s}}",
        "{'layers':[{%s}]," IMAGE,
        "{'subject':{%s}," IMAGE,
    };

    (void)state;
    for (size_t i = 0; i < COUNT(descriptors) * COUNT(places); i++) {
        AUTO_BUFFER struct buffer json = BUFFER_INIT;
        AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
        struct error error = ERROR_INIT;
        const char *place = places[i / COUNT(descriptors)];
        size_t before = (size_t)(strchr(place, '%') - place);

        buffer_add(&json, place, before);
        buffer_add_text(&json, descriptors[i % COUNT(descriptors)]);
        buffer_add_text(&json, place + before + 2);
        assert_fails(ERROR_MANIFEST_INVALID,
                     parse(json.data, MEDIA_TYPE_OCI_MANIFEST, &manifest, &error));
        assert_non_null(strstr(error.message, "twice"));
    }
}

/* Readers in Go would follow them, in whatever case, where we see nothing. */
static void names_that_differ_in_case_only_are_refused(void **state)
{
    static const char *const manifests[] = {
        "{'Layers':[{'digest':'" A "','size':2}]," IMAGE,
        "{'layers':[],'LAYERS':[]," IMAGE,
        "{'layer\xc5\xbf':[]," IMAGE,
        "{'mediatype':'application/b'," IMAGE,
        "{'SchemaVersion':2," IMAGE,
        "{'\xc5\xbfubject':{}," IMAGE,
        "{'Annotations':{}," IMAGE,
        "{'ArtifactType':'a/b'," IMAGE,
        "{'Manifests':[]," IMAGE,
        "{'Config':{}," IMAGE,
        "{'fslayers':[]," IMAGE,
        "{'layers':[{'digest':'" A "','size':2,'Size':3}]," IMAGE,
        "{'layers':[{'digest':'" A "','Digest':'" B "','size':2}]," IMAGE,
        "{'layers':[{'digest':'" A "','size':2,'URLs':['x']}]," IMAGE,
        "{'layers':[{'digest':'" A "','\u017fize':2,'size':2}]," IMAGE,
        "{'subject':{'digest':'" A "','size':2,'MediaType':'a/b'}," IMAGE,
        "{'layers':[{'digest':'" A "','size':2,'platform':{'OS':'linux'}}]," IMAGE,
    };

    (void)state;
    for (size_t i = 0; i < COUNT(manifests); i++) {
        AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
        struct error error = ERROR_INIT;

        assert_fails(ERROR_MANIFEST_INVALID,
                     parse(manifests[i], MEDIA_TYPE_OCI_MANIFEST, &manifest, &error));
        if (!strstr(error.message, "there is a '")) {
            fail_msg("%s: %s", manifests[i], error.message);
        }
    }
}

static void other_names_may_be_in_any_case(void **state)
{
    static const char *const manifests[] = {
        "{'annotations':{'Layers':'x','SIZE':'y'}," IMAGE,
        "{'Layer':1,'layerss':2,'layer\xc5\xbfs':3,'\xe2\x84\xaa':4," IMAGE,
        "{'layers':[{'digest':'" A "','size':2,'Data':'x','annotations':{'Digest':'y'}}]," IMAGE,
    };

    (void)state;
    for (size_t i = 0; i < COUNT(manifests); i++) {
        AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
        struct error error = ERROR_INIT;

        assert_returns(0, parse(manifests[i], MEDIA_TYPE_OCI_MANIFEST, &manifest, &error));
    }
}

static void deep_nesting_is_refused(void **state)
{
    AUTO_BUFFER struct buffer json = BUFFER_INIT;
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct error error = ERROR_INIT;

    (void)state;
    buffer_add_text(&json, "{'a':");
    for (int i = 0; i < 100000; i++) {
        buffer_add_text(&json, "[");
    }
    assert_fails(ERROR_MANIFEST_INVALID, parse(json.data, "application/b", &manifest, &error));
}

static void documents_tell_their_type_or_imply_it(void **state)
{
    static const struct {
        const char *json;
        enum type_source source;
        const char *type;
    } rows[] = {
        {"{'mediaType':'application/b'}", TYPE_STATED, "application/b"},
        {"{'mediaType':'application/b','manifests':[]}", TYPE_STATED, "application/b"},
        {"{'manifests':[]}", TYPE_IMPLIED, MEDIA_TYPE_OCI_INDEX},
        {"{'config':{},'layers':[]}", TYPE_IMPLIED, MEDIA_TYPE_OCI_MANIFEST},
        {"{'config':{}}", TYPE_UNKNOWN, "untouched"},
        {"{'mediaType':'x'}", TYPE_UNKNOWN, "untouched"},
        {"{'mediaType':'text/html'}", TYPE_UNKNOWN, "untouched"},
        {"{'mediaType':'application/b\\n'}", TYPE_UNKNOWN, "untouched"},
        {"{}", TYPE_UNKNOWN, "untouched"},
        {"[]", TYPE_UNKNOWN, "untouched"},
        {"", TYPE_UNKNOWN, "untouched"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUFFER struct buffer json = BUFFER_INIT;
        char type[MEDIA_TYPE_SIZE] = "untouched";
        struct document document;
        enum type_source source;

        to_json(rows[i].json, &json);
        document = (struct document){json.data, json.length, NULL};
        source = manifest_media_type(&document, type);
        if (source != rows[i].source || strcmp(type, rows[i].type) != 0) {
            fail_msg("%s is %d, '%s'", rows[i].json, (int)source, type);
        }
    }
}

static void is_described_as_an_index_lists_it(void **state)
{
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    AUTO_MANIFEST struct manifest plain = MANIFEST_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct reference self = {.kind = REFERENCE_MANIFEST, .size = 4711};
    struct error error = ERROR_INIT;

    (void)state;
    assert_returns(0, digest_parse(&self.digest, A, &error));
    assert_returns(
        0, parse("{'artifactType':'a/sbom','annotations':{'k':'v'},'mediaType':'" ARTIFACT "'}",
                 NULL, &manifest, &error));
    manifest_describe(&manifest, &self, &out);
    assert_string_equal(out.data, "{\"mediaType\":\"" ARTIFACT "\",\"digest\":\"" A
                                  "\",\"size\":4711,\"artifactType\":\"a/sbom\",\"annotations\":"
                                  "{\"k\":\"v\"}}");
    buffer_clear(&out);
    assert_returns(0, parse("{" INDEX, NULL, &plain, &error));
    manifest_describe(&plain, &self, &out);
    assert_string_equal(out.data, "{\"mediaType\":\"" MEDIA_TYPE_OCI_INDEX "\",\"digest\":\"" A
                                  "\",\"size\":4711}");
}

static void tells_what_cannot_name_a_digest(void **state)
{
    struct digest digest = sha256("wanted");
    AUTO_BUFFER struct buffer named = BUFFER_INIT;
    struct document document;
    static const struct {
        const char *json;
        bool may;
    } rows[] = {
        {"{\"layers\":[{\"digest\":\"sha256:0123\"}]}", false},
        {"{\"manifests\":[]}", true}, /* which may */
        {"{\"layers\":[{\"digest\":\"\\u0073ha256:0123\"}]}", true},
        {"", false},
    };

    (void)state;
    buffer_format(&named, "{\"layers\":[{\"digest\":\"%s\"}]}", digest.text);
    document = (struct document){named.data, named.length, NULL};
    assert_true(manifest_may_name(&document, &digest));
    for (size_t i = 0; i < COUNT(rows); i++) {
        document = (struct document){rows[i].json, strlen(rows[i].json), NULL};
        assert_int_equal(manifest_may_name(&document, &digest), rows[i].may);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_refers_to_its_layers_and_its_config),
        cmocka_unit_test(an_index_refers_to_manifests),
        cmocka_unit_test(an_artifact_refers_to_its_blobs),
        cmocka_unit_test(what_has_urls_need_not_be_here),
        cmocka_unit_test(the_type_comes_from_header_or_document),
        cmocka_unit_test(refuses_what_is_no_manifest),
        cmocka_unit_test(a_member_that_appears_twice_is_refused),
        cmocka_unit_test(escapes_do_not_hide_a_member_that_appears_twice),
        cmocka_unit_test(nor_may_a_member_of_a_descriptor),
        cmocka_unit_test(names_that_differ_in_case_only_are_refused),
        cmocka_unit_test(other_names_may_be_in_any_case),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(documents_tell_their_type_or_imply_it),
        cmocka_unit_test(is_described_as_an_index_lists_it),
        cmocka_unit_test(tells_what_cannot_name_a_digest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
