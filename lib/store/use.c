/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/use.h"

#include <errno.h>
#include <fcntl.h>

#include "lib/base/clock.h"

enum {
    NOTES_PER_AGE = 8, /* the older it is here, the less often */
    CONDEMNED = 1,     /* the date, in seconds since the epoch; some filesystems have no 0 */
};

bool use_is_due(const struct store *store, const struct stat *status)
{
    uint64_t grain = store->options->use_grain;
    uint64_t interval;

    if (grain == 0 || store->only_looks) {
        return false;
    }
    interval = clock_age(status->st_mtime) / NOTES_PER_AGE;
    interval = interval < grain ? interval : grain;
    return clock_age(status->st_atime) >= (interval > 0 ? interval : 1);
}

static const struct timespec use_now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};

bool use_note(const struct store *store, const char *path)
{
    return utimensat(store->root, path, use_now, 0) == 0 || !file_is_gone(errno);
}

void use_note_open(int descriptor)
{
    (void)futimens(descriptor, use_now);
}

struct timespec use_last(const struct stat *status)
{
    const struct timespec *read = &status->st_atim;
    const struct timespec *come = &status->st_mtim;
    bool is_read = read->tv_sec > come->tv_sec ||
                   (read->tv_sec == come->tv_sec && read->tv_nsec > come->tv_nsec);

    return is_read ? *read : *come;
}

void use_condemn(const struct store *store, const char *path)
{
    struct timespec times[2] = {{.tv_sec = CONDEMNED}, {.tv_nsec = UTIME_OMIT}};

    (void)utimensat(store->root, path, times, 0);
}

bool use_is_condemned(const struct stat *status)
{
    return status->st_atime == CONDEMNED;
}
