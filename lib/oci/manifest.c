/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/oci/manifest.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/json.h"
#include "lib/base/memory.h"

/* Up to here a double tells each size from the next: 2^53 may have been written as 2^53 + 1. */
static const double SIZE_LIMIT = 9007199254740991.0;

enum shape {
    SHAPE_IMAGE,
    SHAPE_INDEX,
    SHAPE_OTHER,
};

static enum shape shape_of(const char *media_type)
{
    if (strcmp(media_type, MEDIA_TYPE_OCI_MANIFEST) == 0 ||
        strcmp(media_type, MEDIA_TYPE_DOCKER_MANIFEST) == 0) {
        return SHAPE_IMAGE;
    }
    if (strcmp(media_type, MEDIA_TYPE_OCI_INDEX) == 0 ||
        strcmp(media_type, MEDIA_TYPE_DOCKER_LIST) == 0) {
        return SHAPE_INDEX;
    }
    return SHAPE_OTHER;
}

static const cJSON *json_member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *json_text_member(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(json_member(object, name));

    return text && *text ? text : NULL;
}

static bool json_is_schema_1(const cJSON *root)
{
    const cJSON *version = json_member(root, "schemaVersion");

    return json_member(root, "fsLayers") || (cJSON_IsNumber(version) && version->valuedouble == 1);
}

/* The type that the structure implies, or NULL. */
static const char *json_implied_type(const cJSON *root)
{
    if (cJSON_IsArray(json_member(root, "manifests"))) {
        return MEDIA_TYPE_OCI_INDEX;
    }
    if (cJSON_IsObject(json_member(root, "config")) && json_member(root, "layers")) {
        return MEDIA_TYPE_OCI_MANIFEST;
    }
    return NULL;
}

