/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/mark.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"

/* Sets the file's time to now, making it if need be, and returns that time. */
static int mark_touch(struct file_place place, time_t *out_now, struct error *error)
{
    AUTO_CLOSE int descriptor =
        openat(place.directory, place.path,
               O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0666);
    struct stat status;

    if (descriptor < 0 || futimens(descriptor, NULL) < 0 || fstat(descriptor, &status) < 0) {
        return error_errno(error, "touch '%s'", place.path);
    }
    *out_now = status.st_mtime;
    return 0;
}

int mark_is_due(struct file_place place, uint64_t interval, struct mark *out_mark,
                struct error *error)
{
    struct mark mark = {.before = 0};
    bool is_known = false;
    struct stat status;

    if (fstatat(place.directory, place.path, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        uint64_t age = clock_age(status.st_mtime);

        if (age < interval) {
            return 0;
        }
        is_known = age < UINT64_MAX;
    }
    if (mark_touch(place, &mark.now, error) < 0) {
        return -1;
    }
    mark.before = is_known && status.st_mtime < mark.now ? status.st_mtime : mark.now;
    *out_mark = mark;
    return 1;
}

void mark_hasten(struct file_place place, const struct mark *mark, uint64_t interval,
                 uint64_t seconds)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                {.tv_sec = mark->now - (time_t)(interval - seconds)}};

    (void)utimensat(place.directory, place.path, times, AT_SYMLINK_NOFOLLOW);
}
