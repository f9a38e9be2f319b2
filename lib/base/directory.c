/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/memory.h"

int directory_open(struct directory *directory, int above, const char *path, struct error *error)
{
    AUTO_CLOSE int descriptor =
        openat(above, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (descriptor < 0 && file_is_gone(errno)) {
        return 0;
    }
    directory->stream = descriptor < 0 ? NULL : fdopendir(descriptor);
    if (!directory->stream) {
        (void)error_errno(error, "open '%s'", path);
        return -1; /* in so many words, for those who analyse the callers */
    }
    (void)steal_descriptor(&descriptor);
    return 1;
}

/* 1, 0, -1. */
static int directory_read(struct directory *directory, const struct dirent **out,
                          struct error *error)
{
    const struct dirent *entry;

    do {
        errno = 0;
        entry = readdir(directory->stream);
        if (!entry && errno != 0) {
            (void)error_errno(error, "list a directory");
            return -1;
        }
        if (!entry) {
            return 0;
        }
    } while (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    *out = entry;
    return 1;
}

int directory_next(struct directory *directory, const char **out_name, struct error *error)
{
    const struct dirent *entry;
    int found = directory_read(directory, &entry, error);

    if (found > 0) {
        *out_name = entry->d_name;
    }
    return found;
}

static bool directory_entry_is_one(const struct directory *directory, const struct dirent *entry)
{
    struct stat status;

    if (entry->d_type != DT_UNKNOWN) {
        return entry->d_type == DT_DIR;
    }
    return fstatat(directory_descriptor(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) ==
               0 &&
           S_ISDIR(status.st_mode);
}

int directory_split(struct directory *directory, struct names *out_directories,
                    struct names *out_others, struct error *error)
{
    const struct dirent *entry;
    int found;

    while ((found = directory_read(directory, &entry, error)) > 0) {
        names_add(directory_entry_is_one(directory, entry) ? out_directories : out_others,
                  entry->d_name);
    }
    return found;
}

int directory_descriptor(const struct directory *directory)
{
    return dirfd(directory->stream);
}

void directory_close(struct directory *directory)
{
    cleanup_close_directory(&directory->stream);
    directory->stream = NULL;
}

int directory_list(int above, const char *path, struct names *out, struct error *error)
{
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    const char *name;
    int result = directory_open(&directory, above, path, error);

    if (result <= 0) {
        return result;
    }
    while ((result = directory_next(&directory, &name, error)) > 0) {
        names_add(out, name);
    }
    if (result < 0) {
        return error_errno(error, "list '%s'", path);
    }
    names_sort(out);
    return 1;
}

/* A number below `limit`, as evenly as is needed here: Knuth's generator, from `state` on. */
static size_t directory_chance(uint64_t *state, size_t limit)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (size_t)((*state >> 33) % limit);
}

int directory_sample(int above, const char *path, size_t limit, struct names *out,
                     struct error *error)
{
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    const char *name;
    size_t seen = 0;
    uint64_t state = 0;
    int result = directory_open(&directory, above, path, error);

    if (result <= 0) {
        return result;
    }
    (void)!getrandom(&state, sizeof(state), GRND_NONBLOCK);
    /* Each has the same chance to be among those kept: the n-th takes a place with limit/n. */
    while ((result = directory_next(&directory, &name, error)) > 0) {
        size_t place = directory_chance(&state, ++seen);

        if (out->count < limit) {
            names_add(out, name);
            names_swap(out, place, out->count - 1);
        } else if (place < limit) {
            names_replace(out, place, name);
        }
    }
    return result < 0 ? error_errno(error, "list '%s'", path) : 1;
}

void directory_make(const char *path)
{
    AUTO_FREE char *above = memory_text(path);
    char *slash = strrchr(above, '/');

    if (mkdir(path, 0700) < 0 && errno == ENOENT && slash) {
        *slash = '\0';
        (void)mkdir(above, 0777);
        (void)mkdir(path, 0700);
    }
}

void directory_prune(int above, const char *path)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    struct error ignored;

    if (unlinkat(above, path, AT_REMOVEDIR) == 0 || (errno != ENOTEMPTY && errno != EEXIST)) {
        return;
    }
    (void)directory_list(above, path, &names, &ignored);
    for (size_t i = 0; i < names.count; i++) {
        AUTO_BUFFER struct buffer child = BUFFER_INIT;

        buffer_format(&child, "%s/%s", path, names.names[i]);
        directory_prune(above, child.data);
    }
    (void)unlinkat(above, path, AT_REMOVEDIR);
}

int directory_remove(int above, const char *path, struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;

    if (unlinkat(above, path, 0) == 0 || file_is_gone(errno)) {
        return 0;
    }
    if (errno != EISDIR && errno != EPERM) {
        return error_errno(error, "remove '%s'", path);
    }
    if (directory_list(above, path, &names, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count; i++) {
        AUTO_BUFFER struct buffer child = BUFFER_INIT;

        buffer_format(&child, "%s/%s", path, names.names[i]);
        if (directory_remove(above, child.data, error) < 0) {
            return -1;
        }
    }
    if (unlinkat(above, path, AT_REMOVEDIR) < 0 && errno != ENOENT) {
        return error_errno(error, "remove '%s'", path);
    }
    return 0;
}
