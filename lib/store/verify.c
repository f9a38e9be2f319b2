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

#define DAMAGED "the bytes have another digest, or cannot be read"
#define NO_MANIFEST "a tag whose manifest is not there"

static void verify_tell(struct verify_report *report, const char *path, const char *what)
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
    if (report->repair) {
        /* Out of the way, so that the next push, or the next pull by a proxy, brings it back. */
        int moved = blob_set_aside(store, digest, &file, error);

        if (moved <= 0) {
            return moved;
        }
    }
    verify_tell(report, blob_path(&blob).text,
                !report->repair    ? DAMAGED
                : report->is_cache ? DAMAGED ": moved aside; the next pull fetches it again"
                                   : DAMAGED
                    ": moved aside; every repository that has it lacks it until somebody "
                    "pushes it again there");
    return 0;
}

static int verify_blobs(struct store *store, struct verify_report *report, struct error *error)
{
    AUTO_BLOB_WALK struct blob_walk walk = blob_walk_begin(store);
    struct digest digest;
    enum walk_result found;

    while ((found = blob_walk_next(&walk, &digest, error)) > 0) {
        if (found == WALK_STRAY) {
            verify_tell(report, walk.stray.text, "this does not belong here");
        } else if (verify_blob(store, &digest, report, error) < 0) {
            return -1;
        }
    }
    return (int)found;
}

/* What is wrong with a link; NULL for nothing. */
struct link_fault {
    const char *what;
    bool leads_somewhere; /* to bytes that are not there: of `target` */
    struct digest target;
};

static int verify_judge_link(const struct repository *repository, enum link_kind kind,
                             const struct digest *digest, struct link_fault *out,
                             struct error *error)
{
    struct path path = layout_link(repository->name, kind, digest);
    struct stat status;
    uint64_t size;
    int found = link_follow(repository, kind, digest, &out->target, error);

    out->what = NULL;
    out->leads_somewhere = found > 0;
    if (found == 0 && fstatat(repository->store->root, path.text, &status, 0) == 0) {
        out->what = "an empty, garbled or wrong link";
    }
    if (found > 0) {
        found = blob_is_stored(repository->store, &out->target, &size, error);
        out->what = found == 0 ? "a link to a blob that is not there" : NULL;
    }
    return found < 0 ? -1 : 0;
}

/* Whoever adds a layer that has a link already, and all who push manifests, wait for the lock. */
static int verify_repair_link(const struct repository *repository, enum link_kind kind,
                              const struct digest *digest, struct verify_report *report,
                              struct error *error)
{
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(repository->store);
    struct path path = layout_link(repository->name, kind, digest);
    struct link_fault fault;
    int removed;

    if (repository_lock(repository, &lock, error) < 0 ||
        verify_judge_link(repository, kind, digest, &fault, error) < 0) {
        return -1;
    }
    if (!fault.what) {
        return 0; /* mended meanwhile */
    }
    removed = fault.leads_somewhere
                  ? blob_remove_link(&lock, path.text, &fault.target, &syncs, error)
                  : link_remove(&lock, path.text, &syncs, error);
    if (removed > 0) {
        verify_tell(report, path.text, fault.what);
    }
    return removed < 0 ? -1 : sync_set_flush(&syncs, error);
}

static int verify_link(const struct repository *repository, enum link_kind kind,
                       const struct digest *digest, struct verify_report *report,
                       struct error *error)
{
    struct link_fault fault;

    if (report->is_cache) {
        return 0;
    }
    if (verify_judge_link(repository, kind, digest, &fault, error) < 0) {
        return -1;
    }
    if (fault.what && report->repair) {
        return verify_repair_link(repository, kind, digest, report, error);
    }
    if (fault.what) {
        verify_tell(report, layout_link(repository->name, kind, digest).text, fault.what);
    }
    return 0;
}

