/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/directory.h"
#include "lib/base/lock.h"
#include "lib/base/log.h"
#include "tests/unit/trace.h"

/* Somebody who removes "directory" just before a lock in it is opened. */
struct remover {
    int directory;
    unsigned times; /* still to come */
    unsigned removed;
};

static void remove_directory(void *context, const char *line)
{
    struct remover *remover = context;

    if (strcmp(line, "openat directory/lock") == 0 && remover->times > 0 &&
        unlinkat(remover->directory, "directory", AT_REMOVEDIR) == 0) {
        remover->times--;
        remover->removed++;
    }
}

/* A child that takes the lock that we have, waiting, and exits with the result. */
static pid_t fork_waiter(struct lock *ours, struct file_place place, bool create)
{
    pid_t child = fork_child();

    if (child == 0) {
        struct lock lock = LOCK_INIT;
        struct error error;

        lock_release(ours);
        _exit((int)(create ? lock_take_or_make(&lock, place, LOCK_WAIT, &error)
                           : lock_take(&lock, place, LOCK_WAIT, &error)));
    }
    return child;
}

static void takes_an_existing_file_only(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "lock"};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error error = ERROR_INIT;

    assert_returns(LOCK_ABSENT, lock_take(&lock, place, LOCK_TRY, &error));
    assert_int_equal(lock.descriptor, -1);
    assert_false(is_there(fixture->directory, "lock"));
    assert_returns(LOCK_TAKEN, lock_take_or_make(&lock, place, LOCK_TRY, &error));
    assert_true(is_there(fixture->directory, "lock"));
    lock_release(&lock);
    assert_int_equal(lock.descriptor, -1);
    assert_returns(LOCK_TAKEN, lock_take(&lock, place, LOCK_TRY, &error));
    assert_int_equal(fcntl(lock.descriptor, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(error.code, ERROR_NONE);
}

static void is_busy_while_somebody_has_it(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "lock"};
    AUTO_LOCK struct lock first = LOCK_INIT;
    AUTO_LOCK struct lock second = LOCK_INIT;
    struct error error = ERROR_INIT;

    assert_returns(LOCK_TAKEN, lock_take_or_make(&first, place, LOCK_WAIT, &error));
    assert_returns(LOCK_BUSY, lock_take(&second, place, LOCK_TRY, &error));
    assert_returns(LOCK_BUSY, lock_take_or_make(&second, place, LOCK_TRY, &error));
    assert_int_equal(second.descriptor, -1);
    lock_release(&first);
    lock_release(&first);
    assert_returns(LOCK_TAKEN, lock_take(&second, place, LOCK_TRY, &error));
}

static void waits_until_it_is_free(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "lock"};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error error = ERROR_INIT;
    pid_t waiter;

    assert_returns(LOCK_TAKEN, lock_take_or_make(&lock, place, LOCK_WAIT, &error));
    waiter = fork_waiter(&lock, place, false);
    wait_until_blocked(waiter);
    lock_release(&lock);
    assert_int_equal(wait_for_child(waiter), LOCK_TAKEN);
}

static void is_absent_when_it_was_removed_while_waiting(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "lock"};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error error = ERROR_INIT;
    pid_t waiter;

    assert_returns(LOCK_TAKEN, lock_take_or_make(&lock, place, LOCK_WAIT, &error));
    waiter = fork_waiter(&lock, place, false);
    wait_until_blocked(waiter);
    assert_int_equal(unlinkat(fixture->directory, "lock", 0), 0);
    lock_release(&lock);
    assert_int_equal(wait_for_child(waiter), LOCK_ABSENT);
}

static void is_absent_when_another_file_has_its_name(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "lock"};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error error = ERROR_INIT;
    pid_t waiter;

    assert_returns(LOCK_TAKEN, lock_take_or_make(&lock, place, LOCK_WAIT, &error));
    waiter = fork_waiter(&lock, place, false);
    wait_until_blocked(waiter);
    put_file(fixture->directory, "other", "");
    assert_int_equal(renameat(fixture->directory, "other", fixture->directory, "lock"), 0);
    lock_release(&lock);
    assert_int_equal(wait_for_child(waiter), LOCK_ABSENT);
}

