/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/collecting.h"

#include "lib/store/sizes.h"

static void sizes_are_of_what_a_repository_has_links_to(void **state)
{
    struct fixture *fixture = *state;
    struct repository app = {.store = &fixture->store, .name = "team/app"};
    struct repository more = {.store = &fixture->store, .name = "team/app-more"};
    AUTO_SIZES struct sizes sizes = SIZES_INIT;
    AUTO_SIZES struct sizes again = SIZES_INIT;
    struct error error;
    uint64_t age;
    uint64_t one = 0;
    uint64_t two = 0;
    uint64_t other = 0;

    assert_returns(0, sizes_read(&fixture->store, &sizes, &age, &error));
    (void)push(&app, "one", "1", NULL);
    (void)push(&more, "one", "1", NULL);
    assert_returns(0, sizes_count(&fixture->store, NULL, &error));
    set_age(fixture->store.root, LAYOUT_SIZES, 100);
    assert_returns(1, sizes_read(&fixture->store, &sizes, &age, &error));
    assert_in_range(age, 100, 110);
    assert_true(sizes_find(&sizes, "team/app", &one) && one > 0);
    /* What two have counts for both. */
    assert_true(sizes_find(&sizes, "team/app-more", &other) && other == one);
    assert_false(sizes_find(&sizes, "team", &other) || sizes_find(&sizes, "team/ap", &other) ||
                 sizes_find(&sizes, "team/app-", &other) || sizes_find(&sizes, "zoo", &other));
    (void)push(&app, "two", "2", NULL);
    assert_returns(0, sizes_count(&fixture->store, NULL, &error));
    assert_returns(1, sizes_read(&fixture->store, &again, &age, &error));
    assert_true(sizes_find(&again, "team/app", &two) && two > one);
}

static void what_a_power_cut_leaves_is_nothing(void **state)
{
    struct fixture *fixture = *state;
    AUTO_SIZES struct sizes sizes = SIZES_INIT;
    struct error error;
    uint64_t age;
    uint64_t bytes;

    put_file(fixture->store.root, LAYOUT_SIZES, "a 1\nb\nc x\nd 18446744073709551616\ne 5");
    assert_returns(1, sizes_read(&fixture->store, &sizes, &age, &error));
    assert_true(sizes_find(&sizes, "a", &bytes) && bytes == 1);
    assert_false(sizes_find(&sizes, "b", &bytes) || sizes_find(&sizes, "c", &bytes) ||
                 sizes_find(&sizes, "d", &bytes) || sizes_find(&sizes, "e", &bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(sizes_are_of_what_a_repository_has_links_to),
        IN_STORE(what_a_power_cut_leaves_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
