/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/memory.h"

/* How often a rename is tried again because its directories vanished in between. */
enum { PUBLISH_TRIES = 8 };

/* How often a file is opened again that another host has just replaced. */
enum { STALE_TRIES = 16 };

ssize_t file_read_at(int descriptor, uint64_t offset, void *bytes, size_t length,
                     struct error *error)
{
    size_t done = 0;

    while (done < length) {
        ssize_t got =
            pread(descriptor, (char *)bytes + done, length - done, (off_t)(offset + done));

        if (got == 0) {
            break;
        }
        if (got < 0 && errno != EINTR) {
            return error_errno(error, "read");
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)done;
}

int file_write_at(int descriptor, uint64_t offset, const void *bytes, size_t length,
                  struct error *error)
{
    size_t done = 0;

    while (done < length) {
        ssize_t put =
            pwrite(descriptor, (const char *)bytes + done, length - done, (off_t)(offset + done));

        if (put < 0 && errno != EINTR) {
            return error_errno(error, "write");
        }
        done += put > 0 ? (size_t)put : 0;
    }
    return 0;
}

bool file_is_gone(int number)
{
    return number == ENOENT || number == ENOTDIR || number == ESTALE;
}

/*
 * Opens a file for reading whose name is sure to have been looked up anew if it was replaced: what
 * a network filesystem has in its cache may turn out to be stale at any call. Sets errno.
 */
static int open_once(int directory, const char *path, struct stat *out_status)
{
    AUTO_CLOSE int descriptor = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (descriptor < 0 || fstat(descriptor, out_status) < 0) {
        return -1;
    }
    return steal_descriptor(&descriptor);
}

/* Waits before a try that is not the first; false when there were enough. */
static bool try_again(int tries)
{
    static const struct timespec pause = {0, 1000000};

    if (errno != ESTALE || tries >= STALE_TRIES) {
        return false;
    }
    return nanosleep(&pause, NULL) == 0 || errno == EINTR;
}

/* One try of file_read_head(); sets errno for a failure. */
static ssize_t read_head_once(int directory, const char *path, void *bytes, size_t size,
                              struct error *error)
{
    struct stat status;
    AUTO_CLOSE int descriptor = open_once(directory, path, &status);

    if (descriptor < 0) {
        return error_errno(error, "open '%s'", path);
    }
    return file_read_at(descriptor, 0, bytes, size, error);
}

ssize_t file_read_head(int directory, const char *path, void *bytes, size_t size,
                       struct error *error)
{
    struct error reason;

    for (int tries = 1;; tries++) {
        ssize_t got = read_head_once(directory, path, bytes, size, &reason);

        if (got >= 0) {
            return got;
        }
        if (!try_again(tries)) {
            break;
        }
    }
    if (file_is_gone(errno)) {
        return FILE_GONE;
    }
    *error = reason;
    return -1;
}

/* One try of file_read(); sets errno for a failure, to 0 if it is for good. */
static int read_once(int directory, const char *path, size_t limit, struct buffer *out,
                     struct error *error)
{
    struct stat status;
    AUTO_CLOSE int descriptor = open_once(directory, path, &status);
    ssize_t got;

    if (descriptor < 0) {
        return error_errno(error, "open '%s'", path);
    }
    if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size > limit) {
        errno = 0;
        return error_set(error, ERROR_INTERNAL, "'%s' is no file of at most %zu bytes", path,
                         limit);
    }
    got = file_read_at(descriptor, 0, buffer_reserve(out, (size_t)status.st_size),
                       (size_t)status.st_size, error);
    if (got < 0) {
        return -1;
    }
    buffer_added(out, (size_t)got);
    return 0;
}

int file_read(int directory, const char *path, size_t limit, struct buffer *out,
              struct error *error)
{
    struct error reason;
    int tries = 0;

    do {
        if (read_once(directory, path, limit, out, &reason) == 0) {
            return 1;
        }
    } while (try_again(++tries));
    if (file_is_gone(errno)) {
        return 0;
    }
    *error = reason;
    return -1;
}

int file_create(int directory, const char *path, struct error *error)
{
    int descriptor =
        openat(directory, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);

    return descriptor < 0 ? error_errno(error, "create '%s'", path) : descriptor;
}

int file_sync(int descriptor, const char *path, struct error *error)
{
    return fsync(descriptor) < 0 ? error_errno(error, "sync '%s'", path) : 0;
}

int file_make_parents(int directory, const char *path, struct error *error)
{
    char *end = strrchr(path, '/');
    AUTO_FREE char *parent = NULL;

    if (!end) {
        return 0;
    }
    parent = memory_text(path);
    parent[end - path] = '\0';
    if (mkdirat(directory, parent, 0777) == 0 || errno == EEXIST) {
        return 0;
    }
    if (errno != ENOENT) {
        return error_errno(error, "make directory '%s'", parent);
    }
    if (file_make_parents(directory, parent, error) < 0) {
        return -1;
    }
    if (mkdirat(directory, parent, 0777) < 0 && errno != EEXIST && errno != ENOENT) {
        return error_errno(error, "make directory '%s'", parent);
    }
    return 0; /* ENOENT: removed again by a collector; the caller's rename will tell. */
}

int file_publish(struct file_place from, struct file_place to, struct error *error)
{
    for (int i = 0; i < PUBLISH_TRIES; i++) {
        if (renameat(from.directory, from.path, to.directory, to.path) == 0) {
            return 0;
        }
        if (errno != ENOENT) {
            break;
        }
        if (file_make_parents(to.directory, to.path, error) < 0) {
            return -1;
        }
    }
    return error_errno(error, "rename '%s' to '%s'", from.path, to.path);
}

