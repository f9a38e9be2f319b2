/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

/*
 * A lock that other processes, and other hosts on a shared filesystem, respect: flock(2) on a file
 * of its own that holds nothing. Declare it `AUTO_LOCK struct lock lock = LOCK_INIT;`.
 *
 * Only what is not there, or has become another file, is absent: whatever else keeps us from
 * telling is a failure, and never a reason to look again.
 *
 * A forked child shares its parent's lock, and a network filesystem may lose one while its holder
 * goes on: whoever gets a lock looks again at what it protects.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/cleanup.h"
#include "lib/base/error.h"
#include "lib/base/file.h"

struct lock {
    int descriptor;
};

#define LOCK_INIT                                                                                  \
    {                                                                                              \
        .descriptor = -1                                                                           \
    }
#define AUTO_LOCK AUTO(lock_release)

enum lock_wait {
    LOCK_WAIT, /* until it is free */
    LOCK_TRY,  /* LOCK_BUSY if it is not */
};

enum lock_result {
    LOCK_FAILED = -1, /* see the error */
    LOCK_ABSENT,      /* there is no such file, or it was removed while we waited */
    LOCK_BUSY,
    LOCK_TAKEN,
};

/* Locks an existing file exclusively. */
enum lock_result lock_take(struct lock *lock, struct file_place place, enum lock_wait wait,
                           struct error *error);

/*
 * Makes the file, and the directories above it, if needed. Others may remove them at any moment, as
 * who has finished with a directory does: then they are made again, and what is locked in the end
 * is what the name stands for. Never LOCK_ABSENT.
 */
enum lock_result lock_take_or_make(struct lock *lock, struct file_place place, enum lock_wait wait,
                                   struct error *error);

/*
 * For a lock that only saves others the same work: tries, and whoever has held it for more than so
 * many seconds is done without, since he hangs, or is stopped. From then on the name stands for
 * another file, and he holds one that nobody looks at. Its date says since when it is held: for no
 * file that is locked otherwise. Who finds it overdue looks again a moment later: between getting a
 * lock and dating it, its holder is seen with the date of the last one.
 */
enum lock_result lock_take_or_replace(struct lock *lock, struct file_place place, uint64_t seconds,
                                      struct error *error);

/*
 * For who cannot wait for ever, since whoever has the lock may be stopped, or hang: waits for at
 * most so many seconds, and fails then: ERROR_LOCK_HELD. Never LOCK_ABSENT or LOCK_BUSY.
 */
enum lock_result lock_await(struct lock *lock, struct file_place place, uint64_t seconds,
                            struct error *error);

/* The same for a file that is not made: LOCK_ABSENT where there is none, or it became another one
 * while we waited. */
enum lock_result lock_await_existing(struct lock *lock, struct file_place place, uint64_t seconds,
                                     struct error *error);

/*
 * Both: waits, and does without whoever has held it for more than so many seconds, whatever its
 * date says of that, without a lock_refresh(). LOCK_BUSY if for as long one after the other had it,
 * or one who is alive: since the lock only saves work, who was to wait goes on, or gives up.
 */
enum lock_result lock_await_or_replace(struct lock *lock, struct file_place place, uint64_t seconds,
                                       struct error *error);

/* A sign of life of who holds a lock of that kind. */
void lock_refresh(const struct lock *lock);

void lock_release(struct lock *lock);

/*
 * A sign of life on a file that is open: whoever has written it claims it, and as long as he has it
 * open, and lives, everybody who opens it can see that. Nobody waits for it, and it keeps nobody
 * from anything; it is about the bytes, whatever names they get. False if another one has it, or if
 * there are no such locks here. lock_is_claimed() is for who does not claim it himself.
 */
bool lock_claim(int descriptor);
bool lock_is_claimed(int descriptor);

#endif
