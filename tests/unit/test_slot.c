/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <unistd.h>

#include "lib/proxy/fill/slot.h"

static void all_of_them_can_be_taken(void **state)
{
    struct fixture *fixture = *state;
    struct slot slots[4] = {SLOT_INIT, SLOT_INIT, SLOT_INIT, SLOT_INIT};
    struct slot more = SLOT_INIT;
    struct error error;

    assert_returns(1, slot_take(&slots[0], &fixture->store, "a", 4, &error));
    assert_returns(1, slot_take(&slots[1], &fixture->store, "a", 4, &error));
    assert_returns(1, slot_take(&slots[2], &fixture->store, "b", 4, &error));
    assert_returns(1, slot_take(&slots[3], &fixture->store, "b", 4, &error));
    assert_returns(0, slot_take(&more, &fixture->store, "c", 4, &error));
    slot_release(&slots[0]);
    assert_returns(1, slot_take(&more, &fixture->store, "c", 4, &error));
    slot_release(&more);
    for (size_t i = 0; i < COUNT(slots); i++) {
        slot_release(&slots[i]);
        slot_release(&slots[i]);
    }
}

static void one_upstream_gets_half_of_them(void **state)
{
    struct fixture *fixture = *state;
    struct slot slots[3] = {SLOT_INIT, SLOT_INIT, SLOT_INIT};
    struct slot more = SLOT_INIT;
    struct error error;

    for (size_t i = 0; i < COUNT(slots); i++) {
        assert_returns(1, slot_take(&slots[i], &fixture->store, "a", 5, &error));
    }
    assert_returns(0, slot_take(&more, &fixture->store, "a", 5, &error));
    assert_int_equal(more.all.descriptor, -1); /* what it does not get it does not keep */
    assert_int_equal(more.upstream.descriptor, -1);
    assert_returns(1, slot_take(&more, &fixture->store, "b", 5, &error));
    slot_release(&more);
    for (size_t i = 0; i < COUNT(slots); i++) {
        slot_release(&slots[i]);
    }
}

static void a_single_one_is_anybodys(void **state)
{
    struct fixture *fixture = *state;
    struct slot slot = SLOT_INIT;
    struct slot more = SLOT_INIT;
    struct error error;

    assert_returns(0, slot_take(&slot, &fixture->store, "a", 0, &error));
    assert_returns(1, slot_take(&slot, &fixture->store, "a", 1, &error));
    assert_returns(0, slot_take(&more, &fixture->store, "b", 1, &error));
    slot_release(&slot);
}

static void a_dead_process_has_none(void **state)
{
    struct fixture *fixture = *state;
    struct slot slot = SLOT_INIT;
    struct error error;
    int ends[2];
    char ready;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork_child();
    if (child == 0) {
        (void)slot_take(&slot, &fixture->store, "a", 1, &error);
        (void)!write(ends[1], "x", 1);
        (void)pause();
    }
    assert_int_equal(read(ends[0], &ready, 1), 1);
    assert_returns(0, slot_take(&slot, &fixture->store, "a", 1, &error));
    end_child(child);
    assert_returns(1, slot_take(&slot, &fixture->store, "a", 1, &error));
    slot_release(&slot);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* So that a worker can take it and its child can go on with it. */
static void a_child_has_its_parents(void **state)
{
    struct fixture *fixture = *state;
    struct slot slot = SLOT_INIT;
    struct slot more = SLOT_INIT;
    struct error error;
    pid_t child;

    assert_returns(1, slot_take(&slot, &fixture->store, "a", 1, &error));
    child = fork_child();
    if (child == 0) {
        (void)pause();
    }
    slot_release(&slot);
    assert_returns(0, slot_take(&more, &fixture->store, "a", 1, &error));
    end_child(child);
    assert_returns(1, slot_take(&more, &fixture->store, "a", 1, &error));
    slot_release(&more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(all_of_them_can_be_taken), IN_STORE(one_upstream_gets_half_of_them),
        IN_STORE(a_single_one_is_anybodys), IN_STORE(a_dead_process_has_none),
        IN_STORE(a_child_has_its_parents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
