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
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    const char *first;
    int found = directory_open(&directory, walk->store->root, path, error);

    return found > 0 ? directory_next(&directory, &first, error) : found;
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

static int walk_all(struct walk *walk, const char *prefix, struct names *out, struct error *error)
{
    AUTO_BUFFER struct buffer top = BUFFER_INIT;

    buffer_format(&top, "%s%s", prefix, *prefix ? "/" : "");
    if (visit_directory(walk, top.data, error) < 0) {
        names_release(&walk->found);
        return -1;
    }
    *out = walk->found;
    return walk->more;
}

int catalog_list(struct store *store, const struct catalog_query *query, struct names *out,
                 struct error *error)
{
    struct walk walk = {.store = store, .page = &query->page, .found = NAMES_INIT};

    return walk_all(&walk, query->prefix, out, error);
}

int catalog_all(struct store *store, struct names *out, struct error *error)
{
    struct page all = {NULL, SIZE_MAX};
    struct walk walk = {.store = store, .page = &all, .with_empty = true, .found = NAMES_INIT};

    return walk_all(&walk, "", out, error);
}

struct search {
    struct repository candidate; /* the one that was looked at last */
    const struct digest *digest;
    unsigned looks; /* how many more there may be */
};

/* 1 if this one has it. */
static int search_look(struct search *search, const char *name, struct error *error)
{
    struct blob blob;

    if (search->looks == 0) {
        return 0;
    }
    search->looks--;
    (void)snprintf(search->candidate.name, sizeof(search->candidate.name), "%s", name);
    return blob_find(&search->candidate, search->digest, &blob, error);
}

/* Looks at what is right below a name ("": at the top); `out_names` gets what was looked at. Each
 * look is paid for as it comes, so that a directory of any size is read no further. */
static int search_children(struct search *search, const char *parent, const char *done,
                           struct names *out_names, struct error *error)
{
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    struct path path = layout_repository(parent);
    const char *child;
    int result = directory_open(&directory, search->candidate.store->root, path.text, error);

    while (result > 0 && search->looks > 0) {
        AUTO_BUFFER struct buffer name = BUFFER_INIT;

        result = directory_next(&directory, &child, error);
        if (result <= 0) {
            break;
        }
        buffer_format(&name, "%s%s%s", parent, *parent ? "/" : "", child);
        if (child[0] == '_' || !name_is_valid(name.data) || strcmp(name.data, done) == 0) {
            continue;
        }
        result = search_look(search, name.data, error);
        if (result != 0) {
            return result;
        }
        names_add(out_names, name.data);
        result = 1;
    }
    return result < 0 ? -1 : 0;
}

/* Everything below a name, the nearer levels first, but for `done` and what is below it. */
static int search_below(struct search *search, const char *parent, const char *done,
                        struct error *error)
{
    AUTO_NAMES struct names children = NAMES_INIT;
    int result = search_children(search, parent, done, &children, error);

    for (size_t i = 0; i < children.count && result == 0 && search->looks > 0; i++) {
        result = search_below(search, children.names[i], "", error);
    }
    return result;
}

static bool is_below(const char *name, const char *prefix)
{
    size_t length = strlen(prefix);

    return length == 0 || (text_begins(name, prefix) && name[length] == '/');
}

/* Cuts off the last part of a name; false at the prefix, which is as high as a search goes. */
static bool search_climb(char name[NAME_SIZE], const char *prefix)
{
    char *slash = strrchr(name, '/');

    if (strcmp(name, prefix) == 0) {
        return false;
    }
    *(slash ? slash : name) = '\0';
    return true;
}

/* From `near` upwards, each time without what has been searched already. */
static int search_around(struct search *search, const char *near, const char *prefix,
                         struct error *error)
{
    char level[NAME_SIZE];
    char done[NAME_SIZE] = "";
    int found = 0;

    (void)snprintf(level, sizeof(level), "%s", is_below(near, prefix) ? near : prefix);
    do {
        if (strcmp(level, prefix) != 0) {
            found = search_look(search, level, error);
        }
        if (found == 0) {
            found = search_below(search, level, done, error);
        }
        (void)snprintf(done, sizeof(done), "%s", level);
    } while (found == 0 && search->looks > 0 && search_climb(level, prefix));
    return found;
}

int catalog_find_blob(struct store *store, const struct catalog_search *query,
                      char out_name[NAME_SIZE], struct error *error)
{
    struct search search = {
        .candidate = {.store = store}, .digest = &query->digest, .looks = CATALOG_SEARCH_LIMIT};
    uint64_t size;
    int found = blob_is_stored(store, &query->digest, &size, error);

    if (found > 0) {
        found = search_around(&search, query->near, query->prefix, error);
    }
    if (found > 0) {
        (void)snprintf(out_name, NAME_SIZE, "%s", search.candidate.name);
    }
    return found;
}
