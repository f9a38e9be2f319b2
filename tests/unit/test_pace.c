/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "lib/base/pace.h"

static void any_rate_never_waits(void **state)
{
    struct pace pace = {.rate = 0};

    (void)state;
    assert_int_equal(pace_moved(&pace, UINT64_MAX / 2, 5), 0);
}

static void a_second_s_bytes_take_a_second(void **state)
{
    struct pace pace = {.rate = 1000};
    int64_t now = 1000000;
    int64_t began = now;

    (void)state;
    for (int i = 0; i < 100; i++) { /* of which each takes no time at all */
        now += pace_moved(&pace, 100, now);
    }
    assert_in_range(now - began, 9700, 10000);
}

static void who_is_slow_himself_does_not_wait(void **state)
{
    struct pace pace = {.rate = 1000};
    int64_t now = 1000000;

    (void)state;
    for (int i = 0; i < 100; i++) {
        now += 150;
        assert_int_equal(pace_moved(&pace, 100, now), 0);
    }
}

static void a_pause_is_not_made_up_for(void **state)
{
    struct pace pace = {.rate = 1000};

    (void)state;
    (void)pace_moved(&pace, 1000, 1000000);
    assert_in_range(pace_moved(&pace, 1000, 1000000 + 3600000), 750, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_rate_never_waits),
        cmocka_unit_test(a_second_s_bytes_take_a_second),
        cmocka_unit_test(who_is_slow_himself_does_not_wait),
        cmocka_unit_test(a_pause_is_not_made_up_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
