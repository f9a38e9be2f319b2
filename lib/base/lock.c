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
    enum { LOOKS = 5, PAUSE = 10 }; /* milliseconds: who has just got it dates it in that time */
    enum lock_result result = lock_take_or_make(lock, place, LOCK_TRY, error);
    bool is_late = result == LOCK_BUSY && lock_is_overdue(place, seconds);

    for (int i = 0; i < LOOKS && is_late; i++) {
        clock_pause(PAUSE);
        result = lock_take_or_make(lock, place, LOCK_TRY, error);
        is_late = result == LOCK_BUSY && lock_is_overdue(place, seconds);
    }
    if (is_late) {
        (void)unlinkat(place.directory, place.path, 0);
        result = lock_take_or_make(lock, place, LOCK_TRY, error);
    }
    if (result == LOCK_TAKEN) {
        lock_refresh(lock);
    }
    return result;
}

void lock_refresh(const struct lock *lock)
{
    if (lock->descriptor >= 0) {
        (void)futimens(lock->descriptor, NULL);
    }
}

/* A lock that is waited for, for some time. */
struct lock_patience {
    struct file_place place;
    int64_t began; /* in milliseconds */
    int64_t end;
    int64_t pause;
};

static struct lock_patience lock_begin_to_wait(struct file_place place, uint64_t seconds)
{
    int64_t now = clock_milliseconds();

    log_debug("waits for the lock '%s', for at most %" PRIu64 " s", place.path, seconds);
    return (struct lock_patience){
        .place = place, .began = now, .end = now + (int64_t)seconds * 1000, .pause = 1};
}

/*
 * False when that was long enough. Who has just come tries more often than who has waited, and
 * would have it before him again and again: so who soon has to give up tries more often, too.
 */
static bool lock_wait_on(struct lock_patience *patience)
{
    enum { LONGEST = 20, LAST = 5 }; /* milliseconds between two tries */
    int64_t left = patience->end - clock_milliseconds();
    bool is_late = left < (patience->end - patience->began) / 4;

    if (left <= 0) {
        return false;
    }
    clock_pause(is_late && patience->pause > LAST ? LAST : patience->pause);
    patience->pause = patience->pause < LONGEST / 2 ? patience->pause * 2 : LONGEST;
    return true;
}

static void lock_tell_of_wait(const struct lock_patience *patience)
{
    log_debug("waited %" PRId64 " ms for the lock '%s'", clock_milliseconds() - patience->began,
              patience->place.path);
}

/* By one of the functions that take a lock. */
static enum lock_result
lock_await_by(enum lock_result (*take)(struct lock *lock, struct file_place place,
                                       enum lock_wait wait, struct error *error),
              struct lock *lock, struct file_place place, uint64_t seconds, struct error *error)
{
    enum lock_result result = take(lock, place, LOCK_TRY, error);
    struct lock_patience patience;

    if (result != LOCK_BUSY) {
        return result;
    }
    patience = lock_begin_to_wait(place, seconds);
    while (result == LOCK_BUSY && lock_wait_on(&patience)) {
        result = take(lock, place, LOCK_TRY, error);
    }
    lock_tell_of_wait(&patience);
    return result != LOCK_BUSY ? result
                               : (enum lock_result)error_set(
                                     error, ERROR_LOCK_HELD,
                                     "lock '%s': others have had it for %" PRIu64
                                     " s: look for a process that is stopped, or a host that hangs",
                                     place.path, seconds);
}

enum lock_result lock_await(struct lock *lock, struct file_place place, uint64_t seconds,
                            struct error *error)
{
    return lock_await_by(lock_take_or_make, lock, place, seconds, error);
}

enum lock_result lock_await_existing(struct lock *lock, struct file_place place, uint64_t seconds,
                                     struct error *error)
{
    return lock_await_by(lock_take, lock, place, seconds, error);
}

/* Whether it is the same file, and the same date, as at an earlier look. */
static bool lock_is_unchanged(struct file_place place, const struct stat *before)
{
    struct stat now;

    return before->st_ino != 0 &&
           fstatat(place.directory, place.path, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
           now.st_ino == before->st_ino && now.st_mtim.tv_sec == before->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

enum lock_result lock_await_or_replace(struct lock *lock, struct file_place place, uint64_t seconds,
                                       struct error *error)
{
    enum lock_result result = lock_take_or_replace(lock, place, seconds, error);
    struct stat before = {.st_ino = 0};
    struct lock_patience patience;

    if (result != LOCK_BUSY) {
        return result;
    }
    (void)fstatat(place.directory, place.path, &before, AT_SYMLINK_NOFOLLOW);
    patience = lock_begin_to_wait(place, seconds);
    while (result == LOCK_BUSY && lock_wait_on(&patience)) {
        result = lock_take_or_replace(lock, place, seconds, error);
    }
    if (result == LOCK_BUSY && lock_is_unchanged(place, &before)) {
        (void)unlinkat(place.directory, place.path, 0);
        result = lock_take_or_replace(lock, place, seconds, error);
    }
    lock_tell_of_wait(&patience);
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
