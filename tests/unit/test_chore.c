/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "lib/store/chore.h"

static void what_became_of_it_is_read(void **state)
{
    struct fixture *fixture = *state;
    struct chore chore;
    struct chore_past past;
    struct error error;

    assert_returns(0, chore_read(&fixture->store, CHORE_CHECK, &past, &error));
    chore_begin(&chore, CHORE_CHECK, &fixture->store);
    assert_returns(1, chore_read(&fixture->store, CHORE_CHECK, &past, &error));
    assert_int_equal(past.outcome, CHORE_UNDER_WAY);
    chore_end(&chore, &fixture->store, CHORE_STOPPED, 3);
    assert_returns(1, chore_read(&fixture->store, CHORE_CHECK, &past, &error));
    assert_int_equal(past.outcome, CHORE_STOPPED);
    assert_int_equal(past.problems, 3);
    assert_returns(0, chore_read(&fixture->store, CHORE_COLLECT, &past, &error));
}

static void one_that_nobody_goes_on_with_is_lost(void **state)
{
    struct fixture *fixture = *state;
    struct chore chore;
    struct chore_past past;
    struct error error;

    chore_begin(&chore, CHORE_COLLECT, &fixture->store);
    set_age(fixture->store.root, LAYOUT_LAST_COLLECT, 100);
    assert_returns(1, chore_read(&fixture->store, CHORE_COLLECT, &past, &error));
    assert_int_equal(past.outcome, CHORE_UNDER_WAY);
    set_age(fixture->store.root, LAYOUT_LAST_COLLECT, 200);
    assert_returns(1, chore_read(&fixture->store, CHORE_COLLECT, &past, &error));
    assert_int_equal(past.outcome, CHORE_LOST);
    assert_string_equal(chore_outcome_name(past.outcome), "interrupted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(what_became_of_it_is_read),
        IN_STORE(one_that_nobody_goes_on_with_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