int file_remove(int directory, const char *path, struct error *error)
{
    if (unlinkat(directory, path, 0) < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "remove '%s'", path);
    }
    return 1;
}

int file_remove_tree(int directory, const char *path, struct error *error)
{
    AUTO_FILE_NAMES struct file_names names = FILE_NAMES_INIT;

    if (unlinkat(directory, path, 0) == 0 || file_is_gone(errno)) {
        return 0;
    }
    if (errno != EISDIR && errno != EPERM) {
        return error_errno(error, "remove '%s'", path);
    }
    if (file_list(directory, path, &names, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count; i++) {
        AUTO_BUFFER struct buffer child = BUFFER_INIT;

        buffer_format(&child, "%s/%s", path, names.names[i]);
        if (file_remove_tree(directory, child.data, error) < 0) {
            return -1;
        }
    }
    if (unlinkat(directory, path, AT_REMOVEDIR) < 0 && errno != ENOENT) {
        return error_errno(error, "remove '%s'", path);
    }
    return 0;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

int file_list(int directory, const char *path, struct file_names *out, struct error *error)
{
    AUTO_CLOSE_DIRECTORY DIR *stream = NULL;
    AUTO_CLOSE int descriptor =
        openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    const struct dirent *entry;

    if (descriptor < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "open '%s'", path);
    }
    stream = fdopendir(descriptor);
    if (!stream) {
        return error_errno(error, "open '%s'", path);
    }
    (void)steal_descriptor(&descriptor);
    while (errno = 0, (entry = readdir(stream))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        file_names_add(out, entry->d_name);
    }
    if (errno != 0) {
        return error_errno(error, "list '%s'", path);
    }
    file_names_sort(out);
    return 1;
}

void file_names_add(struct file_names *names, const char *name)
{
    if (names->count == names->capacity) {
        names->capacity = names->capacity ? names->capacity * 2 : 16;
        names->names = memory_resize(names->names, names->capacity, sizeof(*names->names));
    }
    names->names[names->count++] = memory_text(name);
}

void file_names_sort(struct file_names *names)
{
    if (names->count > 1) {
        qsort(names->names, names->count, sizeof(*names->names), compare_names);
    }
}

void file_names_release(struct file_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->names[i]);
    }
    free(names->names);
    *names = (struct file_names)FILE_NAMES_INIT;
}

static size_t levels(const char *path)
{
    size_t count = 1;

    for (; *path; path++) {
        count += *path == '/';
    }
    return count;
}

/* What a directory is known by; all zero if that cannot be told. */
static struct sync_mark mark_of(int directory, const char *path)
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

static struct sync_mark *memory_slot(struct sync_memory *memory, const struct sync_mark *mark)
{
    return &memory->marks[mark->inode % SYNC_MEMORY_SIZE];
}

static bool is_known(const struct sync_set *set, const char *path)
{
    struct sync_mark mark;
    const struct sync_mark *known;

    if (!set->memory) {
        return false;
    }
    mark = mark_of(set->root, path);
    known = memory_slot(set->memory, &mark);
    return mark.born != 0 && known->born == mark.born && known->inode == mark.inode &&
           known->device == mark.device;
}

void sync_set_add(struct sync_set *set, const char *path)
{
    AUTO_FREE char *parent = memory_text(path);
    char *end = strrchr(parent, '/');

    while (end) {
        *end = '\0';
        if (levels(parent) <= set->floor) {
            break;
        }
        if (set->count == set->capacity) {
            set->capacity = set->capacity ? set->capacity * 2 : 16;
            set->paths = memory_resize(set->paths, set->capacity, sizeof(*set->paths));
        }
        set->paths[set->count++] = memory_text(parent);
        if (is_known(set, parent)) {
            break;
        }
        end = strrchr(parent, '/');
    }
}

/* `out_mark` is what the directory was when it was opened. */
static int sync_directory(int root, const char *path, struct sync_mark *out_mark,
                          struct error *error)
{
    AUTO_CLOSE int descriptor = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    out_mark->born = 0;
    if (descriptor < 0 && file_is_gone(errno)) {
        return 0; /* removed by somebody else: only the directory above has something to keep */
    }
    if (descriptor < 0) {
        return error_errno(error, "open '%s'", path);
    }
    *out_mark = mark_of(descriptor, "");
    return file_sync(descriptor, path, error);
}

static void remove_twins(struct sync_set *set)
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
static void remember(struct sync_set *set, const struct sync_mark *marks)
{
    for (size_t i = 0; i + 1 < set->count; i++) {
        size_t length = strlen(set->paths[i]);

        if (marks[i].born != 0 && strncmp(set->paths[i + 1], set->paths[i], length) == 0 &&
            set->paths[i + 1][length] == '/') {
            *memory_slot(set->memory, &marks[i]) = marks[i];
        }
    }
}

int sync_set_flush(struct sync_set *set, struct error *error)
{
    AUTO_FREE struct sync_mark *marks = NULL;

    /* A name sorts before what is below it, so backwards means deepest first. */
    if (set->count > 1) {
        qsort(set->paths, set->count, sizeof(*set->paths), compare_names);
    }
    remove_twins(set);
    marks = memory_allocate(set->count, sizeof(*marks));
    for (size_t i = set->count; i-- > 0;) {
        if (sync_directory(set->root, set->paths[i], &marks[i], error) < 0) {
            return -1;
        }
    }
    if (set->memory) {
        remember(set, marks);
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
