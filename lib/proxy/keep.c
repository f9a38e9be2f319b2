/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/keep.h"

void keep_release(struct keep *keep)
{
    buffer_release(&keep->before);
    buffer_release(&keep->now);
}

int keep_begin(struct keep *keep, struct store *cache, const struct kept_image *image,
               struct error *error)
{
    keep_release(keep);
    keep->cache = cache;
    keep->image = *image;
    return keep->is_wanted && kept_read(cache, image, &keep->before, error) < 0 ? -1 : 0;
}

/* The digests of a manifest and of its blobs. */
static void keep_add(const struct digest *digest, const struct manifest *manifest,
                     struct buffer *out)
{
    buffer_format(out, "%s\n", digest->text);
    for (size_t i = 0; i < manifest->reference_count; i++) {
        const struct reference *reference = &manifest->references[i];

        if (reference->kind == REFERENCE_BLOB && !reference->elsewhere) {
            buffer_format(out, "%s\n", reference->digest.text);
        }
    }
}

int keep_manifest(struct keep *keep, const struct digest *digest, const struct manifest *manifest,
                  struct error *error)
{
    AUTO_BUFFER struct buffer both = BUFFER_INIT;

    if (!keep->is_wanted) {
        return 0;
    }
    keep_add(digest, manifest, &keep->now);
    buffer_add(&both, keep->before.data, keep->before.length);
    buffer_add(&both, keep->now.data, keep->now.length);
    return kept_write(keep->cache, &keep->image, &both, error);
}

int keep_end(struct keep *keep, struct error *error)
{
    return keep->is_wanted ? kept_write(keep->cache, &keep->image, &keep->now, error) : 0;
}

enum {
    KEEP_DEPTH = 4,              /* indexes inside of each other */
    KEEP_LIMIT = 4 * 1024 * 1024 /* bytes of a mark, which whoever makes room reads */
};

/* Adds the digests of a manifest of the cache and of those below it that are there. 1, 0, -1. */
static int keep_add_tree(const struct repository *repository, const char *reference, unsigned depth,
                         struct buffer *out, struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    int found = repository_get_manifest(repository, reference, &stored, error);

    if (found <= 0) {
        return found;
    }
    if (stored_manifest_parse(&stored, &manifest, error) < 0) {
        return -1;
    }
    keep_add(&stored.digest, &manifest, out);
    if (out->length > KEEP_LIMIT) {
        return error_set(error, ERROR_REQUEST_INVALID, "the image has too many parts to be kept");
    }
    for (size_t i = 0; i < manifest.reference_count && depth < KEEP_DEPTH; i++) {
        const struct reference *below = &manifest.references[i];

        if (below->kind == REFERENCE_MANIFEST &&
            keep_add_tree(repository, below->digest.text, depth + 1, out, error) < 0) {
            return -1;
        }
    }
    return 1;
}

int keep_cached(const struct repository *repository, const char *reference, struct error *error)
{
    struct kept_image image = {repository->name, reference};
    AUTO_BUFFER struct buffer digests = BUFFER_INIT;
    int found = keep_add_tree(repository, reference, 0, &digests, error);

    return found > 0 && kept_write(repository->store, &image, &digests, error) < 0 ? -1 : found;
}
