/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"

/* So many tags are in memory, or up to twice as many. */
enum { TAG_WINDOW = 4096 };

static bool walk_is_link(const struct store *store, const char *path)
{
    struct stat status;

    return fstatat(store->root, path, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
}

/* Whether a path is where directories of a repository are, which begin with an underscore. */
static bool walk_is_within(const char *path)
{
    return strstr(path, "/_") != NULL;
}

int walk_refuse_links(const struct store *store, const char *path, struct error *error)
{
    struct path above = layout_above(path);
    struct stat status;
    int found = fstatat(store->root, path, &status, AT_SYMLINK_NOFOLLOW);

    if (found < 0 && !file_is_gone(errno)) {
        return error_errno(error, "look at '%s'", path);
    }
    if (found == 0 && S_ISLNK(status.st_mode)) {
        return error_set(error, ERROR_INTERNAL, "'%s' is a symbolic link, which is not followed",
                         path);
    }
    return walk_is_within(above.text) ? walk_refuse_links(store, above.text, error) : 0;
}

int walk_open(struct directory *directory, const struct store *store, const char *path,
              struct error *error)
{
    int found = directory_open(directory, store->root, path, error);

    return found == 0 ? walk_refuse_links(store, path, error) : found;
}

/* 1 and the next entry; 0 at the end of the last algorithm's directory; -1. */
static int digest_walk_next(struct digest_walk *walk, const struct store *store,
                            const char **out_entry, struct error *error)
{
    while (walk->algorithm < DIGEST_ALGORITHM_COUNT) {
        int found = 1;

        if (!walk->directory.stream) {
            found = walk_open(&walk->directory, store, walk->paths[walk->algorithm].text, error);
        }
        if (found > 0) {
            found = directory_next(&walk->directory, out_entry, error);
        }
        if (found != 0) {
            return found;
        }
        directory_close(&walk->directory);
        walk->algorithm++;
    }
    return 0;
}

/* Whether an entry is the digits of a digest. */
static bool walk_read_digest(const struct digest_walk *walk, const char *entry,
                             struct digest *out_digest)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct error ignored;

    buffer_format(&text, "%s:%s", digest_algorithm_name((enum digest_algorithm)walk->algorithm),
                  entry);
    return digest_parse(out_digest, text.data, &ignored) == 0;
}

struct blob_walk blob_walk_begin(const struct store *store)
{
    struct blob_walk walk = {.store = store};

    for (int i = 0; i < DIGEST_ALGORITHM_COUNT; i++) {
        walk.prefixes.paths[i] = layout_blobs((enum digest_algorithm)i);
    }
    return walk;
}

/* The one directory cannot be read (on). */
static enum walk_result blob_walk_pass(struct blob_walk *walk, const struct error *error)
{
    const struct digest_walk *prefixes = &walk->prefixes;

    directory_close(&walk->directory);
    if (!walk->passes_closed) {
        return WALK_FAILED;
    }
    walk->closed = *error;
    walk->stray = layout_below(prefixes->paths[prefixes->algorithm].text, walk->prefix);
    return WALK_STRAY;
}

/* Opens the next directory of blobs. */
static enum walk_result blob_walk_descend(struct blob_walk *walk, struct error *error)
{
    struct digest_walk *prefixes = &walk->prefixes;
    const char *entry;
    int found;

    while ((found = digest_walk_next(prefixes, walk->store, &entry, error)) > 0) {
        if (strlen(entry) != sizeof(walk->prefix) - 1 || !text_is_hex(entry, strlen(entry))) {
            walk->stray = layout_below(prefixes->paths[prefixes->algorithm].text, entry);
            return WALK_STRAY;
        }
        (void)snprintf(walk->prefix, sizeof(walk->prefix), "%s", entry);
        found = directory_open(&walk->directory, directory_descriptor(&prefixes->directory), entry,
                               error);
        if (found != 0) {
            return found < 0 ? blob_walk_pass(walk, error) : WALK_FOUND;
        }
    }
    return found < 0 ? WALK_FAILED : WALK_END;
}

enum walk_result blob_walk_next(struct blob_walk *walk, struct digest *out_digest,
                                struct error *error)
{
    walk->closed.message[0] = '\0';
    for (;;) {
        const char *entry;
        int found;

        if (!walk->directory.stream) {
            enum walk_result result = blob_walk_descend(walk, error);

            if (result != WALK_FOUND) {
                return result;
            }
        }
        found = directory_next(&walk->directory, &entry, error);
        if (found < 0) {
            return blob_walk_pass(walk, error);
        }
        if (found == 0) {
            directory_close(&walk->directory);
            continue;
        }
        if (text_begins(entry, walk->prefix) &&
            walk_read_digest(&walk->prefixes, entry, out_digest)) {
            return WALK_FOUND;
        }
        walk->stray =
            layout_below(walk->prefixes.paths[walk->prefixes.algorithm].text, walk->prefix);
        walk->stray = layout_below(walk->stray.text, entry);
        return WALK_STRAY;
    }
}

