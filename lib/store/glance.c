/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/glance.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base/directory.h"

enum { LINKS_OF_EMPTY = 2 }; /* a directory without directories in it */

/* Whether a directory has directories in it: filesystems that count them say so at once. */
static bool has_entries(const struct repository *repository, const char *path,
                        const struct stat *status)
{
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    struct error ignored;
    const char *entry;

    if (status->st_nlink >= LINKS_OF_EMPTY) {
        return status->st_nlink > LINKS_OF_EMPTY;
    }
    return directory_open(&directory, repository->store->root, path, &ignored) > 0 &&
           directory_next(&directory, &entry, &ignored) > 0;
}

void glance_take(const struct repository *repository, struct glance *out)
{
    *out = (struct glance){.has_manifests = false};
    /* The first that has any will do: the others cost each of thousands a call. */
    for (int i = 0; i < DIGEST_ALGORITHM_COUNT && !out->has_manifests; i++) {
        struct path path = layout_links(repository->name, LINK_REVISION, (enum digest_algorithm)i);
        struct stat status;

        if (fstatat(repository->store->root, path.text, &status, 0) == 0 &&
            has_entries(repository, path.text, &status)) {
            out->has_manifests = true;
            out->changed = status.st_mtim.tv_sec;
        }
    }
}

uint64_t glance_count_tags(const struct repository *repository)
{
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    struct path path = layout_tags(repository->name);
    struct error ignored;
    struct stat status;
    const char *entry;
    uint64_t count = 0;

    if (fstatat(repository->store->root, path.text, &status, 0) < 0) {
        return 0;
    }
    if (status.st_nlink >= LINKS_OF_EMPTY) {
        return status.st_nlink - LINKS_OF_EMPTY;
    }
    if (directory_open(&directory, repository->store->root, path.text, &ignored) > 0) {
        while (directory_next(&directory, &entry, &ignored) > 0) {
            count++;
        }
    }
    return count;
}
