/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/referrers.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/directory.h"
#include "lib/base/text.h"
#include "lib/store/link.h"
#include "lib/store/revision.h"

enum { DESCRIPTOR_LIMIT = 8 * 1024 * 1024 }; /* bytes */

int referrers_add(const struct repository_lock *held, const struct referrer *referrer,
                  struct sync_set *syncs, struct error *error)
{
    struct path path = layout_referrer(held->repository->name, &referrer->manifest->subject,
                                       &referrer->self.digest);
    AUTO_BUFFER struct buffer descriptor = BUFFER_INIT;

    manifest_describe(referrer->manifest, &referrer->self, &descriptor);
    if (descriptor.length > DESCRIPTOR_LIMIT) { /* one entry must not spoil the list */
        struct manifest plain = *referrer->manifest;

        plain.annotations = NULL;
        buffer_clear(&descriptor);
        manifest_describe(&plain, &referrer->self, &descriptor);
    }
    return store_write(held->repository->store, path.text, &descriptor, syncs, error);
}

int referrers_remove(const struct repository_lock *held, const struct referrer *referrer,
                     struct sync_set *syncs, struct error *error)
{
    struct path path = layout_referrer(held->repository->name, &referrer->manifest->subject,
                                       &referrer->self.digest);

    int removed = file_remove(held->repository->store->root, path.text, error);

    if (removed > 0) {
        sync_set_add(syncs, path.text);
    }
    return removed < 0 ? -1 : 0;
}

void referrers_fallback_tag(const struct digest *subject, char out_tag[TAG_SIZE])
{
    (void)snprintf(out_tag, TAG_SIZE, "%s-%.64s", digest_algorithm_name(subject->algorithm),
                   digest_hex(subject));
}

bool referrers_read_fallback_tag(const char *tag, struct digest *out_subject)
{
    enum { PREFIX = sizeof("sha256-") - 1, DIGITS = 64 };
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct error ignored;

    if (!text_begins(tag, "sha256-") || strlen(tag) < PREFIX + DIGITS ||
        (tag[PREFIX + DIGITS] && tag[PREFIX + DIGITS] != '.')) {
        return false;
    }
    buffer_format(&text, "sha256:%.*s", (int)DIGITS, tag + PREFIX);
    return digest_parse(out_subject, text.data, &ignored) == 0;
}

/* One page being put together. */
struct referrers_look {
    const struct repository *repository;
    const struct referrers_query *query;
    uint64_t *left; /* bytes that may still be read */
};

static void referrers_count(struct referrers_look *look, uint64_t read)
{
    *look->left -= read < *look->left ? read : *look->left;
}

/* Adds the digests that clients have listed under the fallback tag. */
static int referrers_add_fallback(struct referrers_look *look, struct names *names,
                                  struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest index = STORED_MANIFEST_INIT;
    AUTO_MANIFEST struct manifest parsed = MANIFEST_INIT;
    char tag[TAG_SIZE];
    struct digest digest;
    struct error ignored;
    int found;

    referrers_fallback_tag(&look->query->subject, tag);
    found = tag_get(look->repository, tag, &digest, error);
    if (found > 0) {
        found = revision_read(look->repository, &digest, &index, error);
    }
    if (found <= 0) {
        return found;
    }
    referrers_count(look, index.content.length);
    if (stored_manifest_parse(&index, &parsed, &ignored) < 0) {
        return 0;
    }
    for (size_t i = 0; i < parsed.reference_count; i++) {
        if (parsed.references[i].kind == REFERENCE_MANIFEST) {
            names_add(names, parsed.references[i].digest.text);
        }
    }
    return 0;
}

/* The descriptor of a manifest that has no entry. 1; 0 if the subject is not its own; -1. */
static int referrers_describe_revision(struct referrers_look *look, const struct digest *digest,
                                       struct buffer *out, struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    AUTO_MANIFEST struct manifest parsed = MANIFEST_INIT;
    struct reference self = {.kind = REFERENCE_MANIFEST, .digest = *digest};
    struct error ignored;
    int found = revision_read(look->repository, digest, &stored, error);

    if (found <= 0) {
        return found;
    }
    referrers_count(look, stored.content.length);
    if (stored_manifest_parse(&stored, &parsed, &ignored) < 0 || !parsed.has_subject ||
        !digest_equal(&parsed.subject, &look->query->subject)) {
        return 0;
    }
    self.size = stored.content.length;
    manifest_describe(&parsed, &self, out);
    return 1;
}

