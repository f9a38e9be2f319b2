/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/proxy/ask/health.h"

enum { HOUR = 3600, UPSTREAM_HOURS = 24 };

static struct error error;
static struct report report = REPORT_INIT;

static const char *trouble(void)
{
    static struct path path;

    path = layout_upstream("up", "trouble");
    return path.text;
}

static void record(struct fixture *fixture, unsigned retry_after)
{
    struct error failure;

    (void)error_set(&failure, ERROR_UPSTREAM_UNREACHABLE, "the upstream is on fire");
    health_record(&fixture->store, "up", &failure, retry_after);
}

static int check_with(struct fixture *fixture, struct lock *probe)
{
    static const struct proxy_options options = {.connect_timeout = 30, .stall_timeout = 60};
    struct upstream upstream = {.options = &options, .store = &fixture->store, .name = "up"};

    return health_check(&upstream, probe, &report, &error);
}

static int check(struct fixture *fixture)
{
    AUTO_LOCK struct lock probe = LOCK_INIT;

    return check_with(fixture, &probe);
}

static void a_failure_is_remembered_for_a_while(void **state)
{
    struct fixture *fixture = *state;

    assert_returns(0, check(fixture));
    record(fixture, 0);
    assert_true(health_is_bad(&fixture->store, "up"));
    assert_false(health_is_bad(&fixture->store, "other"));
    assert_fails(ERROR_UPSTREAM_UNREACHABLE, check(fixture));
    assert_string_equal(error.message, "the upstream is on fire");
    assert_true(report.retry_after > 0);
    health_clear(&fixture->store, "up");
    assert_false(health_is_bad(&fixture->store, "up"));
    assert_returns(0, check(fixture));
}

static void after_it_one_may_try(void **state)
{
    struct fixture *fixture = *state;
    AUTO_LOCK struct lock probe = LOCK_INIT;
    AUTO_BUFFER struct buffer past = BUFFER_INIT;

    buffer_format(&past, "1\n%u\nlong ago\n", (unsigned)ERROR_UPSTREAM_TIMEOUT);
    put_bytes(fixture->store.root, trouble(), past.data, past.length);
    put_file(fixture->store.root, layout_upstream("up", "probe").text, "");
    set_age(fixture->store.root, layout_upstream("up", "probe").text, HOUR);
    assert_false(health_is_bad(&fixture->store, "up"));
    assert_returns(0, check_with(fixture, &probe));
    assert_fails(ERROR_UPSTREAM_TIMEOUT, check(fixture));
}

/* Or all others would be told of the old trouble for as long as he hangs, or is stopped. */
static void who_has_tried_for_long_keeps_nobody_from_it(void **state)
{
    struct fixture *fixture = *state;
    struct path path = layout_upstream("up", "probe");
    AUTO_LOCK struct lock hanging = LOCK_INIT;
    AUTO_LOCK struct lock probe = LOCK_INIT;

    put_file(fixture->store.root, trouble(), "1\n1\nlong ago\n");
    assert_returns(0, check_with(fixture, &hanging));
    set_age(fixture->store.root, path.text, 3 * 60);
    assert_fails(ERROR_INTERNAL, check(fixture));
    set_age(fixture->store.root, path.text, HOUR);
    assert_returns(0, check_with(fixture, &probe));
    assert_true(probe.descriptor >= 0);
    assert_fails(ERROR_INTERNAL, check(fixture));
}

/* The clock has gone back since: nobody knows for how long it was meant. */
static void what_was_remembered_in_the_future_is_forgotten(void **state)
{
    struct fixture *fixture = *state;

    record(fixture, HOUR);
    assert_true(health_is_bad(&fixture->store, "up"));
    set_age(fixture->store.root, trouble(), -UPSTREAM_HOURS * HOUR);
    assert_false(health_is_bad(&fixture->store, "up"));
    assert_returns(0, check(fixture));
}

/* By another version, which counts its codes otherwise, or by an accident. */
static void what_nobody_can_have_meant_is_not_believed(void **state)
{
    static const char *const codes[] = {"0", "-1", "99", "4294967296", "9223372036854775807"};
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;

    put_file(fixture->store.root, trouble(), "9000000000000000000\n27\nfor ever\n");
    assert_false(health_is_bad(&fixture->store, "up"));
    assert_returns(0, check(fixture));
    for (size_t i = 0; i < COUNT(codes); i++) {
        buffer_clear(&memo);
        buffer_format(&memo, "%lld\n%s\nwhat?\n", (long long)clock_date() + HOUR / 2, codes[i]);
        put_bytes(fixture->store.root, trouble(), memo.data, memo.length);
        if (check(fixture) < 0) {
            assert_int_equal(error.code, ERROR_UPSTREAM);
        }
    }
    buffer_clear(&memo);
    buffer_format(&memo, "%lld\n%d\nwhat?\n", (long long)clock_date() + HOUR / 2,
                  (int)ERROR_WOULD_WAIT);
    put_bytes(fixture->store.root, trouble(), memo.data, memo.length);
    assert_fails(ERROR_UPSTREAM, check(fixture));
}

static void a_limit_of_the_future_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    struct path path = layout_upstream("up", "ratelimit");

    put_file(fixture->store.root, path.text, "5\n100\n");
    assert_true(health_is_short(&fixture->store, "up"));
    set_age(fixture->store.root, path.text, -HOUR);
    assert_false(health_is_short(&fixture->store, "up"));
    set_age(fixture->store.root, path.text, 2 * HOUR);
    assert_false(health_is_short(&fixture->store, "up"));
    put_file(fixture->store.root, path.text, "50\n100\n");
    assert_false(health_is_short(&fixture->store, "up"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(a_failure_is_remembered_for_a_while),
        IN_STORE(after_it_one_may_try),
        IN_STORE(who_has_tried_for_long_keeps_nobody_from_it),
        IN_STORE(what_was_remembered_in_the_future_is_forgotten),
        IN_STORE(what_nobody_can_have_meant_is_not_believed),
        IN_STORE(a_limit_of_the_future_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
