/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"

enum { MAKE_TRIES = 1000 }; /* each needs somebody who removes what we have just made */

/* flock(), and a word about the time that it took, if it had to wait. */
static int lock_file(int descriptor, struct file_place place, enum lock_wait wait)
{
    int64_t began;
    int result;

    if (wait == LOCK_TRY) {
        return flock(descriptor, LOCK_EX | LOCK_NB);
    }
    if (!log_has_level(LOG_LEVEL_DEBUG)) {
        return flock(descriptor, LOCK_EX);
    }
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
        return 0;
    }
    log_debug("waits for the lock '%s'", place.path);
    began = clock_milliseconds();
    result = flock(descriptor, LOCK_EX);
    log_debug("waited %" PRId64 " ms for the lock '%s'", clock_milliseconds() - began, place.path);
    return result;
}

static enum lock_result lock_open(struct lock *lock, struct file_place place, int flags,
                                  enum lock_wait wait, struct error *error)
{
    /* For writing: flock() on NFS is a lock of the server's, which asks for that. */
    AUTO_CLOSE int descriptor =
        openat(place.directory, place.path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0666);
    int is_same;

    if (descriptor < 0) {
        if (errno == ESTALE || errno == ENOENT) { /* with O_CREAT: a directory is missing */
            return LOCK_ABSENT;
        }
        return (enum lock_result)error_errno(error, "open lock '%s'", place.path);
    }
    while (lock_file(descriptor, place, wait) < 0) {
        if (errno == EWOULDBLOCK) {
            return LOCK_BUSY;
        }
        if (errno != EINTR) {
            return (enum lock_result)error_errno(error, "lock '%s'", place.path);
        }
    }
    is_same = file_is_same(descriptor, place, error);
    if (is_same <= 0) { /* not: its directory was removed while we waited */
        return is_same < 0 ? LOCK_FAILED : LOCK_ABSENT;
    }
    lock->descriptor = steal_descriptor(&descriptor);
    return LOCK_TAKEN;
}

enum lock_result lock_take(struct lock *lock, struct file_place place, enum lock_wait wait,
                           struct error *error)
{
    return lock_open(lock, place, 0, wait, error);
}

enum lock_result lock_take_or_make(struct lock *lock, struct file_place place, enum lock_wait wait,
                                   struct error *error)
{
    for (int i = 0; i < MAKE_TRIES; i++) {
        enum lock_result result = lock_open(lock, place, O_CREAT, wait, error);

        if (result != LOCK_ABSENT) {
            return result;
        }
        if (file_make_parents(place.directory, place.path, error) < 0) {
            return LOCK_FAILED;
        }
    }
    return (enum lock_result)error_set(error, ERROR_INTERNAL,
                                       "lock '%s': it is removed again and again", place.path);
}

/* A date that is ahead tells nothing. */
static bool lock_is_overdue(struct file_place place, uint64_t seconds)
{
    struct stat status;
    uint64_t age;

    if (fstatat(place.directory, place.path, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return false;
    }
    age = clock_age(status.st_mtime);
    return age > seconds && age < UINT64_MAX;
}

enum lock_result lock_take_or_replace(struct lock *lock, struct file_place place, uint64_t seconds,
                                      struct error *error)
{
    enum lock_result result = lock_take_or_make(lock, place, LOCK_TRY, error);

    if (result == LOCK_BUSY && lock_is_overdue(place, seconds)) {
        (void)unlinkat(place.directory, place.path, 0);
        result = lock_take_or_make(lock, place, LOCK_TRY, error);
    }
    if (result == LOCK_TAKEN) {
        (void)futimens(lock->descriptor, NULL);
    }
    return result;
}

bool lock_claim(int descriptor)
{
    return flock(descriptor, LOCK_EX | LOCK_NB) == 0;
}

bool lock_is_claimed(int descriptor)
{
    if (flock(descriptor, LOCK_SH | LOCK_NB) < 0) {
        return errno == EWOULDBLOCK;
    }
    (void)flock(descriptor, LOCK_UN);
    return false;
}

void lock_release(struct lock *lock)
{
    int saved = errno;

    if (lock->descriptor >= 0) {
        (void)close(lock->descriptor);
        lock->descriptor = -1;
    }
    errno = saved;
}
