/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/journal.h"
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

/* Nanoseconds since the epoch; 0 for a date before it, or beyond what such a number says. */
static int64_t sync_birth(const struct statx *status)
{
    enum { SECOND = 1000000000 };
    int64_t seconds = status->stx_btime.tv_sec;

    return seconds < 0 || seconds >= INT64_MAX / SECOND
               ? 0
               : seconds * SECOND + status->stx_btime.tv_nsec;
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
        .born = sync_birth(&status),
    };
}

/* Whether one that is made in its place from now on has another time of birth. */
static bool sync_is_unmistakable(const struct sync_mark *mark)
{
    return mark->born != 0 && clock_date_nanoseconds() - mark->born > SYNC_TICK;
}

/* Filesystems number directories in strides of powers of two: multiplied, they are spread. */
static struct sync_mark *sync_memory_find(struct sync_memory *memory, const struct sync_mark *mark)
{
    return memory->marks[(mark->inode * 0x9e3779b97f4a7c15u >> 32) % SYNC_MEMORY_SETS];
}

static void sync_remember(struct sync_memory *memory, const struct sync_mark *mark)
{
    struct sync_mark *ways = sync_memory_find(memory, mark);

    memmove(ways + 1, ways, (SYNC_MEMORY_WAYS - 1) * sizeof(*ways));
    ways[0] = *mark;
}

static bool sync_is_known(const struct sync_set *set, const struct sync_mark *mark)
{
    const struct sync_mark *known;

    if (!set->memory || mark->born == 0) {
        return false;
    }
    known = sync_memory_find(set->memory, mark);
    for (size_t i = 0; i < SYNC_MEMORY_WAYS; i++) {
        if (known[i].born == mark->born && known[i].inode == mark->inode &&
            known[i].device == mark->device) {
            return true;
        }
    }
    return false;
}

/* Cuts the last part off; false if what is left need not be synced. */
static bool sync_climb(const struct sync_set *set, char *path)
{
    char *end = strrchr(path, '/');

    if (!end) {
        return false;
    }
    *end = '\0';
    return sync_levels(path) > set->floor;
}

static void sync_make_room(struct sync_set *set)
{
    if (set->count == set->capacity) {
        set->capacity = set->capacity ? set->capacity * 2 : 16;
        set->paths = memory_resize(set->paths, set->capacity, sizeof(*set->paths));
    }
}

void sync_set_add(struct sync_set *set, const char *path)
{
    AUTO_FREE char *parent = memory_text(path);

    if (set->root >= 0 && sync_climb(set, parent)) {
        sync_make_room(set);
        set->paths[set->count++] = parent;
        parent = NULL;
    }
}

void sync_set_add_lasting(struct sync_set *set, const char *directory)
{
    struct sync_mark mark = {.born = 0};

    if (set->root >= 0 && set->memory) {
        mark = sync_mark_of(set->root, directory);
    }
    if (!sync_is_known(set, &mark)) {
        sync_set_add(set, directory);
    }
}

int sync_directory(int descriptor, const char *path, struct error *error)
{
    return fsync(descriptor) < 0 ? error_errno(error, "sync '%s'", path) : 0;
}

/* `out_mark` is what the directory was when it was opened. */
static int sync_by_name(const struct sync_set *set, const char *path, struct sync_mark *out_mark,
                        struct error *error)
{
    AUTO_CLOSE int descriptor = openat(set->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    out_mark->born = 0;
    if (descriptor < 0 && file_is_gone(errno)) {
        return 0; /* removed by somebody else: only the directory above has something to keep */
    }
    if (descriptor < 0) {
        return error_errno(error, "open '%s'", path);
    }
    if (set->memory && !file_is_digest_directory(path)) {
        *out_mark = sync_mark_of(descriptor, "");
    }
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

/* Adds a path, which it takes, to a sorted set that may have it. */
static void sync_insert(struct sync_set *set, char *path)
{
    size_t low = 0;
    size_t high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(set->paths[middle], path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < set->count && strcmp(set->paths[low], path) == 0) {
        free(path);
        return;
    }
    sync_make_room(set);
    memmove(set->paths + low + 1, set->paths + low, (set->count - low) * sizeof(*set->paths));
    set->paths[low] = path;
    set->count++;
}

/* Those whose names are all synced once the set is. */
struct sync_news {
    struct sync_mark *marks;
    size_t count;
};

static void sync_news_release(struct sync_news *news)
{
    free(news->marks);
}

static void sync_news_add(struct sync_news *news, const struct sync_mark *mark)
{
    news->marks = memory_resize(news->marks, news->count + 1, sizeof(*news->marks));
    news->marks[news->count++] = *mark;
}

/* Whether that was all. 0 where each directory has to be synced, also if the root is not ours to
 * change; a sync that fails has failed. */
static int sync_at_once(const struct sync_set *set, struct error *error)
{
    static const char path[] = "the root of the storage";

    if (!set->in_order || set->count == 0 || !journal_change(set->root)) {
        return 0;
    }
    if (sync_directory(set->root, path, error) < 0) {
        return -1;
    }
    return journal_change(set->root) ? 1 : error_errno(error, "sync '%s'", path);
}

static int sync_each(struct sync_set *set, struct error *error)
{
    AUTO(sync_news_release) struct sync_news news = {.count = 0};

    /* A name sorts before what is below it, so backwards means deepest first. */
    if (set->count > 1) {
        qsort(set->paths, set->count, sizeof(*set->paths), sync_compare);
    }
    sync_remove_twins(set);
    while (set->count > 0) {
        AUTO_FREE char *path = set->paths[--set->count];
        struct sync_mark mark;

        if (sync_by_name(set, path, &mark, error) < 0) {
            return -1;
        }
        if (sync_is_known(set, &mark)) {
            continue;
        }
        if (sync_is_unmistakable(&mark)) {
            sync_news_add(&news, &mark);
        }
        if (sync_climb(set, path)) {
            sync_insert(set, path);
            path = NULL;
        }
    }
    for (size_t i = 0; i < news.count; i++) {
        sync_remember(set->memory, &news.marks[i]);
    }
    return 0;
}

int sync_set_flush(struct sync_set *set, struct error *error)
{
    int done = sync_at_once(set, error);

    if (done < 0 || (done == 0 && sync_each(set, error) < 0)) {
        return -1;
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
