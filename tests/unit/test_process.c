/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

static void what_is_started_is_nobodys_child_and_keeps_what_it_was_given(void **state)
{
    struct error error = ERROR_INIT;
    char got = '\0';
    int ends[2];
    int started;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    started = process_detach(&ends[1], 1, &error);
    if (started == 0) {
        _exit(write(ends[1], "x", 1) == 1 && write(ends[0], "y", 1) < 0 ? 0 : 1);
    }
    assert_int_equal(close(ends[1]), 0);
    assert_returns(1, started);
    assert_int_equal(read(ends[0], &got, 1), 1);
    assert_int_equal(got, 'x');
    assert_int_equal(read(ends[0], &got, 1), 0);
    assert_int_equal(close(ends[0]), 0);
    assert_there_is_no_child();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_could_not_be_started_is_not_said_to_run),
        cmocka_unit_test(what_is_started_is_nobodys_child_and_keeps_what_it_was_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