/* A disk that does not answer has not said that there is nothing: no retry either. */
static void is_not_absent_because_nobody_can_look(void **state)
{
    static const int numbers[] = {EIO, EACCES, ENOMEM};
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "lock"};

    put_file(fixture->directory, "lock", "");
    for (size_t i = 0; i < COUNT(numbers); i++) {
        AUTO_LOCK struct lock lock = LOCK_INIT;
        struct error error = ERROR_INIT;

        trace_begin_with_fault(0, numbers[i]);
        trace_looks();
        trace_fault_only("fstatat");
        assert_returns(LOCK_FAILED, lock_take(&lock, place, LOCK_TRY, &error));
        assert_true(trace_end());
        assert_int_equal(error.code, ERROR_INTERNAL);
        assert_int_equal(lock.descriptor, -1);
        trace_begin_with_fault(0, numbers[i]);
        trace_looks();
        trace_fault_only("fstatat");
        assert_returns(LOCK_FAILED, lock_take_or_make(&lock, place, LOCK_WAIT, &error));
        assert_true(trace_end());
        assert_int_equal(trace_count(), 2);
    }
}

static void is_absent_when_another_host_has_removed_it(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "lock"};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error error = ERROR_INIT;

    put_file(fixture->directory, "lock", "");
    trace_begin_with_fault(0, ESTALE);
    trace_looks();
    trace_fault_only("fstatat");
    assert_returns(LOCK_ABSENT, lock_take(&lock, place, LOCK_TRY, &error));
    assert_true(trace_end());
}

static void is_made_anew_when_it_was_removed_while_waiting(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "lock"};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error error = ERROR_INIT;
    pid_t waiter;

    assert_returns(LOCK_TAKEN, lock_take_or_make(&lock, place, LOCK_WAIT, &error));
    waiter = fork_waiter(&lock, place, true);
    wait_until_blocked(waiter);
    assert_int_equal(unlinkat(fixture->directory, "lock", 0), 0);
    lock_release(&lock);
    assert_int_equal(wait_for_child(waiter), LOCK_TAKEN);
    assert_true(is_there(fixture->directory, "lock"));
}

static void a_child_shares_its_parents_lock(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "lock"};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error error = ERROR_INIT;
    pid_t child;

    assert_returns(LOCK_TAKEN, lock_take_or_make(&lock, place, LOCK_WAIT, &error));
    child = fork_child();
    if (child == 0) {
        (void)pause();
    }
    lock_release(&lock);
    assert_returns(LOCK_BUSY, lock_take(&lock, place, LOCK_TRY, &error));
    end_child(child);
    assert_returns(LOCK_TAKEN, lock_take(&lock, place, LOCK_TRY, &error));
}

static void a_dead_holder_holds_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "lock"};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error error = ERROR_INIT;
    int ends[2];
    char ready;
    pid_t holder;

    assert_int_equal(pipe(ends), 0);
    holder = fork_child();
    if (holder == 0) {
        (void)lock_take_or_make(&lock, place, LOCK_WAIT, &error);
        (void)!write(ends[1], "x", 1);
        (void)pause();
    }
    assert_int_equal(read(ends[0], &ready, 1), 1);
    assert_returns(LOCK_BUSY, lock_take(&lock, place, LOCK_TRY, &error));
    end_child(holder);
    assert_returns(LOCK_TAKEN, lock_take(&lock, place, LOCK_TRY, &error));
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void follows_no_links(void **state)
{
    struct fixture *fixture = *state;
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error error = ERROR_INIT;

    put_file(fixture->directory, "file", "");
    assert_int_equal(symlinkat("file", fixture->directory, "link"), 0);
    assert_fails(ERROR_INTERNAL, lock_take(&lock, (struct file_place){fixture->directory, "link"},
                                           LOCK_TRY, &error));
    assert_fails(ERROR_INTERNAL,
                 lock_take_or_make(&lock, (struct file_place){fixture->directory, "link"}, LOCK_TRY,
                                   &error));
    assert_int_equal(lock.descriptor, -1);
}

