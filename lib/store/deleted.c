/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/deleted.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/store/link.h"
#include "lib/store/walk.h"

void deleted_release(struct deleted *deleted)
{
    free(deleted->things);
    *deleted = (struct deleted)DELETED_INIT;
}

int deleted_open(const struct store *store, struct store *out_trash, struct error *error)
{
    struct path path = layout_trash(TRASH_DELETED, "");
    struct store trash = STORE_INIT;

    trash.options = store->options;
    trash.only_looks = true;
    trash.root = openat(store->root, path.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (trash.root < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "open '%s'", path.text);
    }
    *out_trash = trash;
    return 1;
}

/* Adds a tag, or for "" a manifest, if its link is there: it may be taken back at any time. */
static int deleted_add(const struct repository *repository, const char *tag, const char *link,
                       struct deleted *out, struct error *error)
{
    struct deleted_thing thing;
    struct stat status;
    int found = link_read(repository->store, link, &thing.digest, error);

    if (found <= 0) {
        return found;
    }
    if (out->count == DELETED_LIMIT) {
        out->is_cut = true;
        return 0;
    }
    if (fstatat(repository->store->root, link, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "stat '%s'", link);
    }
    (void)text_copy(thing.tag, sizeof(thing.tag), tag, strlen(tag));
    thing.when = status.st_ctim.tv_sec;
    out->things[out->count++] = thing;
    return 0;
}

static int deleted_add_tags(const struct repository *repository, struct deleted *out,
                            struct error *error)
{
    AUTO_TAG_WALK struct tag_walk walk = tag_walk_begin(repository, NULL);
    enum walk_result result;
    const char *tag;

    while (!out->is_cut && (result = tag_walk_next(&walk, &tag, error)) != WALK_END) {
        if (result == WALK_FAILED ||
            (result == WALK_FOUND &&
             deleted_add(repository, tag, layout_tag_current(repository->name, tag).text, out,
                         error) < 0)) {
            return -1;
        }
    }
    return 0;
}

static int deleted_add_manifests(const struct repository *repository, struct deleted *out,
                                 struct error *error)
{
    AUTO_LINK_WALK struct link_walk walk = link_walk_begin(repository, LINK_REVISION);
    enum walk_result result;
    struct digest digest;

    while (!out->is_cut && (result = link_walk_next(&walk, &digest, error)) != WALK_END) {
        if (result == WALK_FAILED ||
            (result == WALK_FOUND &&
             deleted_add(repository, "", layout_link(repository->name, LINK_REVISION, &digest).text,
                         out, error) < 0)) {
            return -1;
        }
    }
    return 0;
}

/* The latest first; of the same second, tags by their names and then manifests. */
static int deleted_compare(const void *left, const void *right)
{
    const struct deleted_thing *one = left;
    const struct deleted_thing *other = right;

    if (one->when != other->when) {
        return one->when > other->when ? -1 : 1;
    }
    if (!*one->tag != !*other->tag) {
        return *one->tag ? -1 : 1;
    }
    return *one->tag ? strcmp(one->tag, other->tag) : strcmp(one->digest.text, other->digest.text);
}

int deleted_list(const struct repository *repository, struct deleted *out, struct error *error)
{
    AUTO_DELETED struct deleted found = {.things =
                                             memory_allocate(DELETED_LIMIT, sizeof(*found.things))};

    if (deleted_add_tags(repository, &found, error) < 0 ||
        deleted_add_manifests(repository, &found, error) < 0) {
        return -1;
    }
    qsort(found.things, found.count, sizeof(*found.things), deleted_compare);
    *out = found;
    found = (struct deleted)DELETED_INIT;
    return 0;
}
