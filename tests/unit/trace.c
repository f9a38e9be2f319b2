/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { LINE_COUNT = 4096, LINE_SIZE = 512 };

static struct {
    bool on;
    bool looks;
    bool has_fault;
    bool reached;
    bool lasts;
    size_t countdown;
    int number;
    const char *only;
    void (*hook)(void *context, const char *line);
    void *context;
    size_t count;
    char lines[LINE_COUNT][LINE_SIZE];
} trace;

void trace_begin(void)
{
    trace.on = true;
    trace.looks = false;
    trace.has_fault = false;
    trace.reached = false;
    trace.lasts = false;
    trace.only = NULL;
    trace.hook = NULL;
    trace.count = 0;
}

void trace_begin_with_fault(size_t n, int number)
{
    trace_begin();
    trace.has_fault = true;
    trace.countdown = n;
    trace.number = number;
}

void trace_fault_only(const char *name)
{
    trace.only = name;
}

void trace_fault_lasts(void)
{
    trace.lasts = true;
}

void trace_looks(void)
{
    trace.looks = true;
}

void trace_hook(void (*hook)(void *context, const char *line), void *context)
{
    trace.hook = hook;
    trace.context = context;
}

bool trace_end(void)
{
    trace.on = false;
    return trace.reached;
}

size_t trace_count(void)
{
    return trace.count;
}

const char *trace_line(size_t i)
{
    return i < trace.count ? trace.lines[i] : "";
}

size_t trace_find(const char *prefix, const char *suffix, size_t from)
{
    for (size_t i = from; i < trace.count; i++) {
        size_t length = strlen(trace.lines[i]);

        if (strncmp(trace.lines[i], prefix, strlen(prefix)) == 0 && length >= strlen(suffix) &&
            strcmp(trace.lines[i] + length - strlen(suffix), suffix) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

void trace_print(void)
{
    for (size_t i = 0; i < trace.count; i++) {
        (void)printf("%3zu %s\n", i, trace.lines[i]);
    }
}

/* Records a call. True if it is to fail; errno says why. */
__attribute__((format(printf, 2, 3))) static bool fails(const char *name, const char *format, ...)
{
    char *line = trace.lines[trace.count];
    va_list arguments;
    int length;

    if (!trace.on || trace.count == LINE_COUNT) {
        return false;
    }
    length = snprintf(line, LINE_SIZE, "%s ", name);
    va_start(arguments, format);
    (void)vsnprintf(line + length, (size_t)(LINE_SIZE - length), format, arguments);
    va_end(arguments);
    trace.count++;
    if (trace.hook) {
        trace.on = false;
        trace.hook(trace.context, line);
        trace.on = true;
    }
    if (!trace.has_fault || (trace.reached && !trace.lasts) ||
        (trace.only && strcmp(trace.only, name) != 0)) {
        return false;
    }
    if (!trace.reached && trace.countdown-- > 0) {
        return false;
    }
    trace.reached = true;
    if (trace.number == 0) {
        _exit(0);
    }
    errno = trace.number;
    return true;
}

/* What a descriptor stands for. */
static const char *path_of(int descriptor)
{
    static char path[LINE_SIZE - 32];
    char link[64];
    ssize_t length;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
    length = readlink(link, path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = '\0';
    return path;
}

int fsync(int descriptor)
{
    /* Not passed on: whether the disk obeys is not what is tested. */
    if (fails("fsync", "%s", path_of(descriptor))) {
        return -1;
    }
    return fcntl(descriptor, F_GETFD) < 0 ? -1 : 0;
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    if (fails("renameat", "%s %s", old, new)) {
        return -1;
    }
    return (int)syscall(SYS_renameat2, from, old, to, new, flags);
}

int renameat(int from, const char *old, int to, const char *new)
{
    return renameat2(from, old, to, new, 0);
}

int linkat(int from, const char *old, int to, const char *new, int flags)
{
    if (fails("linkat", "%s %s", old, new)) {
        return -1;
    }
    return (int)syscall(SYS_linkat, from, old, to, new, flags);
}

int mkdirat(int directory, const char *path, mode_t mode)
{
    if (fails("mkdirat", "%s", path)) {
        return -1;
    }
    return (int)syscall(SYS_mkdirat, directory, path, mode);
}

int unlinkat(int directory, const char *path, int flags)
{
    if (fails("unlinkat", "%s", path)) {
        return -1;
    }
    return (int)syscall(SYS_unlinkat, directory, path, flags);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t offset)
{
    if (fails("pwrite", "%s", path_of(descriptor))) {
        return -1;
    }
    return syscall(SYS_pwrite64, descriptor, bytes, length, offset);
}

int ftruncate(int descriptor, off_t length)
{
    if (fails("ftruncate", "%s", path_of(descriptor))) {
        return -1;
    }
    return (int)syscall(SYS_ftruncate, descriptor, length);
}

int openat(int directory, const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode;

    va_start(arguments, flags);
    mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (trace.looks && fails("openat", "%s", path)) {
        return -1;
    }
    return (int)syscall(SYS_openat, directory, path, flags, mode);
}

int fstatat(int directory, const char *restrict path, struct stat *restrict status, int flags)
{
    if (trace.looks && fails("fstatat", "%s", path)) {
        return -1;
    }
    return (int)syscall(SYS_newfstatat, directory, path, status, flags);
}

int fchmodat(int directory, const char *path, mode_t mode, int flags)
{
    if (trace.looks && fails("fchmodat", "%s", path)) {
        return -1;
    }
    return flags ? -1 : (int)syscall(SYS_fchmodat, directory, path, mode);
}

/* Of what is recorded only where it may fail. */
static bool is_meant(const char *name)
{
    return trace.only && strcmp(trace.only, name) == 0;
}

ssize_t pread(int descriptor, void *bytes, size_t length, off_t offset)
{
    if (is_meant("pread") && fails("pread", "%s", path_of(descriptor))) {
        return -1;
    }
    return syscall(SYS_pread64, descriptor, bytes, length, offset);
}

int fchmod(int descriptor, mode_t mode)
{
    if (is_meant("fchmod") && fails("fchmod", "%s", path_of(descriptor))) {
        return -1;
    }
    return (int)syscall(SYS_fchmod, descriptor, mode);
}

static bool is_far;

void trace_far(bool wanted)
{
    is_far = wanted;
}

int fstatfs(int descriptor, struct statfs *status)
{
    int result = (int)syscall(SYS_fstatfs, descriptor, status);

    if (is_far) {
        status->f_type = NFS_SUPER_MAGIC;
    }
    return result;
}