static void makes_the_directories_that_it_needs(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "some/directories/lock"};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    AUTO_LOCK struct lock other = LOCK_INIT;
    struct error error = ERROR_INIT;

    assert_returns(LOCK_ABSENT, lock_take(&lock, place, LOCK_TRY, &error));
    assert_false(is_there(fixture->directory, "some"));
    assert_returns(LOCK_TAKEN, lock_take_or_make(&lock, place, LOCK_TRY, &error));
    assert_returns(LOCK_BUSY, lock_take(&other, place, LOCK_TRY, &error));
}

static void makes_again_what_is_removed_before_it_is_open(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "directory/lock"};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    AUTO_LOCK struct lock other = LOCK_INIT;
    struct remover remover = {fixture->directory, 5, 0};
    struct error error = ERROR_INIT;

    trace_begin();
    trace_looks();
    trace_hook(remove_directory, &remover);
    assert_returns(LOCK_TAKEN, lock_take_or_make(&lock, place, LOCK_TRY, &error));
    (void)trace_end();
    assert_int_equal(remover.removed, 5);
    assert_returns(LOCK_BUSY, lock_take(&other, place, LOCK_TRY, &error));
}

static void gives_up_when_it_is_removed_for_ever(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "directory/lock"};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct remover remover = {fixture->directory, UINT_MAX, 0};
    struct error error = ERROR_INIT;

    trace_begin();
    trace_looks();
    trace_hook(remove_directory, &remover);
    assert_fails(ERROR_INTERNAL, lock_take_or_make(&lock, place, LOCK_TRY, &error));
    (void)trace_end();
    assert_true(remover.removed > 5);
    assert_int_equal(lock.descriptor, -1);
}

/* As a filler does when it has finished: the directory goes with the lock that is held in it. */
static void is_taken_although_another_removes_the_directory(void **state)
{
    enum { TIMES = 2000 };
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "directory/lock"};
    struct error error = ERROR_INIT;
    pid_t child = fork_child();

    while (child == 0) {
        (void)renameat(fixture->directory, "directory", fixture->directory, "away");
        (void)directory_remove(fixture->directory, "away", &error);
    }
    for (int i = 0; i < TIMES; i++) {
        AUTO_LOCK struct lock lock = LOCK_INIT;

        assert_returns(LOCK_TAKEN, lock_take_or_make(&lock, place, LOCK_TRY, &error));
    }
    end_child(child);
}

/* Two processes count up a number in a file, one step per lock. */
static void excludes_the_other(void **state)
{
    enum { STEPS = 300, PROCESSES = 3 };
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "lock"};
    pid_t children[PROCESSES];
    uint32_t number = 0;
    int file;

    put_bytes(fixture->directory, "number", &number, sizeof(number));
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork_child();
        for (int step = 0; children[i] == 0 && step < STEPS; step++) {
            AUTO_LOCK struct lock lock = LOCK_INIT;
            struct error error;

            if (lock_take_or_make(&lock, place, LOCK_WAIT, &error) != LOCK_TAKEN) {
                _exit(1);
            }
            file = openat(fixture->directory, "number", O_RDWR | O_CLOEXEC);
            if (pread(file, &number, sizeof(number), 0) != sizeof(number)) {
                _exit(2);
            }
            number++;
            (void)!pwrite(file, &number, sizeof(number), 0);
            (void)close(file);
        }
        if (children[i] == 0) {
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(wait_for_child(children[i]), 0);
    }
    file = openat(fixture->directory, "number", O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(file, &number, sizeof(number), 0), sizeof(number));
    (void)close(file);
    assert_int_equal(number, STEPS * PROCESSES);
}

