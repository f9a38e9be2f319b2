/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"
#include "lib/base/directory.h"
#include "lib/base/text.h"
#include "lib/store/blob.h"

struct walk {
    struct store *store;
    const struct page *page;
    bool with_empty; /* also repositories without a manifest */
    struct names found;
    bool more;
};

static int has_entries(const struct walk *walk, const char *path, struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    int listed = directory_list(walk->store->root, path, &names, error);

    return listed < 0 ? -1 : names.count > 0;
}

static int has_directory(const struct walk *walk, const char *path, struct error *error)
{
    struct stat status;

    if (fstatat(walk->store->root, path, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        return S_ISDIR(status.st_mode);
    }
    return file_is_gone(errno) ? 0 : error_errno(error, "stat '%s'", path);
}

/* Whether the directory of this name is a repository to list. */
static int is_listed(const struct walk *walk, const char *name, struct error *error)
{
    struct path path = layout_repository(name);

    if (walk->with_empty) {
        AUTO_BUFFER struct buffer layers = BUFFER_INIT;

        buffer_format(&layers, "%s/_layers", path.text);
        return has_directory(walk, layers.data, error);
    }
    for (int i = 0; i < DIGEST_ALGORITHM_COUNT; i++) {
        int has;

        path = layout_links(name, LINK_REVISION, (enum digest_algorithm)i);
        has = has_entries(walk, path.text, error);
        if (has != 0) {
            return has;
        }
    }
    return 0;
}

static bool is_behind(const struct page *page, const char *name)
{
    return page->last && strcmp(name, page->last) <= 0;
}

static int visit_repository(struct walk *walk, const char *name, struct error *error)
{
    int listed = is_behind(walk->page, name) ? 0 : is_listed(walk, name, error);

    if (listed <= 0) {
        return listed;
    }
    if (walk->found.count == walk->page->limit) {
        walk->more = true;
        return 0;
    }
    names_add(&walk->found, name);
    return 0;
}

/* Whether all names below `prefix` (which ends in '/') come before the page. */
static bool is_subtree_behind(const struct page *page, const char *prefix)
{
    return page->last && strcmp(prefix, page->last) < 0 && !text_begins(page->last, prefix);
}

/*
 * What is in a directory, as steps in the order of full names: a child "a" is visited as itself
 * and, for what is below it, as "a/". Between the two comes "a-b", because '-' sorts before '/'.
 */
static void list_steps(const struct names *children, const char *prefix, struct names *out)
{
    for (size_t i = 0; i < children->count; i++) {
        AUTO_BUFFER struct buffer name = BUFFER_INIT;

        buffer_format(&name, "%s%s", prefix, children->names[i]);
        if (children->names[i][0] == '_' || !name_is_valid(name.data)) {
            continue;
        }
        names_add(out, name.data);
        buffer_add_text(&name, "/");
        names_add(out, name.data);
    }
    names_sort(out);
}

/* `prefix` is empty or ends in '/'. */
static int visit_directory(struct walk *walk, const char *prefix, struct error *error)
{
    AUTO_NAMES struct names children = NAMES_INIT;
    AUTO_NAMES struct names steps = NAMES_INIT;
    AUTO_BUFFER struct buffer path = BUFFER_INIT;
    int listed;

    buffer_format(&path, LAYOUT_REPOSITORIES "/%s", prefix);
    path.data[path.length - 1] = '\0';
    listed = directory_list(walk->store->root, path.data, &children, error);
    if (listed <= 0) {
        return listed;
    }
    list_steps(&children, prefix, &steps);
    for (size_t i = 0; i < steps.count && !walk->more; i++) {
        const char *step = steps.names[i];
        bool is_subtree = step[strlen(step) - 1] == '/';
        int result = 0;

        if (!is_subtree) {
            result = visit_repository(walk, step, error);
        } else if (!is_subtree_behind(walk->page, step)) {
            result = visit_directory(walk, step, error);
        }
        if (result < 0) {
            return -1;
        }
    }
    return 0;
}

static int walk_all(struct walk *walk, struct names *out, struct error *error)
{
    if (visit_directory(walk, "", error) < 0) {
        names_release(&walk->found);
        return -1;
    }
    *out = walk->found;
    return walk->more;
}

int catalog_list(struct store *store, const struct page *page, struct names *out,
                 struct error *error)
{
    struct walk walk = {.store = store, .page = page, .found = NAMES_INIT};

    return walk_all(&walk, out, error);
}

int catalog_all(struct store *store, struct names *out, struct error *error)
{
    struct page all = {NULL, SIZE_MAX};
    struct walk walk = {.store = store, .page = &all, .with_empty = true, .found = NAMES_INIT};

    return walk_all(&walk, out, error);
}

int catalog_find_blob(struct store *store, const struct digest *digest, char out_name[NAME_SIZE],
                      struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    uint64_t size;
    int found = blob_is_stored(store, digest, &size, error);

    if (found <= 0) {
        return found;
    }
    if (catalog_all(store, &names, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count; i++) {
        struct repository repository = {.store = store};
        struct blob blob;

        (void)snprintf(repository.name, sizeof(repository.name), "%s", names.names[i]);
        found = blob_find(&repository, digest, &blob, error);
        if (found != 0) {
            (void)snprintf(out_name, NAME_SIZE, "%s", names.names[i]);
            return found;
        }
    }
    return 0;
}
