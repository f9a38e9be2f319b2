/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/revision.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/store/blob.h"
#include "lib/store/link.h"
#include "lib/store/trash.h"

int revision_make_layers(const struct repository *repository, struct sync_set *syncs,
                         struct error *error)
{
    struct path below = layout_links(repository->name, LINK_LAYER, DIGEST_SHA256);

    if (file_make_parents(repository->store->root, below.text, error) < 0) {
        return -1;
    }
    sync_set_add_lasting(syncs, layout_layers(repository->name).text);
    return 0;
}

/* How deep indexes of indexes are followed. */
enum { REVISION_DEPTH = 32 };

static int revision_follow(const struct repository *repository, const struct digest *digest,
                           unsigned depth, struct digest *out_target, struct error *error);

/* What a manifest names comes back, as far as it is there. 0, -1. */
static int revision_recall(const struct repository *repository, const struct manifest *manifest,
                           unsigned depth, struct error *error)
{
    for (size_t i = 0; i < manifest->reference_count; i++) {
        const struct reference *reference = &manifest->references[i];
        struct digest target;
        struct blob blob;
        int found = 0;

        if (reference->kind == REFERENCE_MANIFEST) {
            found = revision_follow(repository, &reference->digest, depth + 1, &target, error);
        }
        if (found == 0) {
            found = blob_find(repository, &reference->digest, &blob, error);
        }
        if (found < 0) {
            return -1;
        }
    }
    return 0;
}

/* The bytes and the type, when it is known where its link leads. 1, 0, -1. */
static int revision_read_target(const struct repository *repository, const struct digest *digest,
                                const struct digest *target, struct stored_manifest *out_manifest,
                                struct error *error)
{
    int found =
        blob_read(repository->store, target, MANIFEST_SIZE_LIMIT, &out_manifest->content, error);

    if (found <= 0) {
        return found;
    }
    out_manifest->digest = *digest;
    out_manifest->size = out_manifest->content.length;
    return revision_read_type(repository, out_manifest, error) < 0 ? -1 : 1;
}

int revision_find_in_trash(const struct repository *repository, enum trash which,
                           const struct digest *digest, struct digest *out_target,
                           struct error *error)
{
    struct path link = layout_link(repository->name, LINK_REVISION, digest);

    return link_read(repository->store, layout_trash(which, link.text).text, out_target, error);
}

int revision_read_in_trash(const struct repository *repository, enum trash which,
                           const struct digest *digest, struct stored_manifest *out_manifest,
                           struct error *error)
{
    struct digest target;
    int found = revision_find_in_trash(repository, which, digest, &target, error);

    return found > 0 ? revision_read_target(repository, digest, &target, out_manifest, error)
                     : found;
}

/* Of one that is in the collector's trash. 0, -1. */
static int revision_recall_named(const struct repository *repository, const struct digest *digest,
                                 unsigned depth, struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(repository->store);
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct digest target;
    struct error ignored;
    int found = revision_find_in_trash(repository, TRASH_COLLECTED, digest, &target, error);

    if (found > 0 && revision_make_layers(repository, &syncs, error) < 0) {
        return -1;
    }
    if (found > 0) {
        found = revision_read_target(repository, digest, &target, &stored, error);
    }
    if (found <= 0) {
        return found;
    }
    if (sync_set_flush(&syncs, error) < 0) {
        return -1;
    }
    return stored_manifest_parse(&stored, &manifest, &ignored) == 0
               ? revision_recall(repository, &manifest, depth, error)
               : 0;
}

/*
 * The bytes of a manifest. From the collector's trash it comes back behind all that it names: who
 * relies on it from now on relies on that, and the trash may be emptied in this moment, for which
 * nobody has looked what it needs. It is emptied in the other order (trash_empty()): so what is
 * named is there for as long as the manifest is.
 */
static int revision_follow(const struct repository *repository, const struct digest *digest,
                           unsigned depth, struct digest *out_target, struct error *error)
{
    const struct store *store = repository->store;
    int found = link_find(repository, LINK_REVISION, digest, out_target, error);

    if (found != 0) {
        return found;
    }
    if (depth < REVISION_DEPTH && !store->only_looks && !store->options->may_be_lost &&
        revision_recall_named(repository, digest, depth, error) < 0) {
        return -1;
    }
    return link_take_back(repository, LINK_REVISION, digest, out_target, error);
}