/* A list is put together from descriptors as they are: a garbled one would garble all of it. */
static bool referrers_is_descriptor(const struct buffer *text, const struct digest *digest)
{
    struct document document = {text->data, text->length, NULL};
    AUTO_BUFFER struct buffer named = BUFFER_INIT;

    return document_text_member(&document, "digest", &named) &&
           strcmp(named.data, digest->text) == 0;
}

/* The descriptor to list for a digest. 1; 0 if it is not to be listed; -1. */
static int referrers_find_descriptor(struct referrers_look *look, const struct digest *digest,
                                     struct buffer *out, struct error *error)
{
    const struct repository *repository = look->repository;
    const struct referrers_query *query = look->query;
    struct path path = layout_referrer(repository->name, &query->subject, digest);
    AUTO_BUFFER struct buffer type = BUFFER_INIT;
    struct document document;
    int found = revision_exists(repository, digest, error);

    if (found > 0) {
        found = file_read(repository->store->root, path.text, DESCRIPTOR_LIMIT, out, error);
        referrers_count(look, out->length);
        if (found == 0 || (found > 0 && !referrers_is_descriptor(out, digest))) {
            buffer_clear(out);
            found = referrers_describe_revision(look, digest, out, error);
        }
    }
    if (found <= 0 || !query->artifact_type) {
        return found;
    }
    document = (struct document){out->data, out->length, NULL};
    return document_text_member(&document, "artifactType", &type) &&
           strcmp(type.data, query->artifact_type) == 0;
}

/* Everything that may be listed, sorted, some perhaps twice. */
static int referrers_find_candidates(struct referrers_look *look, struct names *out,
                                     struct error *error)
{
    const struct repository *repository = look->repository;
    struct path directory = layout_referrers(repository->name, &look->query->subject);

    if (directory_list(repository->store->root, directory.text, out, error) < 0 ||
        referrers_add_fallback(look, out, error) < 0) {
        return -1;
    }
    names_sort(out);
    return 0;
}

int referrers_list(const struct repository *repository, const struct referrers_query *query,
                   struct buffer *out, struct digest *out_last, struct error *error)
{
    AUTO_NAMES struct names candidates = NAMES_INIT;
    uint64_t usual = REFERRERS_LOOK_BYTES;
    struct referrers_look look = {repository, query, query->left ? query->left : &usual};
    size_t listed = 0;
    size_t looked = 0;

    if (query->page.limit == 0) {
        return 0;
    }
    if (referrers_find_candidates(&look, &candidates, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < candidates.count; i++) {
        AUTO_BUFFER struct buffer descriptor = BUFFER_INIT;
        const char *name = candidates.names[i];
        struct digest digest;
        struct error ignored;
        int found;

        if ((i > 0 && strcmp(name, candidates.names[i - 1]) == 0) ||
            (query->page.last && strcmp(name, query->page.last) <= 0) ||
            digest_parse(&digest, name, &ignored) < 0) {
            continue;
        }
        if (looked == REFERRERS_LOOKS || (looked > 0 && *look.left == 0)) {
            return 1;
        }
        looked++;
        found = referrers_find_descriptor(&look, &digest, &descriptor, error);
        if (found < 0) {
            return -1;
        }
        if (found == 0) {
            *out_last = digest;
            continue;
        }
        if (listed > 0 && (listed == query->page.limit ||
                           out->length + descriptor.length > REFERRERS_PAGE_BYTES)) {
            return 1;
        }
        buffer_add_text(out, listed > 0 ? "," : "");
        buffer_add(out, descriptor.data, descriptor.length);
        *out_last = digest;
        listed++;
    }
    return 0;
}
