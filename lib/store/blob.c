/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/store/link.h"

int blob_is_stored(const struct store *store, const struct digest *digest, uint64_t *out_size,
                   struct error *error)
{
    struct path path = layout_blob(digest);
    struct stat status;

    if (fstatat(store->root, path.text, &status, 0) < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "stat '%s'", path.text);
    }
    *out_size = (uint64_t)status.st_size;
    return S_ISREG(status.st_mode);
}

int blob_find(const struct repository *repository, const struct digest *digest,
              struct blob *out_blob, struct error *error)
{
    struct blob blob = {.digest = *digest};
    int found = link_follow(repository, LINK_LAYER, digest, &blob.target, error);

    if (found > 0) {
        found = blob_is_stored(repository->store, &blob.target, &blob.size, error);
    }
    if (found > 0) {
        *out_blob = blob;
    }
    return found;
}

int blob_open(const struct repository *repository, const struct blob *blob, struct error *error)
{
    struct path path = layout_blob(&blob->target);
    int descriptor = openat(repository->store->root, path.text, O_RDONLY | O_CLOEXEC);

    if (descriptor < 0 && file_is_gone(errno)) {
        return error_set(error, ERROR_BLOB_UNKNOWN, "blob unknown to the repository");
    }
    return descriptor < 0 ? error_errno(error, "open '%s'", path.text) : descriptor;
}

int blob_publish(const struct repository *repository, const struct digest *digest,
                 struct file_place file, int descriptor, struct error *error)
{
    struct store *store = repository->store;
    struct path data = layout_blob(digest);
    struct path link = layout_link(repository->name, LINK_LAYER, digest);
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(store);

    if (file_sync(descriptor, file.path, error) < 0 ||
        file_publish(file, (struct file_place){store->root, data.text}, error) < 0) {
        return -1;
    }
    sync_set_add(&syncs, data.text);
    if (link_write(store, link.text, digest, &syncs, error) < 0) {
        return -1;
    }
    return sync_set_flush(&syncs, error);
}

int blob_write(struct store *store, const struct digest *digest, const struct buffer *content,
               struct sync_set *syncs, struct error *error)
{
    return store_write(store, layout_blob(digest).text, content, syncs, error);
}

int blob_mount(const struct repository *repository, const struct blob *blob, struct error *error)
{
    struct store *store = repository->store;
    struct path link = layout_link(repository->name, LINK_LAYER, &blob->digest);
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(store);
    struct blob present;
    uint64_t size;
    int found = blob_find(repository, &blob->digest, &present, error);

    if (found < 0) {
        return -1;
    }
    if (found == 0) {
        if (link_write(store, link.text, &blob->target, &syncs, error) < 0) {
            return -1;
        }
        /* After the link is there, so that no collector can take the bytes in between unseen. */
        found = blob_is_stored(store, &blob->target, &size, error);
        if (found == 0) {
            (void)link_remove(store, link.text, &syncs, error);
        }
        if (found <= 0) {
            return found;
        }
    }
    sync_set_add(&syncs, link.text);
    sync_set_add(&syncs, layout_blob(&blob->target).text);
    return sync_set_flush(&syncs, error) < 0 ? -1 : 1;
}

int blob_unlink(const struct repository *repository, const struct digest *digest,
                struct error *error)
{
    struct store *store = repository->store;
    struct path link = layout_link(repository->name, LINK_LAYER, digest);
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(store);
    int removed = link_remove(store, link.text, &syncs, error);

    if (removed <= 0) {
        return removed;
    }
    return sync_set_flush(&syncs, error) < 0 ? -1 : 1;
}
