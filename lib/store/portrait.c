/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/portrait.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/store/blob.h"
#include "lib/store/referrers.h"
#include "lib/store/revision.h"
#include "lib/store/tag.h"

struct gallery gallery_make(const struct repository *repository)
{
    return (struct gallery){.repository = repository, .left = GALLERY_LIMIT};
}

/* Whether so many bytes may be read; then they count as read. */
static bool gallery_take(struct gallery *gallery, uint64_t bytes)
{
    if (bytes > gallery->left) {
        return false;
    }
    gallery->left -= bytes;
    return true;
}

void portrait_release(struct portrait *portrait)
{
    description_release(&portrait->description);
}

/* `out` is not readable if it is too long to be read here. */
int portrait_read_alone(struct gallery *gallery, const struct digest *digest, struct portrait *out,
                        struct error *error)
{
    const struct repository *repository = gallery->repository;
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    struct document document;
    struct digest target;
    uint64_t size = 0;
    int found = revision_find(repository, digest, &target, error);

    *out = (struct portrait)PORTRAIT_INIT;
    out->digest = *digest;
    if (found > 0) {
        found = blob_is_stored(repository->store, &target, &size, error);
    }
    out->manifest_size = out->size = size;
    if (found <= 0 || size > PORTRAIT_MANIFEST_LIMIT || !gallery_take(gallery, size)) {
        return found;
    }
    found = revision_read(repository, digest, &stored, error);
    if (found <= 0) {
        return found;
    }
    document = stored_manifest_document(&stored);
    out->is_readable = description_read(&out->description, &document, stored.media_type);
    out->size += out->description.size;
    return 1;
}

int portrait_read(struct gallery *gallery, const struct digest *digest, struct portrait *out,
                  struct error *error)
{
    AUTO_PORTRAIT struct portrait portrait = PORTRAIT_INIT;
    int found = portrait_read_alone(gallery, digest, &portrait, error);

    if (found <= 0) {
        return found;
    }
    for (size_t i = 0; portrait.description.kind == KIND_INDEX &&
                       i < portrait.description.part_count && i < PORTRAIT_CHILDREN;
         i++) {
        AUTO_PORTRAIT struct portrait child = PORTRAIT_INIT;
        struct error ignored;

        if (portrait_read_alone(gallery, &portrait.description.parts[i].digest, &child, &ignored) >
            0) {
            portrait.description.parts[i].size = child.size;
            portrait.size += child.size;
        }
    }
    *out = portrait;
    portrait = (struct portrait)PORTRAIT_INIT;
    return 1;
}

int portrait_read_config(struct gallery *gallery, const struct description *description,
                         struct image_config *out)
{
    const struct repository *repository = gallery->repository;
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    struct document document;
    struct error ignored;
    struct blob blob;

    if (!description->has_config ||
        blob_find(repository, &description->config.digest, &blob, &ignored) <= 0 ||
        blob.size > PORTRAIT_CONFIG_LIMIT || !gallery_take(gallery, blob.size) ||
        blob_read(repository->store, &blob.target, PORTRAIT_CONFIG_LIMIT, &bytes, &ignored) <= 0) {
        return 0;
    }
    document = (struct document){.bytes = bytes.data, .length = bytes.length};
    return image_config_read(out, &document);
}

int portrait_read_referrers(struct gallery *gallery, const struct digest *digest,
                            struct description *out, struct error *error)
{
    AUTO_BUFFER struct buffer list = BUFFER_INIT;
    AUTO_BUFFER struct buffer index = BUFFER_INIT;
    struct referrers_query query = {
        .subject = *digest, .page = {.limit = PORTRAIT_REFERRERS}, .left = &gallery->left};
    struct document document;
    struct digest last;

    if (gallery->left == 0) {
        *out = (struct description)DESCRIPTION_INIT;
        return 0;
    }
    if (referrers_list(gallery->repository, &query, &list, &last, error) < 0) {
        return -1;
    }
    buffer_format(&index, "{\"manifests\":[%s]}", list.data);
    document = (struct document){.bytes = index.data, .length = index.length};
    if (!description_read(out, &document, MEDIA_TYPE_OCI_INDEX)) {
        *out = (struct description)DESCRIPTION_INIT;
    }
    return 0;
}

/* What cosign puts behind the name that it makes of a digest. */
static const struct {
    const char *ending;
    enum description_kind kind;
} marks[] = {{".sig", KIND_SIGNATURE}, {".att", KIND_ATTESTATION}, {".sbom", KIND_SBOM}};

unsigned portrait_marks(struct gallery *gallery, const struct digest *digest)
{
    AUTO_DESCRIPTION struct description referrers = DESCRIPTION_INIT;
    char subject[TAG_SIZE];
    unsigned kinds = 0;
    struct error ignored;

    if (portrait_read_referrers(gallery, digest, &referrers, &ignored) == 0) {
        for (size_t i = 0; i < referrers.part_count; i++) {
            const struct description_part *part = &referrers.parts[i];

            kinds |= 1U << description_kind_of(*part->artifact_type ? part->artifact_type
                                                                    : part->media_type);
        }
    }
    referrers_fallback_tag(digest, subject);
    for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
        AUTO_BUFFER struct buffer tag = BUFFER_INIT;
        struct digest found;

        buffer_format(&tag, "%s%s", subject, marks[i].ending);
        if (tag.length < TAG_SIZE && tag_get(gallery->repository, tag.data, &found, &ignored) > 0) {
            kinds |= 1U << marks[i].kind;
        }
    }
    return kinds;
}

bool portrait_tag_is_mark(const char *tag)
{
    size_t algorithm = strcspn(tag, "-");
    size_t digits;

    if ((algorithm != 6 || !(text_begins(tag, "sha256-") || text_begins(tag, "sha512-")))) {
        return false;
    }
    digits = strspn(tag + algorithm + 1, "0123456789abcdef");
    tag += algorithm + 1 + digits;
    return digits >= 64 && (*tag == '\0' || *tag == '.');
}
