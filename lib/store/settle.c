/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int settle_begin(const struct store *store, const char *path)
{
    if (store->options->may_be_lost) {
        return -1;
    }
    return openat(store->root, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
}

void settle_end(const struct store *store, int descriptor)
{
    struct stat status;

    if (descriptor >= 0 && !store->options->may_be_lost && fstat(descriptor, &status) == 0 &&
        S_ISREG(status.st_mode) && !settle_is_done(&status)) {
        (void)fchmod(descriptor, (status.st_mode & 0777) | S_ISVTX);
    }
}

void settle_own(const struct store *store, int descriptor)
{
    if (!store->options->may_be_lost) {
        (void)fchmod(descriptor, store->file_mode | S_ISVTX);
    }
}

int settle_forget(const struct store *store, const char *path, struct error *error)
{
    struct stat status;

    if (fstatat(store->root, path, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "stat '%s'", path);
    }
    if (settle_is_done(&status) && fchmodat(store->root, path, status.st_mode & 0777, 0) < 0) {
        return error_errno(error, "chmod '%s'", path);
    }
    return 0;
}

bool settle_is_done(const struct stat *status)
{
    return (status->st_mode & S_ISVTX) != 0;
}

bool settle_is_done_at(const struct store *store, const char *path)
{
    struct stat status;

    return fstatat(store->root, path, &status, AT_SYMLINK_NOFOLLOW) == 0 && settle_is_done(&status);
}