/* Content types that say nothing about a manifest. */
bool media_type_is_generic(const char *type)
{
    static const char *const generic[] = {
        "application/json",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "text/plain",
        "text/json",
    };

    for (size_t i = 0; i < sizeof(generic) / sizeof(*generic); i++) {
        if (strcasecmp(type, generic[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The header without its parameters; empty if there is none. */
static void media_type_read(const char *content_type, char out_type[MEDIA_TYPE_SIZE])
{
    size_t length = content_type ? strcspn(content_type, "; \t") : 0;

    out_type[0] = '\0';
    if (length > 0 && length < MEDIA_TYPE_SIZE) {
        (void)snprintf(out_type, MEDIA_TYPE_SIZE, "%.*s", (int)length, content_type);
    }
}

/* Fills in media_type and type_source. */
static int manifest_decide_type(struct manifest *manifest, const cJSON *root,
                                const char *content_type, struct error *error)
{
    const char *own = json_text_member(root, "mediaType");
    const char *implied = json_implied_type(root);
    char header[MEDIA_TYPE_SIZE];
    bool is_generic;
    const char *type;

    media_type_read(content_type, header);
    is_generic = media_type_is_generic(header);
    if (*header && !is_generic && own && strcmp(header, own) != 0) {
        return error_set(error, ERROR_MANIFEST_INVALID,
                         "the Content-Type differs from the mediaType in the manifest");
    }
    type = own ? own : *header && !is_generic ? header : implied ? implied : header;
    if (!*type) {
        return error_set(error, ERROR_MANIFEST_INVALID,
                         "neither Content-Type nor mediaType tell what this manifest is");
    }
    if (!manifest_type_is_valid(type)) {
        return error_set(error, ERROR_MANIFEST_INVALID,
                         "a manifest's media type is application/ and a name");
    }
    (void)snprintf(manifest->media_type, MEDIA_TYPE_SIZE, "%s", type);
    manifest->type_source = own                                     ? TYPE_STATED
                            : implied && strcmp(implied, type) == 0 ? TYPE_IMPLIED
                                                                    : TYPE_UNKNOWN;
    return 0;
}

/*
 * A name as Go's encoding/json compares it: without regard to case, for which U+017F is an s and
 * U+212A a k. Advances the cursor; 0 at the end.
 */
static int key_next(const char **cursor)
{
    const char *text = *cursor;

    if (strncmp(text, "\xc5\xbf", 2) == 0) {
        *cursor = text + 2;
        return 's';
    }
    if (strncmp(text, "\xe2\x84\xaa", 3) == 0) {
        *cursor = text + 3;
        return 'k';
    }
    *cursor = text + (*text != '\0');
    return *text >= 'A' && *text <= 'Z' ? *text - 'A' + 'a' : (unsigned char)*text;
}

static bool key_is_alike(const char *left, const char *right)
{
    for (;;) {
        int one = key_next(&left);
        int other = key_next(&right);

        if (one != other || one == 0) {
            return one == other;
        }
    }
}

/*
 * Others must not read another manifest than we do under the same digest: of two members with one
 * name some readers take the first and some the last, and readers in Go take "Layers" for "layers".
 */
static int member_check(const cJSON *object, const char *name, struct error *error)
{
    const cJSON *item;
    int seen = 0;

    if (!cJSON_IsObject(object)) {
        return 0; /* what is in a list has no name */
    }
    cJSON_ArrayForEach(item, object)
    {
        if (strcmp(item->string, name) == 0) {
            seen++;
        } else if (key_is_alike(item->string, name)) {
            return error_set(error, ERROR_MANIFEST_INVALID, "there is a '%.40s' for '%s'",
                             item->string, name);
        }
    }
    return seen > 1 ? error_set(error, ERROR_MANIFEST_INVALID, "'%s' appears twice", name) : 0;
}

static int members_check_names(const cJSON *object, const char *const *names, struct error *error)
{
    for (; *names; names++) {
        if (member_check(object, *names, error) < 0) {
            return -1;
        }
    }
    return 0;
}

static int manifest_check_names(const cJSON *root, struct error *error)
{
    static const char *const names[] = {"schemaVersion", "mediaType", "config",  "layers",
                                        "manifests",     "blobs",     "subject", "artifactType",
                                        "annotations",   "fsLayers",  NULL};

    return members_check_names(root, names, error);
}

/* Also of what an index says its children are for: see lib/oci/index. */
static int descriptor_check_names(const cJSON *descriptor, struct error *error)
{
    static const char *const names[] = {"mediaType", "digest", "size", "urls", "platform", NULL};
    static const char *const of_platform[] = {"os", "architecture", "variant", NULL};

    if (members_check_names(descriptor, names, error) < 0) {
        return -1;
    }
    return members_check_names(json_member(descriptor, "platform"), of_platform, error);
}

static int reference_parse(struct reference *out, const cJSON *descriptor, struct error *error)
{
    const char *digest = cJSON_GetStringValue(json_member(descriptor, "digest"));
    const cJSON *size = json_member(descriptor, "size");
    const cJSON *media_type = json_member(descriptor, "mediaType");
    struct error reason;

    if (descriptor_check_names(descriptor, error) < 0) {
        return -1;
    }
    if (!cJSON_IsObject(descriptor) || !digest) {
        return error_set(error, ERROR_MANIFEST_INVALID, "a descriptor has no digest");
    }
    if (digest_parse(&out->digest, digest, &reason) < 0) {
        return error_set(error, ERROR_MANIFEST_INVALID, "a descriptor's digest: %s",
                         reason.message);
    }
    if (!cJSON_IsNumber(size) || !(size->valuedouble >= 0 && size->valuedouble <= SIZE_LIMIT) ||
        size->valuedouble != (double)(uint64_t)size->valuedouble) {
        return error_set(error, ERROR_MANIFEST_INVALID,
                         "the size in the descriptor of %s is not a number of bytes",
                         out->digest.text);
    }
    if (media_type && !cJSON_IsString(media_type)) {
        return error_set(error, ERROR_MANIFEST_INVALID,
                         "the mediaType in the descriptor of %s is not a text", out->digest.text);
    }
    out->size = (uint64_t)size->valuedouble;
    out->elsewhere = cJSON_GetArraySize(json_member(descriptor, "urls")) > 0;
    return 0;
}

static int manifest_add_reference(struct manifest *manifest, const cJSON *descriptor,
                                  enum reference_kind kind, struct error *error)
{
    struct reference *reference = &manifest->references[manifest->reference_count];

    if (reference_parse(reference, descriptor, error) < 0) {
        return -1;
    }
    reference->kind = kind;
    manifest->reference_count++;
    return 0;
}

static int manifest_add_references(struct manifest *manifest, const cJSON *list,
                                   enum reference_kind kind, struct error *error)
{
    const cJSON *descriptor;

    if (!list || cJSON_IsNull(list)) {
        return 0;
    }
    if (!cJSON_IsArray(list)) {
        return error_set(error, ERROR_MANIFEST_INVALID, "'%s' is not a list", list->string);
    }
    manifest->references = memory_resize(
        manifest->references, manifest->reference_count + (size_t)cJSON_GetArraySize(list) + 1,
        sizeof(*manifest->references));
    cJSON_ArrayForEach(descriptor, list)
    {
        if (manifest_add_reference(manifest, descriptor, kind, error) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Absent, null, or what it has to be. */
static bool json_is_text_or_absent(const cJSON *item)
{
    return !item || cJSON_IsNull(item) || cJSON_IsString(item);
}

static int manifest_check_members(const cJSON *root, struct error *error)
{
    const cJSON *annotations = json_member(root, "annotations");
    const cJSON *annotation;

    if (!json_is_text_or_absent(json_member(root, "mediaType")) ||
        !json_is_text_or_absent(json_member(root, "artifactType"))) {
        return error_set(error, ERROR_MANIFEST_INVALID,
                         "mediaType and artifactType have to be texts");
    }
    if (annotations && !cJSON_IsNull(annotations) && !cJSON_IsObject(annotations)) {
        return error_set(error, ERROR_MANIFEST_INVALID, "annotations have to be an object");
    }
    cJSON_ArrayForEach(annotation, annotations)
    {
        if (!cJSON_IsString(annotation)) {
            return error_set(error, ERROR_MANIFEST_INVALID, "annotations have to be texts");
        }
    }
    return 0;
}

static int manifest_check_shape(const cJSON *root, enum shape shape, struct error *error)
{
    const cJSON *version = json_member(root, "schemaVersion");

    if (shape == SHAPE_OTHER) {
        return 0;
    }
    if (!cJSON_IsNumber(version) || version->valuedouble != 2) {
        return error_set(error, ERROR_MANIFEST_INVALID, "schemaVersion is not 2");
    }
    if (shape == SHAPE_IMAGE && !cJSON_IsObject(json_member(root, "config"))) {
        return error_set(error, ERROR_MANIFEST_INVALID, "an image manifest needs a config");
    }
    if (shape == SHAPE_IMAGE && json_member(root, "manifests")) {
        return error_set(error, ERROR_MANIFEST_INVALID, "an image manifest has no 'manifests'");
    }
    if (shape == SHAPE_INDEX && (json_member(root, "layers") || json_member(root, "config"))) {
        return error_set(error, ERROR_MANIFEST_INVALID, "an index has no 'config' or 'layers'");
    }
    return 0;
}

static int manifest_collect_references(struct manifest *manifest, const cJSON *root,
                                       struct error *error)
{
    const cJSON *config = json_member(root, "config");

    if (manifest_add_references(manifest, json_member(root, "layers"), REFERENCE_BLOB, error) < 0 ||
        manifest_add_references(manifest, json_member(root, "blobs"), REFERENCE_BLOB, error) < 0 ||
        manifest_add_references(manifest, json_member(root, "manifests"), REFERENCE_MANIFEST,
                                error) < 0) {
        return -1;
    }
    if (!cJSON_IsObject(config)) {
        return 0;
    }
    manifest->references = memory_resize(manifest->references, manifest->reference_count + 1,
                                         sizeof(*manifest->references));
    return manifest_add_reference(manifest, config, REFERENCE_BLOB, error);
}

static int manifest_collect_relations(struct manifest *manifest, const cJSON *root,
                                      struct error *error)
{
    const cJSON *subject = json_member(root, "subject");
    const cJSON *annotations = json_member(root, "annotations");
    const char *type = json_text_member(root, "artifactType");
    struct reference reference;

    if (!type) {
        type = json_text_member(json_member(root, "config"), "mediaType");
    }
    if (type) {
        manifest->artifact_type = memory_text(type);
    }
    if (cJSON_IsObject(annotations)) {
        manifest->annotations = cJSON_PrintUnformatted(annotations);
    }
    if (!subject || cJSON_IsNull(subject)) {
        return 0;
    }
    if (reference_parse(&reference, subject, error) < 0) {
        return -1;
    }
    manifest->has_subject = true;
    manifest->subject = reference.digest;
    return 0;
}

int manifest_parse(struct manifest *out_manifest, const struct document *document,
                   struct error *error)
{
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    AUTO_JSON cJSON *root = document_object(document);

    if (!root) {
        return error_set(error, ERROR_MANIFEST_INVALID,
                         "the manifest is not a JSON object, or nested too deeply");
    }
    if (json_is_schema_1(root)) {
        return error_set(error, ERROR_MANIFEST_INVALID,
                         "Docker image manifest schema 1 is not supported: push schema 2 or OCI");
    }
    if (manifest_check_names(root, error) < 0 || manifest_check_members(root, error) < 0 ||
        manifest_decide_type(&manifest, root, document->content_type, error) < 0 ||
        manifest_check_shape(root, shape_of(manifest.media_type), error) < 0 ||
        manifest_collect_references(&manifest, root, error) < 0 ||
        manifest_collect_relations(&manifest, root, error) < 0) {
        return -1;
    }
    *out_manifest = manifest;
    manifest = (struct manifest)MANIFEST_INIT;
    return 0;
}

int manifest_check_count(const struct manifest *manifest, size_t limit, struct error *error)
{
    return manifest->reference_count > limit
               ? error_set(error, ERROR_MANIFEST_TOO_LARGE,
                           "the manifest names %zu others, and at most %zu are taken",
                           manifest->reference_count, limit)
               : 0;
}

void manifest_release(struct manifest *manifest)
{
    free(manifest->references);
    free(manifest->artifact_type);
    free(manifest->annotations);
    *manifest = (struct manifest)MANIFEST_INIT;
}

enum type_source manifest_media_type(const struct document *document,
                                     char out_type[MEDIA_TYPE_SIZE])
{
    AUTO_JSON cJSON *root = document_object(document);
    const char *stated = root ? json_text_member(root, "mediaType") : NULL;
    const char *type = root && !stated ? json_implied_type(root) : stated;

    if (!type || !manifest_type_is_valid(type)) {
        return TYPE_UNKNOWN;
    }
    (void)snprintf(out_type, MEDIA_TYPE_SIZE, "%s", type);
    return stated ? TYPE_STATED : TYPE_IMPLIED;
}

static bool manifest_has(const struct document *document, const char *text)
{
    return memmem(document->bytes, document->length, text, strlen(text)) != NULL;
}

bool manifest_may_name(const struct document *document, const struct digest *digest)
{
    /* With escapes, each of the others may be written in ways that nobody wants to look for. */
    return manifest_has(document, digest_hex(digest)) || manifest_has(document, "\"manifests\"") ||
           manifest_has(document, "\\");
}

void manifest_describe(const struct manifest *manifest, const struct reference *self,
                       struct buffer *out)
{
    json_open_object(out, NULL);
    json_text(out, "mediaType", manifest->media_type);
    json_text(out, "digest", self->digest.text);
    json_number(out, "size", self->size);
    if (manifest->artifact_type) {
        json_text(out, "artifactType", manifest->artifact_type);
    }
    if (manifest->annotations) {
        json_raw(out, "annotations", manifest->annotations);
    }
    json_close_object(out);
}
