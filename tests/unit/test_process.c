/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/local.h"
#include "lib/base/process.h"

static int forks_left = INT_MAX;

/* In place of the C library's: whose limit of processes is reached cannot be had by root. */
pid_t fork(void)
{
    if (forks_left == 0) {
        errno = EAGAIN;
        return -1;
    }
    forks_left--;
    return _Fork();
}

static int interruptions;

/* Of whoever has handlers for signals. */
pid_t waitpid(pid_t child, int *status, int options)
{
    if (interruptions > 0) {
        interruptions--;
        errno = EINTR;
        return -1;
    }
    return (pid_t)syscall(SYS_wait4, child, status, options, NULL);
}

static int close_range_fails_with;

int close_range(unsigned first, unsigned last, int flags)
{
    if (close_range_fails_with != 0) {
        errno = close_range_fails_with;
        return -1;
    }
    return (int)syscall(SYS_close_range, first, last, flags);
}

static void assert_there_is_no_child(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

/* It lives on behind a second process, which may be one too many as well. */
static void what_could_not_be_started_is_not_said_to_run(void **state)
{
    (void)state;
    for (int forks = 0; forks < 2; forks++) {
        struct error error = ERROR_INIT;
        int started;

        forks_left = forks;
        interruptions = forks;
        started = process_detach(NULL, 0, &error);
        if (started == 0) {
            _exit(0);
        }
        forks_left = INT_MAX;
        assert_fails(ERROR_INTERNAL, started);
        assert_non_null(strstr(error.message, strerror(EAGAIN)));
        assert_there_is_no_child();
    }
}

static void check_what_is_kept(void)
{
    struct error error = ERROR_INIT;
    char got = '\0';
    int ends[2];
    int other;
    int started;

    assert_int_equal(pipe(ends), 0);
    other = dup(ends[0]);
    started = process_detach(&ends[1], 1, &error);
    if (started == 0) {
        bool is_alone = fcntl(ends[0], F_GETFD) < 0 && fcntl(other, F_GETFD) < 0;

        _exit(write(ends[1], is_alone ? "x" : "y", 1) == 1 ? 0 : 1);
    }
    assert_int_equal(close(ends[1]), 0);
    assert_returns(1, started);
    assert_int_equal(read(ends[0], &got, 1), 1);
    assert_int_equal(got, 'x');
    assert_int_equal(read(ends[0], &got, 1), 0);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(other), 0);
    assert_there_is_no_child();
}

static void what_is_started_is_nobodys_child_and_keeps_what_it_was_given(void **state)
{
    (void)state;
    check_what_is_kept();
}

/* As systemd's SystemCallFilter= and old containers do. */
static void it_keeps_no_more_where_descriptors_cannot_be_closed_by_ranges(void **state)
{
    (void)state;
    close_range_fails_with = ENOSYS;
    check_what_is_kept();
    close_range_fails_with = EPERM;
    check_what_is_kept();
    close_range_fails_with = 0;
}

/* Whoever asks for it may have handlers for signals. */
static void a_signal_leaves_no_dead_child_behind(void **state)
{
    (void)state;
    interruptions = 3;
    check_what_is_kept();
    assert_int_equal(interruptions, 0);
}

/* Until somebody has taken the client. */
static void a_process_is_wanted_while_a_client_waits_where_it_listens(void **state)
{
    int listener = local_listen("berth-test-process");
    int client;
    int taken;

    (void)state;
    assert_true(listener >= 0);
    assert_false(process_is_wanted());
    process_listen(listener);
    assert_false(process_is_wanted());
    client = local_connect("berth-test-process");
    assert_true(client >= 0);
    assert_true(process_is_wanted());
    taken = local_accept(listener, -1, 1000);
    assert_true(taken >= 0);
    assert_false(process_is_wanted());
    process_listen(-1);
    (void)close(taken);
    (void)close(client);
    (void)close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_could_not_be_started_is_not_said_to_run),
        cmocka_unit_test(what_is_started_is_nobodys_child_and_keeps_what_it_was_given),
        cmocka_unit_test(it_keeps_no_more_where_descriptors_cannot_be_closed_by_ranges),
        cmocka_unit_test(a_process_is_wanted_while_a_client_waits_where_it_listens),
        cmocka_unit_test(a_signal_leaves_no_dead_child_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
