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
    (void)fchmod(descriptor, store->file_mode | S_ISVTX);
}

bool settle_put_off(const struct store *store, int descriptor)
{
    struct stat status;

    return store->puts_off_syncs && fstat(descriptor, &status) == 0 &&
           (!settle_is_done(&status) || fchmod(descriptor, store->file_mode) == 0) &&
           lock_claim(descriptor);
}

/* The claim first: who lets go of it has settled the file before, if he lives. */
bool settle_is_vouched_for(int descriptor)
{
    struct stat status;

    return lock_is_claimed(descriptor) ||
           (fstat(descriptor, &status) == 0 && settle_is_done(&status));
}

bool settle_is_believed(const struct store *store, int descriptor)
{
    return !store->options->may_be_lost || store->keeps_no_marks ||
           settle_is_vouched_for(descriptor);
}

int settle_forget(const struct store *store, const char *path, struct error *error)
{
    struct stat status;

    if (fstatat(store->root, path, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "stat '%s'", path);
    }
    if (settle_is_done(&status) && fchmodat(store->root, path, status.st_mode & 0777, 0) < 0 &&
        !file_is_gone(errno)) {
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
