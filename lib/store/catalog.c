/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/catalog.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/store/blob.h"
#include "lib/store/walk.h"

static int catalog_has_manifests(const struct repository *repository, struct error *error)
{
    AUTO_LINK_WALK struct link_walk walk = link_walk_begin(repository, LINK_REVISION);
    struct digest digest;
    enum walk_result found;

    do {
        found = link_walk_next(&walk, &digest, error);
    } while (found == WALK_STRAY);
    return found == WALK_FAILED ? -1 : found == WALK_FOUND;
}

int catalog_list(struct store *store, const struct catalog_query *query, struct names *out,
                 struct error *error)
{
    AUTO_REPOSITORY_WALK struct repository_walk walk =
        repository_walk_begin(store, query->prefix, query->page.last);
    AUTO_NAMES struct names names = NAMES_INIT;
    struct repository repository;
    enum walk_result found;
    int more = 0;

    while (!more && (found = repository_walk_next(&walk, &repository, error)) != WALK_END) {
        int listed = found == WALK_FOUND ? catalog_has_manifests(&repository, error) : 0;

        if (found == WALK_FAILED || listed < 0) {
            return -1;
        }
        if (listed && names.count == query->page.limit) {
            more = 1;
        } else if (listed) {
            names_add(&names, repository.name);
        }
    }
    *out = names;
    names = (struct names)NAMES_INIT;
    return more;
}

struct search {
    struct repository candidate; /* the one that was looked at last */
    const struct catalog_search *query;
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
    if (!search->query->may_look(search->query->context, name)) {
        return 0;
    }
    (void)snprintf(search->candidate.name, sizeof(search->candidate.name), "%s", name);
    return blob_find(&search->candidate, &search->query->digest, &blob, error);
}

/* Looks at what is right below a name ("": at the top); `out_names` gets what was looked at. Each
 * look is paid for as it comes, so that a directory of any size is read no further. */
static int search_children(struct search *search, const char *parent, const char *done,
                           struct names *out_names, struct error *error)
{
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    struct path path = layout_repository(parent);
    const char *entry;
    int result = directory_open(&directory, search->candidate.store->root, path.text, error);

    while (result > 0 && search->looks > 0) {
        char name[NAME_SIZE];

        result = directory_next(&directory, &entry, error);
        if (result <= 0) {
            break;
        }
        if (!walk_child_name(parent, entry, name) || strcmp(name, done) == 0) {
            continue;
        }
        result = search_look(search, name, error);
        if (result != 0) {
            return result;
        }
        names_add(out_names, name);
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

static bool catalog_is_below(const char *name, const char *prefix)
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

    (void)snprintf(level, sizeof(level), "%s", catalog_is_below(near, prefix) ? near : prefix);
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
        .candidate = {.store = store}, .query = query, .looks = CATALOG_SEARCH_LIMIT};
    int found = search_around(&search, query->near, query->prefix, error);

    if (found > 0) {
        (void)snprintf(out_name, NAME_SIZE, "%s", search.candidate.name);
    }
    return found;
}
