/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/handle/exchange.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/store/repository.h"

static int manifest_refuse_unknown(struct error *error)
{
    return error_set(error, ERROR_MANIFEST_UNKNOWN, "manifest unknown to the repository");
}

static bool reference_is_digest(const char *reference)
{
    return strchr(reference, ':') != NULL;
}

/* Who has asked for it without getting it has it already. */
static void manifest_note_pull(const struct exchange *exchange, const struct digest *digest,
                               bool is_sent)
{
    const char *reference = exchange->route.reference;
    struct pull pull = {.tag = reference_is_digest(reference) ? NULL : reference,
                        .digest = digest,
                        .is_download = is_sent};

    source_note_pull(&exchange->source, &pull,
                     request_parameter(exchange->request, "HTTP_USER_AGENT"));
}

static void manifest_note(struct exchange *exchange, const struct stored_manifest *manifest)
{
    struct deed *deed = &exchange->deed;

    deed->has_filled = exchange->source.is_proxied && exchange->source.proxied.has_filled;
    deed->digest = manifest->digest;
    deed->size = manifest->size;
    memcpy(deed->media_type, manifest->media_type, sizeof(deed->media_type));
    if (!reference_is_digest(exchange->route.reference)) {
        (void)text_copy(deed->tag, sizeof(deed->tag), exchange->route.reference,
                        strlen(exchange->route.reference));
    }
}

int handle_manifest_get(struct exchange *exchange, struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest manifest = STORED_MANIFEST_INIT;
    struct response *response = &exchange->response;
    bool is_head = strcmp(exchange->request->method, "HEAD") == 0;
    bool is_unchanged;
    int found = source_get_manifest(&exchange->source, exchange->route.reference, is_head,
                                    &manifest, error);

    if (found <= 0) {
        return found < 0 ? -1 : manifest_refuse_unknown(error);
    }
    if (handle_check_match(exchange, &manifest.digest, error) < 0) {
        return -1;
    }
    manifest_note(exchange, &manifest);
    handle_digest_headers(exchange, &manifest.digest);
    response_content_header(response, "Cache-Control", "%s",
                            reference_is_digest(exchange->route.reference)
                                ? "max-age=31536000, immutable"
                                : "no-cache");
    is_unchanged = handle_not_modified(exchange, &manifest.digest);
    manifest_note_pull(exchange, &manifest.digest, !is_head && !is_unchanged);
    if (is_unchanged) {
        return 0;
    }
    exchange->deed.kind = is_head ? DEED_NONE : DEED_PULL;
    response_content_header(response, "Content-Type", "%s", manifest.media_type);
    response->size = manifest.size;
    response->body = manifest.content.length > 0 ? BODY_BYTES : BODY_NONE;
    response->bytes = manifest.content;
    manifest.content = (struct buffer)BUFFER_INIT;
    return 0;
}

/* The tags of a push: the reference, if it is one, and the `tag` parameters. */
struct tags {
    char *names[PUT_TAGS_LIMIT];
    size_t count;
};

static void tags_release(struct tags *tags)
{
    for (size_t i = 0; i < tags->count; i++) {
        free(tags->names[i]);
    }
}

static int tags_add(struct tags *tags, const char *name, struct error *error)
{
    if (!tag_is_valid(name)) {
        return error_set(error, ERROR_MANIFEST_INVALID, "a tag is malformed");
    }
    for (size_t i = 0; i < tags->count; i++) {
        if (strcmp(tags->names[i], name) == 0) {
            return 0;
        }
    }
    if (tags->count == PUT_TAGS_LIMIT) {
        return error_set(error, ERROR_MANIFEST_INVALID, "at most %d tags can be pushed at once",
                         PUT_TAGS_LIMIT);
    }
    tags->names[tags->count++] = memory_text(name);
    return 0;
}

static int tags_read(const struct exchange *exchange, struct tags *out, struct error *error)
{
    const char *tag;

    if (!reference_is_digest(exchange->route.reference) &&
        tags_add(out, exchange->route.reference, error) < 0) {
        return -1;
    }
    for (unsigned i = 0; (tag = query_value(&exchange->request->query, "tag", i)); i++) {
        if (tags_add(out, tag, error) < 0) {
            return -1;
        }
    }
    return 0;
}

/* The digest that the bytes are stored under; checked if the client named it. */
static int body_find_digest(const struct exchange *exchange, const struct buffer *body,
                            struct digest *out, struct error *error)
{
    struct digest named = {.algorithm = DIGEST_SHA256};

    if (reference_is_digest(exchange->route.reference) &&
        digest_parse(&named, exchange->route.reference, error) < 0) {
        return -1;
    }
    digest_of(named.algorithm, body->data, body->length, out);
    if (named.text[0] && !digest_equal(&named, out)) {
        return error_set(error, ERROR_DIGEST_INVALID, "the manifest's digest is %s", out->text);
    }
    return 0;
}

