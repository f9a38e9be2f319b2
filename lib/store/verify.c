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
#include "lib/base/directory.h"
#include "lib/store/blob.h"
#include "lib/store/catalog.h"
#include "lib/store/link.h"
#include "lib/store/repository.h"

enum { READ_SIZE = 1024 * 1024 };

static void tell(struct verify_report *report, const char *path, const char *what)
{
    report->problems++;
    report->problem(report->context, path, what);
}

/* Hashes an open blob. 1 if it has its digest, 0 if not, -1. */
static int has_digest(int descriptor, const struct digest *digest, struct error *error)
{
    AUTO_FREE char *piece = malloc(READ_SIZE);
    struct digest actual;
    struct hash hash;
    uint64_t offset = 0;
    ssize_t got;

    if (!piece) {
        return error_errno(error, "read a blob");
    }
    hash_begin(&hash, digest->algorithm);
    while ((got = file_read_at(descriptor, offset, piece, READ_SIZE, error)) > 0) {
        hash_update(&hash, piece, (size_t)got);
        offset += (uint64_t)got;
    }
    if (got < 0) {
        return -1;
    }
    hash_finish(&hash, &actual);
    return digest_equal(&actual, digest);
}

static int verify_blob(struct store *store, const struct digest *digest,
                       struct verify_report *report, struct error *error)
{
    struct path path = layout_blob(digest);
    AUTO_CLOSE int descriptor = openat(store->root, path.text, O_RDONLY | O_CLOEXEC);
    struct stat status;
    int good;

    if (descriptor < 0 && file_is_gone(errno)) {
        return 0; /* a directory whose blob is just coming or going */
    }
    if (descriptor < 0 || fstat(descriptor, &status) < 0) {
        return error_errno(error, "open '%s'", path.text);
    }
    report->blobs++;
    report->bytes += (uint64_t)status.st_size;
    good = report->skip_content ? 1 : has_digest(descriptor, digest, error);
    if (good > 0) {
        return 0;
    }
    if (good < 0 && errno != EIO) {
        return -1;
    }
    tell(report, path.text, "the bytes have another digest, or cannot be read");
    if (!report->repair) {
        return 0;
    }
    /* Out of the way, so that the next push, or the next pull through a proxy, brings it back. */
    return file_publish((struct file_place){store->root, path.text},
                        (struct file_place){store->root, layout_damaged(digest).text}, error);
}

static int verify_blobs(struct store *store, enum digest_algorithm algorithm,
                        struct verify_report *report, struct error *error)
{
    AUTO_NAMES struct names prefixes = NAMES_INIT;
    AUTO_BUFFER struct buffer top = BUFFER_INIT;
    struct digest digest;
    struct error ignored;

    buffer_format(&top, LAYOUT_BLOBS "/%s", digest_algorithm_name(algorithm));
    if (directory_list(store->root, top.data, &prefixes, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < prefixes.count; i++) {
        AUTO_NAMES struct names names = NAMES_INIT;
        AUTO_BUFFER struct buffer path = BUFFER_INIT;

        buffer_format(&path, "%s/%s", top.data, prefixes.names[i]);
        if (directory_list(store->root, path.data, &names, error) < 0) {
            return -1;
        }
        for (size_t j = 0; j < names.count; j++) {
            AUTO_BUFFER struct buffer text = BUFFER_INIT;

            buffer_format(&text, "%s:%s", digest_algorithm_name(algorithm), names.names[j]);
            if (digest_parse(&digest, text.data, &ignored) < 0) {
                buffer_clear(&text);
                buffer_format(&text, "%s/%s", path.data, names.names[j]);
                tell(report, text.data, "this does not belong here");
            } else if (verify_blob(store, &digest, report, error) < 0) {
                return -1;
            }
        }
    }
    return 0;
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
                        enum digest_algorithm algorithm, struct verify_report *report,
                        struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    struct path directory = layout_links(repository->name, kind, algorithm);

    if (directory_list(repository->store->root, directory.text, &names, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count; i++) {
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        struct digest digest;
        struct error ignored;

        buffer_format(&text, "%s:%s", digest_algorithm_name(algorithm), names.names[i]);
        if (digest_parse(&digest, text.data, &ignored) < 0) {
            tell(report, directory.text, "something here has no digest as its name");
            continue;
        }
        if (verify_link(repository, kind, &digest, report, error) < 0 ||
            (kind == LINK_REVISION && verify_manifest(repository, &digest, report, error) < 0)) {
            return -1;
        }
    }
    return 0;
}

static int verify_tags(const struct repository *repository, struct verify_report *report,
                       struct error *error)
{
    AUTO_NAMES struct names tags = NAMES_INIT;
    struct path directory = layout_tags(repository->name);

    if (directory_list(repository->store->root, directory.text, &tags, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < tags.count; i++) {
        struct path path = layout_tag_current(repository->name, tags.names[i]);
        struct digest digest;
        struct stat status;
        int found;

        if (!tag_is_valid(tags.names[i]) ||
            fstatat(repository->store->root, path.text, &status, 0) < 0) {
            continue; /* a tag that is just coming or going */
        }
        report->tags++;
        found = tag_get(repository, tags.names[i], &digest, error);
        if (found > 0) {
            found = revision_exists(repository, &digest, error);
        }
        if (found < 0) {
            return -1;
        }
        if (!found) {
            (void)tell_link(repository, path.text, "a tag whose manifest is not there", report);
        }
    }
    return 0;
}

static int verify_repository(const struct repository *repository, struct verify_report *report,
                             struct error *error)
{
    for (int i = 0; i < DIGEST_ALGORITHM_COUNT; i++) {
        enum digest_algorithm algorithm = (enum digest_algorithm)i;

        if (verify_links(repository, LINK_LAYER, algorithm, report, error) < 0 ||
            verify_links(repository, LINK_REVISION, algorithm, report, error) < 0) {
            return -1;
        }
    }
    return verify_tags(repository, report, error);
}

int verify_store(struct store *store, struct verify_report *report, struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;

    for (int i = 0; i < DIGEST_ALGORITHM_COUNT; i++) {
        if (verify_blobs(store, (enum digest_algorithm)i, report, error) < 0) {
            return -1;
        }
    }
    if (catalog_all(store, &names, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count; i++) {
        struct repository repository = {.store = store};

        (void)snprintf(repository.name, sizeof(repository.name), "%s", names.names[i]);
        if (verify_repository(&repository, report, error) < 0) {
            return -1;
        }
    }
    return 0;
}
