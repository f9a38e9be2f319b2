/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/glance.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base/directory.h"
#include "lib/store/walk.h"

enum { LINKS_OF_EMPTY = 2 }; /* a directory without directories in it */

/* Where the links of manifests are, below a repository. */
struct links {
    struct path paths[DIGEST_ALGORITHM_COUNT];
};

static struct links links_make(void)
{
    struct links links;

    for (int i = 0; i < DIGEST_ALGORITHM_COUNT; i++) {
        links.paths[i] = layout_links_within(LINK_REVISION, (enum digest_algorithm)i);
    }
    return links;
}

/* Whether a directory has directories in it: filesystems that count them say so at once. */
static bool has_entries(int above, const char *path, const struct stat *status)
{
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    struct error ignored;
    const char *entry;

    if (status->st_nlink >= LINKS_OF_EMPTY) {
        return status->st_nlink > LINKS_OF_EMPTY;
    }
    return directory_open(&directory, above, path, &ignored) > 0 &&
           directory_next(&directory, &entry, &ignored) > 0;
}

/* Of the repository whose directory is open. */
static void glance_look(int repository, const struct links *links, struct glance *out)
{
    *out = (struct glance){.has_manifests = false};
    /* The first that has any will do: the others cost each of thousands a call. */
    for (int i = 0; i < DIGEST_ALGORITHM_COUNT && !out->has_manifests; i++) {
        struct stat status;

        if (fstatat(repository, links->paths[i].text, &status, 0) == 0 &&
            has_entries(repository, links->paths[i].text, &status)) {
            out->has_manifests = true;
            out->changed = status.st_mtim.tv_sec;
        }
    }
}

void glance_take(const struct repository *repository, struct glance *out)
{
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    struct links links = links_make();
    struct error ignored;

    *out = (struct glance){.has_manifests = false};
    if (directory_open(&directory, repository->store->root,
                       layout_repository(repository->name).text, &ignored) > 0) {
        glance_look(directory_descriptor(&directory), &links, out);
    }
}

struct visit {
    const struct glance_visitor *visitor;
    struct links links;
    size_t looked;
};

/* `entry` is the name's directory, below `above`. False at the limit. */
static bool visit_name(struct visit *visit, int above, const char *entry, const char *name)
{
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    struct error ignored;
    struct glance glance;
    const char *child;

    if (directory_open(&directory, above, entry, &ignored) <= 0) {
        return true;
    }
    if (visit->looked > 0) {
        glance_look(directory_descriptor(&directory), &visit->links, &glance);
        if (glance.has_manifests) {
            visit->visitor->found(visit->visitor->context, name, &glance);
        }
    }
    while (directory_next(&directory, &child, &ignored) > 0) {
        char below[NAME_SIZE];

        if (!walk_child_name(name, child, below)) {
            continue;
        }
        if (visit->looked++ == visit->visitor->limit ||
            !visit_name(visit, directory_descriptor(&directory), child, below)) {
            return false;
        }
    }
    return true;
}

bool glance_walk(const struct store *store, const char *prefix,
                 const struct glance_visitor *visitor)
{
    struct visit visit = {.visitor = visitor, .links = links_make()};

    return visit_name(&visit, store->root, layout_repository(prefix).text, prefix);
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