void blob_walk_release(struct blob_walk *walk)
{
    directory_close(&walk->directory);
    directory_close(&walk->prefixes.directory);
}

struct link_walk link_walk_begin(const struct repository *repository, enum link_kind kind)
{
    struct link_walk walk = {.repository = repository};

    for (int i = 0; i < DIGEST_ALGORITHM_COUNT; i++) {
        walk.links.paths[i] = layout_links(repository->name, kind, (enum digest_algorithm)i);
    }
    return walk;
}

enum walk_result link_walk_next(struct link_walk *walk, struct digest *out_digest,
                                struct error *error)
{
    const char *entry;
    int found = digest_walk_next(&walk->links, walk->repository->store, &entry, error);

    if (found <= 0) {
        return found < 0 ? WALK_FAILED : WALK_END;
    }
    if (walk_read_digest(&walk->links, entry, out_digest)) {
        return WALK_FOUND;
    }
    walk->stray = layout_below(walk->links.paths[walk->links.algorithm].text, entry);
    return WALK_STRAY;
}

void link_walk_release(struct link_walk *walk)
{
    directory_close(&walk->links.directory);
}

struct tag_walk tag_walk_begin(const struct repository *repository, const char *after)
{
    struct tag_walk walk = {.repository = repository, .tags = NAMES_INIT};

    (void)snprintf(walk.after, sizeof(walk.after), "%s", after ? after : "");
    return walk;
}

/* One entry, unless it is behind us, or so far ahead that others come first. */
static void tag_walk_take(struct tag_walk *walk, const char *entry)
{
    if (strcmp(entry, walk->after) <= 0 ||
        (walk->is_cut && strcmp(entry, walk->tags.names[TAG_WINDOW - 1]) > 0)) {
        return;
    }
    names_add(&walk->tags, entry);
    if (walk->tags.count == (size_t)2 * TAG_WINDOW) {
        names_sort(&walk->tags);
        names_cut(&walk->tags, TAG_WINDOW);
        walk->is_cut = true;
    }
}

/* Reads the next ones behind `after`. */
static int tag_walk_read(struct tag_walk *walk, struct error *error)
{
    const struct store *store = walk->repository->store;
    struct path path = layout_tags(walk->repository->name);
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    const char *entry;
    int found = walk_open(&directory, store, path.text, error);

    names_release(&walk->tags);
    walk->next = 0;
    walk->is_cut = false;
    if (found <= 0) {
        return found;
    }
    while ((found = directory_next(&directory, &entry, error)) > 0) {
        tag_walk_take(walk, entry);
    }
    names_sort(&walk->tags);
    return found;
}

/* The next entry; NULL at the end. */
static int tag_walk_entry(struct tag_walk *walk, const char **out_entry, struct error *error)
{
    bool is_over = walk->next == walk->tags.count;

    if (is_over && walk->is_cut) {
        (void)snprintf(walk->after, sizeof(walk->after), "%s",
                       walk->tags.names[walk->tags.count - 1]);
    }
    if (is_over && (walk->is_cut || !walk->is_begun)) {
        walk->is_begun = true;
        if (tag_walk_read(walk, error) < 0) {
            return -1;
        }
    }
    *out_entry = walk->next < walk->tags.count ? walk->tags.names[walk->next++] : NULL;
    return 0;
}

enum walk_result tag_walk_next(struct tag_walk *walk, const char **out_tag, struct error *error)
{
    const char *entry;

    if (tag_walk_entry(walk, &entry, error) < 0) {
        return WALK_FAILED;
    }
    if (!entry) {
        return WALK_END;
    }
    if (tag_is_valid(entry)) {
        *out_tag = entry;
        return WALK_FOUND;
    }
    walk->stray = layout_below(layout_tags(walk->repository->name).text, entry);
    return WALK_STRAY;
}

void tag_walk_release(struct tag_walk *walk)
{
    names_release(&walk->tags);
}

bool walk_child_name(const char *parent, const char *entry, char out_name[NAME_SIZE])
{
    AUTO_BUFFER struct buffer name = BUFFER_INIT;

    buffer_format(&name, "%s%s%s", parent, *parent ? "/" : "", entry);
    if (entry[0] == '_' || !name_is_valid(name.data)) {
        return false;
    }
    (void)snprintf(out_name, NAME_SIZE, "%s", name.data);
    return true;
}

/*
 * What is in a directory, as steps in the order of full names: a child "a" is visited as itself
 * and, for what is below it, as "a/". Between the two comes "a-b", because '-' sorts before '/'.
 * What can be no name is a step like "/.x": it sorts before all others.
 */
struct walk_level {
    struct names steps;
    size_t next;
};

static void walk_list_steps(const struct names *entries, const char *parent, struct names *out)
{
    for (size_t i = 0; i < entries->count; i++) {
        const char *entry = entries->names[i];
        AUTO_BUFFER struct buffer step = BUFFER_INIT;
        char name[NAME_SIZE];

        if (walk_child_name(parent, entry, name)) {
            names_add(out, name);
            buffer_format(&step, "%s/", name);
            names_add(out, step.data);
        } else if (entry[0] != '_') {
            buffer_format(&step, "/%s%s%s", parent, *parent ? "/" : "", entry);
            names_add(out, step.data);
        }
    }
    names_sort(out);
}

