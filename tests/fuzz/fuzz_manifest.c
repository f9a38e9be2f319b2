/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/oci/manifest.h"

enum { MANIFEST_LIMIT = 64 * 1024 };

static const char *member_of(const struct document *document, const char *name, struct buffer *out)
{
    buffer_clear(out);
    return document_text_member(document, name, out) ? out->data : "";
}

/* What a referrers list says of it is JSON for everybody. */
static void check_description(const struct manifest *manifest)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct reference self = {.kind = REFERENCE_MANIFEST, .size = 4711};
    struct document document;
    uint64_t size = 0;

    digest_of(DIGEST_SHA256, "", 0, &self.digest);
    manifest_describe(manifest, &self, &out);
    document = (struct document){out.data, out.length, NULL};
    CHECK(document_is_strict(&document));
    CHECK(strcmp(member_of(&document, "mediaType", &text), manifest->media_type) == 0);
    CHECK(strcmp(member_of(&document, "digest", &text), self.digest.text) == 0);
    CHECK(strcmp(member_of(&document, "artifactType", &text),
                 manifest->artifact_type ? manifest->artifact_type : "") == 0);
    CHECK(document_number_member(&document, "size", &size) && size == 4711);
}

static void check_manifest(const struct manifest *manifest, const struct document *document)
{
    enum type_source told;
    char type[MEDIA_TYPE_SIZE] = "untouched";
    struct digest digest;
    struct error error = ERROR_INIT;

    CHECK(document_is_strict(document));
    CHECK(manifest_type_is_valid(manifest->media_type));
    for (size_t i = 0; i < manifest->reference_count; i++) {
        const struct reference *reference = &manifest->references[i];

        CHECK(reference->kind == REFERENCE_BLOB || reference->kind == REFERENCE_MANIFEST);
        CHECK(digest_parse(&digest, reference->digest.text, &error) == 0);
        CHECK(reference->size <= 9007199254740991);
    }
    if (manifest->has_subject) {
        CHECK(digest_parse(&digest, manifest->subject.text, &error) == 0);
    }
    told = manifest_media_type(document, type);
    if (told == TYPE_STATED || manifest->type_source != TYPE_UNKNOWN) {
        CHECK(told == manifest->type_source && strcmp(type, manifest->media_type) == 0);
    }
    check_description(manifest);
}

/* White space behind the end is none of a manifest's business. */
static void check_blank(const struct document *document, bool good)
{
    AUTO_BUFFER struct buffer longer = BUFFER_INIT;
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct error error = ERROR_INIT;
    struct document copy = *document;

    buffer_add(&longer, document->bytes, document->length);
    buffer_add_text(&longer, " \r\n\t");
    copy.bytes = longer.data;
    copy.length = longer.length;
    CHECK((manifest_parse(&manifest, &copy, &error) == 0) == good);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t header = end ? (size_t)(end - data) : 0;
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct document document = {NULL, 0, NULL};
    struct error error = ERROR_INIT;
    char *content_type;
    char *bytes;
    bool good;

    if (size > MANIFEST_LIMIT || !end) {
        return 0;
    }
    /* The first line is the Content-Type. */
    content_type = copy_text(data, header);
    document.length = size - header - 1;
    bytes = malloc(document.length ? document.length : 1);
    CHECK(bytes != NULL);
    memcpy(bytes, end + 1, document.length);
    document.bytes = bytes;
    document.content_type = *content_type ? content_type : NULL;
    good = manifest_parse(&manifest, &document, &error) == 0;
    if (good) {
        check_manifest(&manifest, &document);
    } else {
        CHECK(error.code == ERROR_MANIFEST_INVALID && manifest.references == NULL);
    }
    check_blank(&document, good);
    free(bytes);
    free(content_type);
    return 0;
}