/* Whether what a manifest names is there, as far as it has to be. 1, 0, -1. */
static int verify_has_reference(const struct repository *repository,
                                const struct reference *reference, struct error *error)
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
    struct error reason;
    int found = revision_read(repository, digest, &stored, error);

    if (found <= 0) {
        return found;
    }
    report->manifests++;
    if (stored_manifest_parse(&stored, &manifest, &reason) < 0) {
        return 0; /* another program's, which knows what to do with it */
    }
    for (size_t i = 0; i < manifest.reference_count; i++) {
        found = verify_has_reference(repository, &manifest.references[i], error);
        if (found < 0) {
            return -1;
        }
        if (!found) {
            verify_tell(report, path.text,
                        "the manifest names content that the repository does not have");
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
            verify_tell(report, walk.stray.text, "this has no digest as its name");
        } else if (verify_link(repository, kind, &digest, report, error) < 0 ||
                   (kind == LINK_REVISION &&
                    verify_manifest(repository, &digest, report, error) < 0)) {
            return -1;
        }
    }
    return (int)found;
}

/* Whether a tag has a manifest. 1, 0, -1. */
static int verify_judge_tag(const struct repository *repository, const char *tag,
                            struct error *error)
{
    struct digest digest;
    int found = tag_get(repository, tag, &digest, error);

    return found > 0 ? revision_exists(repository, &digest, error) : found;
}

static int verify_repair_tag(const struct repository *repository, const char *tag,
                             struct verify_report *report, struct error *error)
{
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(repository->store);
    struct path path = layout_tag_current(repository->name, tag);
    int found = repository_lock(repository, &lock, error);

    if (found == 0) {
        found = verify_judge_tag(repository, tag, error);
    }
    if (found != 0) {
        return found < 0 ? -1 : 0; /* 1: pushed meanwhile */
    }
    verify_tell(report, path.text, NO_MANIFEST);
    return link_remove(&lock, path.text, &syncs, error) < 0 ? -1 : sync_set_flush(&syncs, error);
}

static int verify_tag(const struct repository *repository, const char *tag,
                      struct verify_report *report, struct error *error)
{
    struct path path = layout_tag_current(repository->name, tag);
    struct stat status;
    int found;

    if (fstatat(repository->store->root, path.text, &status, 0) < 0) {
        return 0; /* a tag that is just coming or going */
    }
    report->tags++;
    if (report->is_cache) {
        return 0;
    }
    found = verify_judge_tag(repository, tag, error);
    if (found == 0 && report->repair) {
        return verify_repair_tag(repository, tag, report, error);
    }
    if (found == 0) {
        verify_tell(report, path.text, NO_MANIFEST);
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
            verify_tell(report, walk.stray.text, "this can be no tag");
        } else if (verify_tag(repository, tag, report, error) < 0) {
            return -1;
        }
    }
    return (int)found;
}

static int verify_all(struct store *store, struct verify_report *report, struct error *error)
{
    AUTO_REPOSITORY_WALK struct repository_walk walk = repository_walk_begin(store, "", NULL);
    struct repository repository;
    enum walk_result found;

    if (verify_blobs(store, report, error) < 0) {
        return -1;
    }
    while ((found = repository_walk_next(&walk, &repository, error)) > 0) {
        if (found == WALK_STRAY) {
            verify_tell(report, walk.stray.text, "this can be no repository");
        } else if (verify_links(&repository, LINK_LAYER, report, error) < 0 ||
                   verify_links(&repository, LINK_REVISION, report, error) < 0 ||
                   verify_tags(&repository, report, error) < 0) {
            return -1;
        }
    }
    return (int)found;
}

int verify_store(struct store *store, struct verify_report *report, struct error *error)
{
    AUTO_LOCK struct lock lock = LOCK_INIT;

    if (report->repair) {
        switch (lock_take_or_make(&lock, (struct file_place){store->root, LAYOUT_REPAIR_LOCK},
                                  LOCK_TRY, error)) {
        case LOCK_TAKEN:
            break;
        case LOCK_BUSY:
            return error_set(error, ERROR_INTERNAL, "another repair is under way");
        case LOCK_ABSENT:
        case LOCK_FAILED:
            return -1;
        }
    }
    return verify_all(store, report, error);
}