struct repository_walk repository_walk_begin(struct store *store, const char *prefix,
                                             const char *after)
{
    return (struct repository_walk){.store = store, .prefix = prefix, .after = after};
}

/* And the names above it that held nothing else. */
static void walk_remove_empty(const struct store *store, struct path path)
{
    while (strcmp(path.text, LAYOUT_REPOSITORIES) != 0 &&
           unlinkat(store->root, path.text, AT_REMOVEDIR) == 0) {
        path = layout_above(path.text);
    }
}

/* Goes on with what is below a name. */
static int repository_walk_enter(struct repository_walk *walk, const char *name,
                                 struct error *error)
{
    AUTO_NAMES struct names entries = NAMES_INIT;
    int found = directory_list(walk->store->root, layout_repository(name).text, &entries, error);

    if (found > 0 && entries.count == 0 && walk->removes_empty) {
        walk_remove_empty(walk->store, layout_repository(name));
        return 0;
    }
    if (found <= 0) {
        return found;
    }
    if (walk->depth == walk->capacity) {
        walk->capacity = walk->capacity ? walk->capacity * 2 : 8;
        walk->levels = memory_resize(walk->levels, walk->capacity, sizeof(*walk->levels));
    }
    walk->levels[walk->depth] = (struct walk_level){.steps = NAMES_INIT};
    walk_list_steps(&entries, name, &walk->levels[walk->depth].steps);
    walk->depth++;
    return 0;
}

/* Whether all names below `step` (which ends in '/') come before the walk begins. */
static bool repository_walk_skips(const struct repository_walk *walk, const char *step)
{
    return walk->after && strcmp(step, walk->after) < 0 && !text_begins(walk->after, step);
}

static int repository_walk_has(const struct repository_walk *walk, struct path path,
                               struct error *error)
{
    struct stat status;

    if (fstatat(walk->store->root, path.text, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        return S_ISDIR(status.st_mode) || S_ISLNK(status.st_mode);
    }
    return file_is_gone(errno) ? 0 : error_errno(error, "stat '%s'", path.text);
}

/* Whether the directory of a name is a repository. */
static int repository_walk_look(const struct repository_walk *walk, const char *name,
                                struct error *error)
{
    int found;

    if (walk->after && strcmp(name, walk->after) <= 0) {
        return 0;
    }
    found = repository_walk_has(walk, layout_layers(name), error);
    return found ? found : repository_walk_has(walk, layout_manifests(name), error);
}

/* WALK_END: nothing is found at this step, go on. */
static enum walk_result repository_walk_step(struct repository_walk *walk, const char *step,
                                             struct repository *out_repository, struct error *error)
{
    size_t length = strlen(step);
    struct repository found = {.store = walk->store};
    int result = 0;

    if (step[0] == '/') {
        walk->stray = layout_repository(step + 1);
        return WALK_STRAY;
    }
    if (step[length - 1] == '/') {
        (void)snprintf(found.name, sizeof(found.name), "%.*s", (int)length - 1, step);
        walk->stray = layout_repository(found.name);
        if (repository_walk_skips(walk, step)) {
            return WALK_END;
        }
        if (walk_is_link(walk->store, walk->stray.text)) {
            return WALK_STRAY;
        }
        return repository_walk_enter(walk, found.name, error) < 0 ? WALK_FAILED : WALK_END;
    }
    (void)snprintf(found.name, sizeof(found.name), "%s", step);
    walk->stray = layout_repository(step);
    result = repository_walk_look(walk, step, error);
    if (result > 0) {
        *out_repository = found;
    }
    return result < 0 ? WALK_FAILED : result > 0 ? WALK_FOUND : WALK_END;
}

enum walk_result repository_walk_next(struct repository_walk *walk,
                                      struct repository *out_repository, struct error *error)
{
    if (!walk->is_begun && repository_walk_enter(walk, walk->prefix, error) < 0) {
        return WALK_FAILED;
    }
    walk->is_begun = true;
    walk->closed.message[0] = '\0';
    while (walk->depth > 0) {
        struct walk_level *level = &walk->levels[walk->depth - 1];
        enum walk_result result;

        if (level->next == level->steps.count) {
            names_release(&level->steps);
            walk->depth--;
            continue;
        }
        result =
            repository_walk_step(walk, level->steps.names[level->next++], out_repository, error);
        if (result == WALK_FAILED && walk->passes_closed) {
            walk->closed = *error;
            result = WALK_STRAY;
        }
        if (result != WALK_END) {
            return result;
        }
    }
    return WALK_END;
}

void repository_walk_release(struct repository_walk *walk)
{
    while (walk->depth > 0) {
        names_release(&walk->levels[--walk->depth].steps);
    }
    free(walk->levels);
    walk->levels = NULL;
}