/* For whoever debugs: which lock it is that holds somebody up. */
static void a_wait_is_told_while_it_lasts(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "lock"};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error error = ERROR_INIT;
    int told[2];
    char text[1024] = "";
    size_t length = 0;
    pid_t child;

    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    assert_returns(LOCK_TAKEN, lock_take_or_make(&lock, place, LOCK_TRY, &error));
    child = fork_child();
    if (child == 0) {
        struct lock theirs = LOCK_INIT;

        lock_release(&lock);
        (void)dup2(told[1], STDERR_FILENO);
        log_set_level(LOG_LEVEL_DEBUG);
        _exit((int)lock_take(&theirs, place, LOCK_WAIT, &error));
    }
    (void)close(told[1]);
    while (length < sizeof(text) - 1) {
        ssize_t got = read(told[0], text + length, sizeof(text) - 1 - length);

        if (got <= 0) {
            break;
        }
        length += (size_t)got;
        if (strstr(text, "] waits for the lock 'lock'\n")) {
            lock_release(&lock);
        }
    }
    (void)close(told[0]);
    assert_int_equal(wait_for_child(child), LOCK_TAKEN);
    assert_non_null(strstr(text, " ms for the lock 'lock'\n"));
}

static void who_holds_it_for_too_long_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "lock"};
    AUTO_LOCK struct lock ours = LOCK_INIT;
    AUTO_LOCK struct lock theirs = LOCK_INIT;
    struct error error = ERROR_INIT;

    assert_returns(LOCK_TAKEN, lock_await(&theirs, place, 0, &error));
    assert_fails(ERROR_LOCK_HELD, lock_await(&ours, place, 0, &error));
    assert_non_null(strstr(error.message, "stopped"));
    set_age(fixture->directory, "lock", 3600); /* its date is nobody's business */
    assert_fails(ERROR_LOCK_HELD, lock_await(&ours, place, 0, &error));
    lock_release(&theirs);
    assert_returns(LOCK_TAKEN, lock_await(&ours, place, 0, &error));
}

static void what_has_to_exist_is_waited_for_and_not_made(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "lock"};
    AUTO_LOCK struct lock ours = LOCK_INIT;
    AUTO_LOCK struct lock theirs = LOCK_INIT;
    struct error error = ERROR_INIT;

    assert_returns(LOCK_ABSENT, lock_await_existing(&ours, place, 1000, &error));
    assert_false(is_there(fixture->directory, "lock"));
    assert_returns(LOCK_TAKEN, lock_take_or_make(&theirs, place, LOCK_TRY, &error));
    assert_fails(ERROR_LOCK_HELD, lock_await_existing(&ours, place, 0, &error));
    assert_non_null(strstr(error.message, "stopped"));
    lock_release(&theirs);
    assert_returns(LOCK_TAKEN, lock_await_existing(&ours, place, 0, &error));
}

/* A holder who lives: each look at the file finds another date. */
static void live_on(void *context, const char *line)
{
    struct fixture *fixture = context;
    static time_t ahead = 1000;

    if (strcmp(line, "fstatat lock") == 0) {
        set_age(fixture->directory, "lock", -ahead++);
    }
}

static void who_hangs_is_done_without_whatever_the_date(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "lock"};
    AUTO_LOCK struct lock first = LOCK_INIT;
    AUTO_LOCK struct lock second = LOCK_INIT;
    AUTO_LOCK struct lock third = LOCK_INIT;
    struct error error = ERROR_INIT;

    assert_returns(LOCK_TAKEN, lock_await_or_replace(&first, place, 1000, &error));
    set_age(fixture->directory, "lock", 1001);
    assert_returns(LOCK_TAKEN, lock_await_or_replace(&second, place, 1000, &error));
    set_age(fixture->directory, "lock", -5000); /* somebody has set the clock back */
    trace_begin();
    trace_looks();
    trace_hook(live_on, fixture);
    assert_returns(LOCK_BUSY, lock_await_or_replace(&third, place, 0, &error));
    (void)trace_end();
    assert_returns(LOCK_TAKEN, lock_await_or_replace(&third, place, 0, &error));
    assert_returns(LOCK_BUSY, lock_take_or_make(&(struct lock)LOCK_INIT, place, LOCK_TRY, &error));
}

