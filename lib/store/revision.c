/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/revision.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/store/blob.h"
#include "lib/store/link.h"

int revision_find(const struct repository *repository, const struct digest *digest,
                  struct digest *out_target, struct error *error)
{
    uint64_t size;
    int found = link_follow(repository, LINK_REVISION, digest, out_target, error);

    return found > 0 ? blob_is_stored(repository->store, out_target, &size, error) : found;
}

int revision_exists(const struct repository *repository, const struct digest *digest,
                    struct error *error)
{
    struct digest target;

    return revision_find(repository, digest, &target, error);
}

void stored_manifest_release(struct stored_manifest *manifest)
{
    buffer_release(&manifest->content);
}

struct document stored_manifest_document(const struct stored_manifest *stored)
{
    return (struct document){stored->content.data, stored->content.length, stored->media_type};
}

int stored_manifest_parse(const struct stored_manifest *stored, struct manifest *out_manifest,
                          struct error *error)
{
    struct document document = stored_manifest_document(stored);

    return manifest_parse(out_manifest, &document, error);
}

/*
 * The types that documents state, so that a tag that everybody pulls is not parsed every time. A
 * digest stands for the same bytes for ever; a damaged blob states nothing, and is not remembered.
 */
static struct {
    struct digest digest;
    char type[MEDIA_TYPE_SIZE];
} stated_types[32];

static bool revision_find_stated_type(const struct stored_manifest *manifest,
                                      char out_type[MEDIA_TYPE_SIZE])
{
    enum { COUNT = sizeof(stated_types) / sizeof(*stated_types) };
    struct document document = {manifest->content.data, manifest->content.length, NULL};
    const char *hex = digest_hex(&manifest->digest);
    size_t slot = ((size_t)hex[0] * 31 + (size_t)hex[1]) % COUNT;

    if (digest_equal(&stated_types[slot].digest, &manifest->digest)) {
        (void)snprintf(out_type, MEDIA_TYPE_SIZE, "%s", stated_types[slot].type);
        return true;
    }
    if (manifest_media_type(&document, out_type) != TYPE_STATED) {
        return false;
    }
    stated_types[slot].digest = manifest->digest;
    (void)snprintf(stated_types[slot].type, MEDIA_TYPE_SIZE, "%s", out_type);
    return true;
}

/* What the document states, else what was said when it was pushed, else what it looks like. */
static int revision_find_media_type(const struct repository *repository,
                                    struct stored_manifest *manifest, struct error *error)
{
    struct path path = layout_media_type(repository->name, &manifest->digest);
    AUTO_BUFFER struct buffer stored = BUFFER_INIT;

    (void)snprintf(manifest->media_type, sizeof(manifest->media_type), "application/json");
    if (revision_find_stated_type(manifest, manifest->media_type)) {
        return 0;
    }
    if (file_read(repository->store->root, path.text, MEDIA_TYPE_SIZE, &stored, error) < 0) {
        return -1;
    }
    if (manifest_type_is_valid(stored.data)) {
        (void)snprintf(manifest->media_type, sizeof(manifest->media_type), "%s", stored.data);
    }
    return 0;
}

int revision_read(const struct repository *repository, const struct digest *digest,
                  struct stored_manifest *out_manifest, struct error *error)
{
    struct digest target;
    int found = link_follow(repository, LINK_REVISION, digest, &target, error);

    if (found > 0) {
        found = blob_read(repository->store, &target, MANIFEST_SIZE_LIMIT, &out_manifest->content,
                          error);
    }
    if (found <= 0) {
        return found;
    }
    out_manifest->digest = *digest;
    out_manifest->size = out_manifest->content.length;
    return revision_find_media_type(repository, out_manifest, error) < 0 ? -1 : 1;
}

static int revision_write_media_type(const struct repository *repository,
                                     const struct stored_manifest *manifest, struct sync_set *syncs,
                                     struct error *error)
{
    struct path path = layout_media_type(repository->name, &manifest->digest);
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    switch (manifest->type_source) {
    case TYPE_STATED:
        return 0;
    case TYPE_IMPLIED: /* it may have been pushed as another type before */
        return file_remove(repository->store->root, path.text, error) < 0 ? -1 : 0;
    case TYPE_UNKNOWN:
        break;
    }
    buffer_add_text(&text, manifest->media_type);
    return store_write(repository->store, path.text, &text, syncs, error);
}

/* Without `_layers`, distribution does not see the repository, and its collector would take the
 * manifests away. */
static int revision_make_layers(const struct repository *repository, struct sync_set *syncs,
                                struct error *error)
{
    struct path layers = layout_links(repository->name, LINK_LAYER, DIGEST_SHA256);

    sync_set_add(syncs, layers.text);
    return file_make_parents(repository->store->root, layers.text, error);
}

int revision_write(const struct repository_lock *held, const struct stored_manifest *manifest,
                   struct sync_set *syncs, struct error *error)
{
    const struct repository *repository = held->repository;
    struct path link = layout_link(repository->name, LINK_REVISION, &manifest->digest);

    if (blob_write(repository->store, &manifest->digest, &manifest->content, syncs, error) < 0 ||
        revision_make_layers(repository, syncs, error) < 0 ||
        revision_write_media_type(repository, manifest, syncs, error) < 0) {
        return -1;
    }
    return link_write(held, link.text, &manifest->digest, syncs, error);
}

int revision_remove(const struct repository_lock *held, const struct digest *digest,
                    struct sync_set *syncs, struct error *error)
{
    const struct repository *repository = held->repository;
    struct path link = layout_link(repository->name, LINK_REVISION, digest);
    struct path media_type = layout_media_type(repository->name, digest);
    int removed = link_remove(held, link.text, syncs, error);
    struct error ignored;

    if (removed > 0) { /* without a revision it is nobody's; pushing it again replaces it */
        (void)file_remove(repository->store->root, media_type.text, &ignored);
    }
    return removed;
}