int revision_find(const struct repository *repository, const struct digest *digest,
                  struct digest *out_target, struct error *error)
{
    uint64_t size;
    int found = revision_follow(repository, digest, 0, out_target, error);

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

/* Above this many bytes the type is kept beside a document that tells it, too: to be served, what
 * somebody has pushed or another registry has sent is then not parsed. */
enum { TOLD_LENGTH = 64 * 1024 };

/*
 * The types that documents tell, so that a tag that everybody pulls is not parsed every time. A
 * digest stands for the same bytes for ever; a damaged blob tells nothing, and is not remembered.
 */
static struct {
    struct digest digest;
    char type[MEDIA_TYPE_SIZE];
    enum type_source source;
} told_types[32];

static size_t told_type_slot(const struct digest *digest)
{
    enum { COUNT = sizeof(told_types) / sizeof(*told_types) };
    const char *hex = digest_hex(digest);

    return ((size_t)hex[0] * 31 + (size_t)hex[1]) % COUNT;
}

static enum type_source revision_find_told_type(const struct stored_manifest *manifest,
                                                char out_type[MEDIA_TYPE_SIZE])
{
    struct document document = {manifest->content.data, manifest->content.length, NULL};
    size_t slot = told_type_slot(&manifest->digest);
    enum type_source source;

    if (digest_equal(&told_types[slot].digest, &manifest->digest)) {
        memcpy(out_type, told_types[slot].type, MEDIA_TYPE_SIZE);
        return told_types[slot].source;
    }
    source = manifest_media_type(&document, out_type);
    if (source != TYPE_UNKNOWN) {
        told_types[slot].digest = manifest->digest;
        told_types[slot].source = source;
        (void)snprintf(told_types[slot].type, MEDIA_TYPE_SIZE, "%s", out_type);
    }
    return source;
}

/* 1 if it is kept beside the document, 0, -1. */
static int revision_read_media_type(const struct repository *repository,
                                    struct stored_manifest *manifest, struct error *error)
{
    struct path path = layout_media_type(repository->name, &manifest->digest);
    AUTO_BUFFER struct buffer stored = BUFFER_INIT;
    int found = file_read(repository->store->root, path.text, MEDIA_TYPE_SIZE, &stored, error);

    if (found > 0 && manifest_type_is_valid(stored.data)) {
        (void)snprintf(manifest->media_type, sizeof(manifest->media_type), "%s", stored.data);
        return 1;
    }
    return found < 0 ? -1 : 0;
}

/* What the document states, else what was said when it was pushed, else what it looks like. */
int revision_read_type(const struct repository *repository, struct stored_manifest *manifest,
                       struct error *error)
{
    bool is_long = manifest->content.length > TOLD_LENGTH;
    int found = is_long ? revision_read_media_type(repository, manifest, error) : 0;

    if (found != 0) {
        return found < 0 ? -1 : 0;
    }
    (void)snprintf(manifest->media_type, sizeof(manifest->media_type), "application/json");
    if (revision_find_told_type(manifest, manifest->media_type) == TYPE_STATED || is_long) {
        return 0;
    }
    return revision_read_media_type(repository, manifest, error) < 0 ? -1 : 0;
}

int revision_read_content(const struct repository *repository, const struct digest *digest,
                          struct stored_manifest *out_manifest, struct error *error)
{
    struct digest target;
    int found = revision_follow(repository, digest, 0, &target, error);

    if (found > 0) {
        found = blob_read(repository->store, &target, MANIFEST_SIZE_LIMIT, &out_manifest->content,
                          error);
    }
    if (found <= 0) {
        return found;
    }
    out_manifest->digest = *digest;
    out_manifest->size = out_manifest->content.length;
    return 1;
}

int revision_read(const struct repository *repository, const struct digest *digest,
                  struct stored_manifest *out_manifest, struct error *error)
{
    int found = revision_read_content(repository, digest, out_manifest, error);

    return found > 0 && revision_read_type(repository, out_manifest, error) < 0 ? -1 : found;
}

int revision_look(const struct repository *repository, const struct digest *digest,
                  struct stored_manifest *out_manifest, struct error *error)
{
    size_t slot = told_type_slot(digest);
    struct digest target;
    uint64_t size;
    int found;

    if (!digest_equal(&told_types[slot].digest, digest) || told_types[slot].source != TYPE_STATED) {
        return revision_read(repository, digest, out_manifest, error);
    }
    found = revision_follow(repository, digest, 0, &target, error);
    if (found > 0) {
        found = blob_is_stored(repository->store, &target, &size, error);
    }
    if (found <= 0) {
        return found;
    }
    if (size > TOLD_LENGTH) { /* its type is kept beside it */
        return revision_read(repository, digest, out_manifest, error);
    }
    out_manifest->digest = *digest;
    out_manifest->size = size;
    memcpy(out_manifest->media_type, told_types[slot].type, sizeof(out_manifest->media_type));
    return 1;
}

static int revision_write_media_type(const struct repository *repository,
                                     const struct stored_manifest *manifest, struct sync_set *syncs,
                                     struct error *error)
{
    struct path path = layout_media_type(repository->name, &manifest->digest);
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    if (manifest->content.length <= TOLD_LENGTH && manifest->type_source == TYPE_STATED) {
        return 0;
    }
    if (manifest->content.length <= TOLD_LENGTH && manifest->type_source == TYPE_IMPLIED) {
        /* it may have been pushed as another type before */
        return file_remove(repository->store->root, path.text, error) < 0 ? -1 : 0;
    }
    buffer_add_text(&text, manifest->media_type);
    return store_write(repository->store, path.text, &text, syncs, error);
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
    return link_delete(held, layout_link(held->repository->name, LINK_REVISION, digest).text, syncs,
                       error);
}
