/* SPDX-License-Identifier: Apache-2.0 */

/*
 * For LD_PRELOAD: makes one call of a program, or of the processes that it starts, fail, or sends
 * the process a signal before it. Counted are calls of one kind on what is below a directory, or
 * all that change something there ("change"); see faults.py. The report is shared by all of them,
 * since the counting goes on in children.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct report {
    atomic_int count;
    atomic_int reached;
    char path[1016];
};

static struct report *report;
static const char *kind;
static const char *below;
static int number; /* of the error; negative: of the signal */
static int nth;
static bool lasts; /* and all that follow fail, too */

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULT_REPORT");
    int descriptor = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;

    if (descriptor < 0) {
        return;
    }
    kind = getenv("FAULT_CALL");
    below = getenv("FAULT_BELOW");
    number = (int)strtol(getenv("FAULT_NUMBER"), NULL, 10);
    nth = (int)strtol(getenv("FAULT_NTH"), NULL, 10);
    lasts = getenv("FAULT_LASTS") != NULL;
    report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    (void)close(descriptor);
    if (report == MAP_FAILED) {
        abort();
    }
}

static bool is_meant(const char *name)
{
    static const char *const looks[] = {"open", "stat", "flock"};

    if (strcmp(kind, "change") != 0) {
        return strcmp(name, kind) == 0;
    }
    for (size_t i = 0; i < sizeof(looks) / sizeof(*looks); i++) {
        if (strcmp(name, looks[i]) == 0) {
            return false;
        }
    }
    return true;
}

/* Whether this call is the one. `path` is relative to `directory`, or NULL for what that is. */
static bool fails(const char *name, int directory, const char *path)
{
    char full[sizeof(report->path)] = "";
    char link[64];
    ssize_t length = 0;
    int call;

    if (!report || !is_meant(name)) {
        return false;
    }
    if ((!path || path[0] != '/') && directory != AT_FDCWD) {
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", directory);
        length = syscall(SYS_readlink, link, full, sizeof(full) - 1);
        length = length < 0 ? 0 : length;
    }
    (void)snprintf(full + length, sizeof(full) - (size_t)length, "%s%s",
                   length > 0 && path && *path ? "/" : "", path ? path : "");
    if (strncmp(full, below, strlen(below)) != 0) {
        return false;
    }
    call = atomic_fetch_add(&report->count, 1) + 1;
    if (call < nth || (call > nth && !lasts)) {
        return false;
    }
    if (call == nth) {
        memcpy(report->path, full, sizeof(full));
        atomic_store(&report->reached, 1);
    }
    if (number < 0) {
        (void)raise(-number);
        return false;
    }
    errno = number;
    return true;
}

static int open_at(int directory, const char *path, int flags, mode_t mode)
{
    if (fails(flags & O_CREAT ? "create" : "open", directory, path)) {
        return -1;
    }
    return (int)syscall(SYS_openat, directory, path, flags, mode);
}

#define MODE_OF(flags)                                                                             \
    mode_t mode = 0;                                                                               \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                       \
        va_list arguments;                                                                         \
        va_start(arguments, flags);                                                                \
        mode = va_arg(arguments, mode_t);                                                          \
        va_end(arguments);                                                                         \
    }

int open(const char *path, int flags, ...)
{
    MODE_OF(flags)
    return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
    MODE_OF(flags)
    return open_at(directory, path, flags, mode);
}

int __open_2(const char *path, int flags)
{
    return open_at(AT_FDCWD, path, flags, 0);
}

int __openat_2(int directory, const char *path, int flags)
{
    return open_at(directory, path, flags, 0);
}

int fsync(int descriptor)
{
    return fails("sync", descriptor, NULL) ? -1 : (int)syscall(SYS_fsync, descriptor);
}

int fdatasync(int descriptor)
{
    return fails("sync", descriptor, NULL) ? -1 : (int)syscall(SYS_fdatasync, descriptor);
}

int renameat(int from, const char *old, int to, const char *new)
{
    return fails("rename", to, new) ? -1 : (int)syscall(SYS_renameat2, from, old, to, new, 0);
}

int rename(const char *old, const char *new)
{
    return renameat(AT_FDCWD, old, AT_FDCWD, new);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    return fails("rename", to, new) ? -1 : (int)syscall(SYS_renameat2, from, old, to, new, flags);
}

int linkat(int from, const char *old, int to, const char *new, int flags)
{
    return fails("link", to, new) ? -1 : (int)syscall(SYS_linkat, from, old, to, new, flags);
}

int link(const char *old, const char *new)
{
    return linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

ssize_t write(int descriptor, const void *bytes, size_t length)
{
    return fails("write", descriptor, NULL) ? -1 : syscall(SYS_write, descriptor, bytes, length);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t offset)
{
    return fails("write", descriptor, NULL)
               ? -1
               : syscall(SYS_pwrite64, descriptor, bytes, length, offset);
}

int mkdirat(int directory, const char *path, mode_t mode)
{
    return fails("mkdir", directory, path) ? -1 : (int)syscall(SYS_mkdirat, directory, path, mode);
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

int unlinkat(int directory, const char *path, int flags)
{
    return fails("unlink", directory, path) ? -1
                                            : (int)syscall(SYS_unlinkat, directory, path, flags);
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int fstatat(int directory, const char *restrict path, struct stat *restrict status, int flags)
{
    return fails("stat", directory, path)
               ? -1
               : (int)syscall(SYS_newfstatat, directory, path, status, flags);
}

int fstat(int descriptor, struct stat *status)
{
    return fails("stat", descriptor, NULL) ? -1 : (int)syscall(SYS_fstat, descriptor, status);
}

int stat(const char *restrict path, struct stat *restrict status)
{
    return fstatat(AT_FDCWD, path, status, 0);
}

int lstat(const char *restrict path, struct stat *restrict status)
{
    return fstatat(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

int statx(int directory, const char *restrict path, int flags, unsigned mask,
          struct statx *restrict status)
{
    return fails("stat", directory, path)
               ? -1
               : (int)syscall(SYS_statx, directory, path, flags, mask, status);
}

int fallocate(int descriptor, int mode, off_t offset, off_t length)
{
    return fails("allocate", descriptor, NULL)
               ? -1
               : (int)syscall(SYS_fallocate, descriptor, mode, offset, length);
}

int posix_fallocate(int descriptor, off_t offset, off_t length)
{
    return fallocate(descriptor, 0, offset, length) < 0 ? errno : 0;
}

int futimens(int descriptor, const struct timespec times[2])
{
    return fails("times", descriptor, NULL)
               ? -1
               : (int)syscall(SYS_utimensat, descriptor, NULL, times, 0);
}

int utimensat(int directory, const char *path, const struct timespec times[2], int flags)
{
    return fails("times", directory, path)
               ? -1
               : (int)syscall(SYS_utimensat, directory, path, times, flags);
}

int flock(int descriptor, int operation)
{
    return fails("flock", descriptor, NULL) ? -1 : (int)syscall(SYS_flock, descriptor, operation);
}

int ftruncate(int descriptor, off_t length)
{
    return fails("truncate", descriptor, NULL) ? -1
                                               : (int)syscall(SYS_ftruncate, descriptor, length);
}
