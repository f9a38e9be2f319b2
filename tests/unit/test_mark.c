/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/store/mark.h"

enum { HOUR = 3600 };

static void is_due_once_in_an_interval(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "mark"};
    struct mark mark = {.now = 0};
    struct error error = ERROR_INIT;

    assert_returns(1, mark_is_due(place, HOUR, &mark, &error));
    assert_true(mark.now > 0);
    assert_int_equal(mark.before, mark.now);
    assert_returns(0, mark_is_due(place, HOUR, &mark, &error));
    set_age(fixture->directory, "mark", HOUR - 100);
    assert_returns(0, mark_is_due(place, HOUR, &mark, &error));
    set_age(fixture->directory, "mark", HOUR + 100);
    assert_returns(1, mark_is_due(place, HOUR, &mark, &error));
    assert_true(mark.now - mark.before >= HOUR + 100);
    assert_returns(0, mark_is_due(place, HOUR, &mark, &error));
}

static void a_time_to_come_is_none(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "mark"};
    struct mark mark;
    struct error error = ERROR_INIT;

    put_file(fixture->directory, "mark", "");
    set_age(fixture->directory, "mark", -365L * 86400);
    assert_returns(1, mark_is_due(place, HOUR, &mark, &error));
    assert_int_equal(mark.before, mark.now);
    assert_true(mark.now <= clock_date() + 60);
    assert_returns(0, mark_is_due(place, HOUR, &mark, &error));
}

static void a_link_is_not_followed(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "link"};
    struct mark mark;
    struct error error = ERROR_INIT;

    assert_int_equal(symlinkat("elsewhere", fixture->directory, "link"), 0);
    set_age(fixture->directory, "link", HOUR + 100);
    assert_fails(ERROR_INTERNAL, mark_is_due(place, HOUR, &mark, &error));
    assert_false(is_there(fixture->directory, "elsewhere"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(is_due_once_in_an_interval),
        IN_DIRECTORY(a_time_to_come_is_none),
        IN_DIRECTORY(a_link_is_not_followed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
