/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
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
 * a network filesystem has in its cache may turn out to be stale at any call. Sets errno. What
 * turns out to be a pipe is opened without waiting for its other end.
 */
static int open_once(int directory, const char *path, struct stat *out_status)
{
    AUTO_CLOSE int descriptor =
        openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (descriptor < 0 || fstat(descriptor, out_status) < 0) {
        return -1;
    }
    return steal_descriptor(&descriptor);
}

bool file_is_worth_another_try(int tries)
{
    static const struct timespec pause = {0, 1000000};

    if (errno != ESTALE || tries >= STALE_TRIES) {
        return false;
    }
    return nanosleep(&pause, NULL) == 0 || errno == EINTR;
}

int file_open(int directory, const char *path, struct stat *out_status, struct error *error)
{
    int tries = 0;

    do {
        int descriptor = open_once(directory, path, out_status);

        if (descriptor >= 0) {
            return descriptor;
        }
    } while (file_is_worth_another_try(++tries));
    return file_is_gone(errno) ? FILE_GONE : error_errno(error, "open '%s'", path);
}

bool file_is_local(int descriptor)
{
    enum { F2FS = 0xf2f52010, ZFS = 0x2fc12fc1, BCACHEFS = 0xca451a4e };
    static const uint32_t local[] = {EXT4_SUPER_MAGIC,
                                     XFS_SUPER_MAGIC,
                                     BTRFS_SUPER_MAGIC,
                                     TMPFS_MAGIC,
                                     OVERLAYFS_SUPER_MAGIC,
                                     F2FS,
                                     ZFS,
                                     BCACHEFS};
    struct statfs status;
    bool is_local = false;

    if (fstatfs(descriptor, &status) == 0) {
        for (size_t i = 0; i < sizeof(local) / sizeof(*local); i++) {
            is_local |= (uint32_t)status.f_type == local[i];
        }
    }
    return is_local;
}

/* One try of file_read_head(); sets errno for a failure. What comes back short ends there. */
static ssize_t read_head_once(int directory, const char *path, void *bytes, size_t size,
                              struct error *error)
{
    AUTO_CLOSE int descriptor =
        openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t got;

    if (descriptor < 0) {
        return error_errno(error, "open '%s'", path);
    }
    do {
        got = pread(descriptor, bytes, size, 0);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? error_errno(error, "read '%s'", path) : got;
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
        if (!file_is_worth_another_try(tries)) {
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
    } while (file_is_worth_another_try(++tries));
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
    int result;

    if (fsync(descriptor) == 0) {
        return 0;
    }
    result = error_errno(error, "the disk did not keep '%s'", path);
    if (error->code != ERROR_NO_SPACE) {
        error->code = ERROR_DATA_LOST;
    }
    (void)!ftruncate(descriptor, 0);
    return result;
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
    for (int i = 0; i < PUBLISH_TRIES; i++) { /* a collector may remove what is empty again */
        if (file_make_parents(directory, parent, error) < 0) {
            return -1;
        }
        if (mkdirat(directory, parent, 0777) == 0 || errno == EEXIST) {
            return 0;
        }
        if (errno != ENOENT) {
            return error_errno(error, "make directory '%s'", parent);
        }
    }
    return 0; /* the caller's rename will tell */
}

bool file_is_digest_directory(const char *path)
{
    enum { SHORTEST_DIGEST = 64 };
    const char *slash = strrchr(path, '/');

    return strlen(slash ? slash + 1 : path) >= SHORTEST_DIGEST;
}

/* Whether the directory of this file is more likely to be missing than not. */
static bool file_is_in_digest_directory(const char *path)
{
    AUTO_FREE char *directory = memory_text(path);
    char *slash = strrchr(directory, '/');

    if (!slash) {
        return false;
    }
    *slash = '\0';
    return file_is_digest_directory(directory);
}

int file_publish(struct file_place from, struct file_place to, struct error *error)
{
    if (file_is_in_digest_directory(to.path) &&
        file_make_parents(to.directory, to.path, error) < 0) {
        return -1;
    }
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

/* Sets errno. */
static int file_rename_new(struct file_place from, struct file_place to)
{
    if (renameat2(from.directory, from.path, to.directory, to.path, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return -1;
    }
    if (linkat(from.directory, from.path, to.directory, to.path, 0) < 0) {
        return -1;
    }
    (void)unlinkat(from.directory, from.path, 0);
    return 0;
}

int file_publish_new(struct file_place from, struct file_place to, struct error *error)
{
    for (int i = 0; i < PUBLISH_TRIES; i++) {
        struct stat status;
        int number;

        if (file_make_parents(to.directory, to.path, error) < 0) {
            return -1;
        }
        if (file_rename_new(from, to) == 0) {
            return 1;
        }
        number = errno;
        if (number == EEXIST ||
            (fstatat(from.directory, from.path, &status, AT_SYMLINK_NOFOLLOW) < 0 &&
             file_is_gone(errno))) {
            return 0;
        }
        errno = number;
        if (number != ENOENT) {
            break;
        }
    }
    return error_errno(error, "rename '%s' to '%s'", from.path, to.path);
}

int file_exchange(struct file_place one, struct file_place other, struct error *error)
{
    if (renameat2(one.directory, one.path, other.directory, other.path, RENAME_EXCHANGE) == 0) {
        return 1;
    }
    return errno == EINVAL || errno == ENOSYS
               ? 0
               : error_errno(error, "exchange '%s' and '%s'", one.path, other.path);
}

int file_is_same(int descriptor, struct file_place place, struct error *error)
{
    struct stat held;
    struct stat named;

    if (fstat(descriptor, &held) < 0 ||
        fstatat(place.directory, place.path, &named, AT_SYMLINK_NOFOLLOW) < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "stat '%s'", place.path);
    }
    return held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

int file_remove(int directory, const char *path, struct error *error)
{
    if (unlinkat(directory, path, 0) < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "remove '%s'", path);
    }
    return 1;
}
