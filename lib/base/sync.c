/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/memory.h"

static int sync_compare(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static size_t sync_levels(const char *path)
{
    size_t count = 1;

    for (; *path; path++) {
        count += *path == '/';
    }
    return count;
}

/* What a directory is known by; all zero if that cannot be told. */
static struct sync_mark sync_mark_of(int directory, const char *path)
{
    struct statx status;

    if (statx(directory, path, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME,
              &status) < 0 ||
        !(status.stx_mask & STATX_BTIME)) {
        return (struct sync_mark){.born = 0};
    }
    return (struct sync_mark){
        .device = (uint64_t)status.stx_dev_major << 32 | status.stx_dev_minor,
        .inode = status.stx_ino,
        .born = status.stx_btime.tv_sec * 1000000000 + status.stx_btime.tv_nsec,
    };
}

static struct sync_mark *sync_memory_slot(struct sync_memory *memory, const struct sync_mark *mark)
{
    return &memory->marks[mark->inode % SYNC_MEMORY_SIZE];
}

static bool sync_is_known(const struct sync_set *set, const char *path)
{
    struct sync_mark mark;
    const struct sync_mark *known;

    if (!set->memory) {
        return false;
    }
    mark = sync_mark_of(set->root, path);
    known = sync_memory_slot(set->memory, &mark);
    return mark.born != 0 && known->born == mark.born && known->inode == mark.inode &&
           known->device == mark.device;
}

void sync_set_add(struct sync_set *set, const char *path)
{
    AUTO_FREE char *parent = memory_text(path);
    char *end = set->root < 0 ? NULL : strrchr(parent, '/');

    while (end) {
        *end = '\0';
        if (sync_levels(parent) <= set->floor) {
            break;
        }
        if (set->count == set->capacity) {
            set->capacity = set->capacity ? set->capacity * 2 : 16;
            set->paths = memory_resize(set->paths, set->capacity, sizeof(*set->paths));
        }
        set->paths[set->count++] = memory_text(parent);
        if (sync_is_known(set, parent)) {
            break;
        }
        end = strrchr(parent, '/');
    }
}

int sync_directory(int descriptor, const char *path, struct error *error)
{
    return fsync(descriptor) < 0 ? error_errno(error, "sync '%s'", path) : 0;
}

/* `out_mark` is what the directory was when it was opened. */
static int sync_by_name(int root, const char *path, struct sync_mark *out_mark, struct error *error)
{
    AUTO_CLOSE int descriptor = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    out_mark->born = 0;
    if (descriptor < 0 && file_is_gone(errno)) {
        return 0; /* removed by somebody else: only the directory above has something to keep */
    }
    if (descriptor < 0) {
        return error_errno(error, "open '%s'", path);
    }
    *out_mark = sync_mark_of(descriptor, "");
    return sync_directory(descriptor, path, error);
}

static void sync_remove_twins(struct sync_set *set)
{
    size_t kept = 0;

    for (size_t i = 0; i < set->count; i++) {
        if (kept > 0 && strcmp(set->paths[i], set->paths[kept - 1]) == 0) {
            free(set->paths[i]);
        } else {
            set->paths[kept++] = set->paths[i];
        }
    }
    set->count = kept;
}

/* Remembers those that have others below them: the rest, a digest's own, will not come again. */
static void sync_remember(struct sync_set *set, const struct sync_mark *marks)
{
    for (size_t i = 0; i + 1 < set->count; i++) {
        size_t length = strlen(set->paths[i]);

        if (marks[i].born != 0 && strncmp(set->paths[i + 1], set->paths[i], length) == 0 &&
            set->paths[i + 1][length] == '/') {
            *sync_memory_slot(set->memory, &marks[i]) = marks[i];
        }
    }
}

int sync_set_flush(struct sync_set *set, struct error *error)
{
    AUTO_FREE struct sync_mark *marks = NULL;

    /* A name sorts before what is below it, so backwards means deepest first. */
    if (set->count > 1) {
        qsort(set->paths, set->count, sizeof(*set->paths), sync_compare);
    }
    sync_remove_twins(set);
    marks = memory_allocate(set->count, sizeof(*marks));
    for (size_t i = set->count; i-- > 0;) {
        if (sync_by_name(set->root, set->paths[i], &marks[i], error) < 0) {
            return -1;
        }
    }
    if (set->memory) {
        sync_remember(set, marks);
    }
    sync_set_release(set);
    return 0;
}

void sync_set_release(struct sync_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        free(set->paths[i]);
    }
    free(set->paths);
    set->paths = NULL;
    set->count = 0;
    set->capacity = 0;
}