static void a_sign_of_life_keeps_a_lock(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "lock"};
    AUTO_LOCK struct lock ours = LOCK_INIT;
    AUTO_LOCK struct lock theirs = LOCK_INIT;
    struct error error = ERROR_INIT;

    lock_refresh(&theirs);
    assert_returns(LOCK_TAKEN, lock_take_or_replace(&theirs, place, 1000, &error));
    set_age(fixture->directory, "lock", 3600);
    lock_refresh(&theirs);
    assert_returns(LOCK_BUSY, lock_take_or_replace(&ours, place, 1000, &error));
}

/* Between getting a lock and dating it others see the date of whoever had it before. */
struct taker {
    struct lock lock;
    unsigned looks;
};

static void date_late(void *context, const char *line)
{
    struct taker *taker = context;

    if (strcmp(line, "fstatat lock") == 0 && taker->looks++ == 1) {
        lock_refresh(&taker->lock);
    }
}

static void who_has_just_taken_it_may_date_it(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "lock"};
    struct taker taker = {.lock = LOCK_INIT};
    AUTO_LOCK struct lock ours = LOCK_INIT;
    struct error error = ERROR_INIT;

    assert_returns(LOCK_TAKEN, lock_take_or_make(&taker.lock, place, LOCK_TRY, &error));
    set_age(fixture->directory, "lock", 3600);
    trace_begin();
    trace_looks();
    trace_hook(date_late, &taker);
    assert_returns(LOCK_BUSY, lock_take_or_replace(&ours, place, 1000, &error));
    (void)trace_end();
    lock_release(&taker.lock);
}

/* Whoever has a file open sees whether its writer lives. */
static void a_claim_lasts_as_long_as_who_made_it(void **state)
{
    struct fixture *fixture = *state;
    AUTO_CLOSE int reader = -1;
    AUTO_CLOSE int other = -1;
    int writer;

    put_file(fixture->directory, "file", "x");
    reader = openat(fixture->directory, "file", O_RDONLY | O_CLOEXEC);
    other = openat(fixture->directory, "file", O_RDONLY | O_CLOEXEC);
    writer = openat(fixture->directory, "file", O_RDWR | O_CLOEXEC);
    assert_false(lock_is_claimed(reader));
    assert_true(lock_claim(writer));
    assert_int_equal(renameat(fixture->directory, "file", fixture->directory, "name"), 0);
    assert_true(lock_is_claimed(reader));
    assert_true(lock_is_claimed(other));
    assert_false(lock_claim(other));
    (void)close(writer);
    assert_false(lock_is_claimed(reader));
    assert_false(lock_is_claimed(other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(takes_an_existing_file_only),
        IN_DIRECTORY(is_busy_while_somebody_has_it),
        IN_DIRECTORY(waits_until_it_is_free),
        IN_DIRECTORY(is_absent_when_it_was_removed_while_waiting),
        IN_DIRECTORY(is_absent_when_another_file_has_its_name),
        IN_DIRECTORY(is_not_absent_because_nobody_can_look),
        IN_DIRECTORY(is_absent_when_another_host_has_removed_it),
        IN_DIRECTORY(is_made_anew_when_it_was_removed_while_waiting),
        IN_DIRECTORY(a_child_shares_its_parents_lock),
        IN_DIRECTORY(a_dead_holder_holds_nothing),
        IN_DIRECTORY(follows_no_links),
        IN_DIRECTORY(makes_the_directories_that_it_needs),
        IN_DIRECTORY(makes_again_what_is_removed_before_it_is_open),
        IN_DIRECTORY(gives_up_when_it_is_removed_for_ever),
        IN_DIRECTORY(is_taken_although_another_removes_the_directory),
        IN_DIRECTORY(excludes_the_other),
        IN_DIRECTORY(a_wait_is_told_while_it_lasts),
        IN_DIRECTORY(who_holds_it_for_too_long_is_an_error),
        IN_DIRECTORY(what_has_to_exist_is_waited_for_and_not_made),
        IN_DIRECTORY(who_hangs_is_done_without_whatever_the_date),
        IN_DIRECTORY(a_sign_of_life_keeps_a_lock),
        IN_DIRECTORY(who_has_just_taken_it_may_date_it),
        IN_DIRECTORY(a_claim_lasts_as_long_as_who_made_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
