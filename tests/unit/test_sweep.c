/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "lib/proxy/fill/slot.h"
#include "lib/proxy/sweep.h"

enum { DAY = 86400 };

static void empty_places_go_and_taken_ones_stay(void **state)
{
    struct fixture *fixture = *state;
    struct slot taken = SLOT_INIT;
    struct slot left = SLOT_INIT;
    struct error error = ERROR_INIT;

    assert_returns(1, slot_take(&left, &fixture->store, "a", 4, &error));
    slot_release(&left);
    assert_returns(1, slot_take(&taken, &fixture->store, "b", 4, &error));
    put_file(fixture->store.root, LAYOUT_SLOTS "/gone/a/0", "");
    set_age_of_all(fixture->store.root, LAYOUT_SLOTS, 2 * DAY);
    sweep_cache(&fixture->store);
    assert_false(is_there(fixture->store.root, LAYOUT_SLOTS "/gone"));
    assert_int_equal(count_entries(fixture->store.root, LAYOUT_SLOTS), 1);
    /* The taken one is still taken. */
    assert_returns(1, slot_take(&left, &fixture->store, "a", 2, &error));
    assert_returns(0, slot_take(&left, &fixture->store, "b", 2, &error));
    slot_release(&taken);
    slot_release(&left);
}

static void places_of_today_stay(void **state)
{
    struct fixture *fixture = *state;
    struct slot left = SLOT_INIT;
    struct error error = ERROR_INIT;

    assert_returns(1, slot_take(&left, &fixture->store, "a", 4, &error));
    slot_release(&left);
    sweep_cache(&fixture->store);
    assert_int_equal(count_entries(fixture->store.root, LAYOUT_SLOTS), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(empty_places_go_and_taken_ones_stay),
        IN_STORE(places_of_today_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