static int body_read(struct exchange *exchange, struct buffer *out, struct error *error)
{
    uint64_t limit = exchange->registry->options->maximum_manifest_size;
    int fits = request_read_all(exchange->request, (size_t)limit, out, error);

    return fits > 0    ? 0
           : fits == 0 ? error_set(error, ERROR_MANIFEST_TOO_LARGE,
                                   "the manifest is longer than %" PRIu64 " bytes", limit)
                       : -1;
}

/* RFC 9110, 5.3: a list may be spread over several fields. */
static void tags_add_headers(struct response *response, const struct tags *tags)
{
    for (size_t i = 0; i < tags->count; i++) {
        response_header(response, "OCI-Tag", "%s", tags->names[i]);
    }
}

/* Who may push here may not always move a tag: then the refusal is about that. */
static int manifest_store(struct exchange *exchange, const struct manifest_put *put,
                          struct error *error)
{
    int stored = source_put_manifest(&exchange->source, put, &exchange->details, error);

    if (stored < 0 && (error->code == ERROR_DENIED || error->code == ERROR_UNAUTHORIZED)) {
        handle_add_refusal(exchange, permit_identity(&exchange->permit), PERMISSION_OVERWRITE);
    }
    return stored;
}

int handle_manifest_put(struct exchange *exchange, struct error *error)
{
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    AUTO(tags_release) struct tags tags = {.count = 0};
    struct response *response = &exchange->response;
    AUTO_DIGEST_SET struct digest_set expected = DIGEST_SET_INIT;
    AUTO_DIGEST_SET struct digest_set unwanted = DIGEST_SET_INIT;
    struct manifest_put put = {
        .manifest = &manifest,
        .expected = handle_condition(exchange, "HTTP_IF_MATCH", &expected) ? &expected : NULL,
        .unwanted = handle_condition(exchange, "HTTP_IF_NONE_MATCH", &unwanted) ? &unwanted : NULL,
    };

    if (source_check_space(&exchange->source, 0, error) < 0 ||
        tags_read(exchange, &tags, error) < 0 || body_read(exchange, &body, error) < 0 ||
        body_find_digest(exchange, &body, &put.digest, error) < 0) {
        return -1;
    }
    put.document = (struct document){body.data, body.length,
                                     request_parameter(exchange->request, "CONTENT_TYPE")};
    put.tags = (const char *const *)tags.names;
    put.tag_count = tags.count;
    if (manifest_parse(&manifest, &put.document, error) < 0 ||
        manifest_check_count(&manifest, REFERENCES_HOSTED, error) < 0 ||
        manifest_store(exchange, &put, error) < 0) {
        return -1;
    }
    exchange->deed.kind = DEED_PUSH;
    exchange->deed.digest = put.digest;
    response->status = 201;
    response_header(response, "Location", "/v2/%s/manifests/%s", exchange->route.name,
                    put.digest.text);
    response_header(response, "Docker-Content-Digest", "%s", put.digest.text);
    if (manifest.has_subject) {
        response_header(response, "OCI-Subject", "%s", manifest.subject.text);
    }
    tags_add_headers(response, &tags);
    return 0;
}

/* What a digest stands for never changes, so If-Match is judged before; but first, what is absent
 * is absent (RFC 9110, 13.2.1). */
static int manifest_delete_revision(struct exchange *exchange, struct error *error)
{
    const struct repository *repository = &exchange->source.repository;
    struct digest digest;

    if (digest_parse(&digest, exchange->route.reference, error) < 0) {
        return -1;
    }
    if (handle_check_match(exchange, &digest, error) < 0) {
        struct error ignored;

        return revision_exists(repository, &digest, &ignored) == 0 ? 0 : -1;
    }
    return source_delete_manifest(&exchange->source, &digest, error);
}

static int manifest_delete_tag(struct exchange *exchange, struct error *error)
{
    AUTO_DIGEST_SET struct digest_set expected = DIGEST_SET_INIT;
    bool is_conditional = handle_condition(exchange, "HTTP_IF_MATCH", &expected);
    const char *tag = exchange->route.reference;

    return tag_is_valid(tag)
               ? source_delete_tag(&exchange->source, tag, is_conditional ? &expected : NULL, error)
               : 0;
}

int handle_manifest_delete(struct exchange *exchange, struct error *error)
{
    int removed = reference_is_digest(exchange->route.reference)
                      ? manifest_delete_revision(exchange, error)
                      : manifest_delete_tag(exchange, error);

    if (removed <= 0) {
        return removed < 0 ? -1 : manifest_refuse_unknown(error);
    }
    exchange->deed.kind = DEED_DELETE;
    if (reference_is_digest(exchange->route.reference)) {
        (void)digest_parse(&exchange->deed.digest, exchange->route.reference, error);
    }
    exchange->response.status = 202;
    return 0;
}
