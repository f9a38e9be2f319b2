/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/store/blob.h"
#include "lib/store/link.h"
#include "lib/store/repository.h"
#include "lib/store/walk.h"

static void tell(struct verify_report *report, const char *path, const char *what)
{
    report->problems++;
    report->problem(report->context, path, what);
}

static int verify_blob(struct store *store, const struct digest *digest,
                       struct verify_report *report, struct error *error)
{
    AUTO_BLOB_FILE struct blob_file file = BLOB_FILE_INIT;
    struct blob blob = {.target = *digest};
    int good = blob_open_stored(store, digest, &file, error);

    if (good <= 0) {
        return good; /* 0: a directory whose blob is just coming or going */
    }
    report->blobs++;
    report->bytes += file.size;
    good = report->skip_content ? 1 : blob_check(&file, digest, error);
    if (good != 0) {
        return good < 0 ? -1 : 0;
    }
    tell(report, blob_path(&blob).text, "the bytes have another digest, or cannot be read");
    if (!report->repair) {
        return 0;
    }
    /* Out of the way, so that the next push, or the next pull through a proxy, brings it back. */
    return blob_set_aside(store, digest, &file, error) < 0 ? -1 : 0;
}

static int verify_blobs(struct store *store, struct verify_report *report, struct error *error)
{
    AUTO_BLOB_WALK struct blob_walk walk = blob_walk_begin(store);
    struct digest digest;
    enum walk_result found;

    while ((found = blob_walk_next(&walk, &digest, error)) > 0) {
        if (found == WALK_STRAY) {
            tell(report, walk.stray.text, "this does not belong here");
        } else if (verify_blob(store, &digest, report, error) < 0) {
            return -1;
        }
    }
    return (int)found;
}

/* A link that leads nowhere. */
static int tell_link(const struct repository *repository, const char *path, const char *what,
                     struct verify_report *report)
{
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(repository->store);
    struct error ignored;

    tell(report, path, what);
    if (report->repair) {
        (void)link_remove(repository->store, path, &syncs, &ignored);
        (void)sync_set_flush(&syncs, &ignored);
    }
    return 0;
}

static int verify_link(const struct repository *repository, enum link_kind kind,
                       const struct digest *digest, struct verify_report *report,
                       struct error *error)
{
    struct path path = layout_link(repository->name, kind, digest);
    struct digest target;
    struct stat status;
    uint64_t size;
    int found = link_follow(repository, kind, digest, &target, error);

    if (found < 0) {
        return -1;
    }
    if (!found) {
        return fstatat(repository->store->root, path.text, &status, 0) < 0
                   ? 0
                   : tell_link(repository, path.text, "an empty, garbled or wrong link", report);
    }
    found = blob_is_stored(repository->store, &target, &size, error);
    return found ? (found < 0 ? -1 : 0)
                 : tell_link(repository, path.text, "a link to a blob that is not there", report);
}

/* Whether what a manifest names is there, as far as it has to be. 1, 0, -1. */
static int has_reference(const struct repository *repository, const struct reference *reference,
                         struct error *error)
{
    struct blob blob;
    int found = repository_may_lack(repository, reference);

    if (found == 0 && reference->kind == REFERENCE_MANIFEST) {
        found = revision_exists(repository, &reference->digest, error);
    }
    return found ? found : blob_find(repository, &reference->digest, &blob, error);
}

static int verify_manifest(const struct repository *repository, const struct digest *digest,
                           struct verify_report *report, struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct path path = layout_link(repository->name, LINK_REVISION, digest);
    struct document document;
    struct error reason;
    int found = revision_read(repository, digest, &stored, error);

    if (found <= 0) {
        return found;
    }
    report->manifests++;
    document = (struct document){stored.content.data, stored.content.length, stored.media_type};
    if (manifest_parse(&manifest, &document, &reason) < 0) {
        return 0; /* another program's, which knows what to do with it */
    }
    for (size_t i = 0; i < manifest.reference_count; i++) {
        found = has_reference(repository, &manifest.references[i], error);
        if (found < 0) {
            return -1;
        }
        if (!found) {
            tell(report, path.text, "the manifest names content that the repository does not have");
        }
    }
    return 0;
}

static int verify_links(const struct repository *repository, enum link_kind kind,
                        struct verify_report *report, struct error *error)
{
    AUTO_LINK_WALK struct link_walk walk = link_walk_begin(repository, kind);
    struct digest digest;
    enum walk_result found;

    while ((found = link_walk_next(&walk, &digest, error)) > 0) {
        if (found == WALK_STRAY) {
            tell(report, walk.stray.text, "this has no digest as its name");
        } else if (verify_link(repository, kind, &digest, report, error) < 0 ||
                   (kind == LINK_REVISION &&
                    verify_manifest(repository, &digest, report, error) < 0)) {
            return -1;
        }
    }
    return (int)found;
}

static int verify_tag(const struct repository *repository, const char *tag,
                      struct verify_report *report, struct error *error)
{
    struct path path = layout_tag_current(repository->name, tag);
    struct digest digest;
    struct stat status;
    int found;

    if (fstatat(repository->store->root, path.text, &status, 0) < 0) {
        return 0; /* a tag that is just coming or going */
    }
    report->tags++;
    found = tag_get(repository, tag, &digest, error);
    if (found > 0) {
        found = revision_exists(repository, &digest, error);
    }
    if (found == 0) {
        (void)tell_link(repository, path.text, "a tag whose manifest is not there", report);
    }
    return found < 0 ? -1 : 0;
}

static int verify_tags(const struct repository *repository, struct verify_report *report,
                       struct error *error)
{
    AUTO_TAG_WALK struct tag_walk walk = tag_walk_begin(repository, NULL);
    const char *tag;
    enum walk_result found;

    while ((found = tag_walk_next(&walk, &tag, error)) > 0) {
        if (found == WALK_STRAY) {
            tell(report, walk.stray.text, "this can be no tag");
        } else if (verify_tag(repository, tag, report, error) < 0) {
            return -1;
        }
    }
    return (int)found;
}

int verify_store(struct store *store, struct verify_report *report, struct error *error)
{
    AUTO_REPOSITORY_WALK struct repository_walk walk = repository_walk_begin(store, "", NULL);
    struct repository repository;
    enum walk_result found;

    if (verify_blobs(store, report, error) < 0) {
        return -1;
    }
    while ((found = repository_walk_next(&walk, &repository, error)) > 0) {
        if (found == WALK_STRAY) {
            tell(report, walk.stray.text, "this can be no repository");
        } else if (verify_links(&repository, LINK_LAYER, report, error) < 0 ||
                   verify_links(&repository, LINK_REVISION, report, error) < 0 ||
                   verify_tags(&repository, report, error) < 0) {
            return -1;
        }
    }
    return (int)found;
}
