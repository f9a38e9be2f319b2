/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <unistd.h>

#include "lib/proxy/fill/slot.h"

static struct error error;

static int take_kind(struct slot *slot, enum slot_kind kind, struct fixture *fixture,
                     const char *name, uint64_t maximum)
{
    struct proxy_options options = {.maximum_waiting = maximum};
    struct upstream upstream = {.options = &options, .store = &fixture->store};

    (void)snprintf(upstream.name, sizeof(upstream.name), "%s", name);
    return slot_take(slot, kind, &upstream, &error);
}

static int take(struct slot *slot, struct fixture *fixture, const char *name, uint64_t maximum)
{
    return take_kind(slot, SLOT_WAITING, fixture, name, maximum);
}

static void all_of_them_can_be_taken(void **state)
{
    struct fixture *fixture = *state;
    struct slot slots[4] = {SLOT_INIT, SLOT_INIT, SLOT_INIT, SLOT_INIT};
    struct slot more = SLOT_INIT;

    assert_returns(1, take(&slots[0], fixture, "a", 4));
    assert_returns(1, take(&slots[1], fixture, "a", 4));
    assert_returns(1, take(&slots[2], fixture, "b", 4));
    assert_returns(1, take(&slots[3], fixture, "b", 4));
    assert_returns(0, take(&more, fixture, "c", 4));
    slot_release(&slots[0]);
    assert_returns(1, take(&more, fixture, "c", 4));
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

    for (size_t i = 0; i < COUNT(slots); i++) {
        assert_returns(1, take(&slots[i], fixture, "a", 5));
    }
    assert_returns(0, take(&more, fixture, "a", 5));
    assert_int_equal(more.all.descriptor, -1); /* what it does not get it does not keep */
    assert_int_equal(more.upstream.descriptor, -1);
    assert_returns(1, take(&more, fixture, "b", 5));
    slot_release(&more);
    for (size_t i = 0; i < COUNT(slots); i++) {
        slot_release(&slots[i]);
    }
}

/* However many downloads strangers have begun. */
static void fillers_have_their_own(void **state)
{
    struct fixture *fixture = *state;
    struct slot fillers[2] = {SLOT_INIT, SLOT_INIT};
    struct slot more = SLOT_INIT;

    for (size_t i = 0; i < COUNT(fillers); i++) {
        assert_returns(1, take_kind(&fillers[i], SLOT_FILLING, fixture, "a", 4));
    }
    assert_returns(0, take_kind(&more, SLOT_FILLING, fixture, "a", 4));
    assert_returns(1, take_kind(&more, SLOT_FILLING, fixture, "b", 4));
    slot_release(&more);
    assert_returns(1, take(&more, fixture, "a", 4));
    slot_release(&more);
    for (size_t i = 0; i < COUNT(fillers); i++) {
        slot_release(&fillers[i]);
    }
}

static void a_single_one_is_anybodys(void **state)
{
    struct fixture *fixture = *state;
    struct slot slot = SLOT_INIT;
    struct slot more = SLOT_INIT;

    assert_returns(0, take(&slot, fixture, "a", 0));
    assert_returns(1, take(&slot, fixture, "a", 1));
    assert_returns(0, take(&more, fixture, "b", 1));
    slot_release(&slot);
}

static void a_dead_process_has_none(void **state)
{
    struct fixture *fixture = *state;
    struct slot slot = SLOT_INIT;
    int ends[2];
    char ready;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork_child();
    if (child == 0) {
        (void)take(&slot, fixture, "a", 1);
        (void)!write(ends[1], "x", 1);
        (void)pause();
    }
    assert_int_equal(read(ends[0], &ready, 1), 1);
    assert_returns(0, take(&slot, fixture, "a", 1));
    end_child(child);
    assert_returns(1, take(&slot, fixture, "a", 1));
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
    pid_t child;

    assert_returns(1, take(&slot, fixture, "a", 1));
    child = fork_child();
    if (child == 0) {
        (void)pause();
    }
    slot_release(&slot);
    assert_returns(0, take(&more, fixture, "a", 1));
    end_child(child);
    assert_returns(1, take(&more, fixture, "a", 1));
    slot_release(&more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(all_of_them_can_be_taken), IN_STORE(one_upstream_gets_half_of_them),
        IN_STORE(fillers_have_their_own),   IN_STORE(a_single_one_is_anybodys),
        IN_STORE(a_dead_process_has_none),  IN_STORE(a_child_has_its_parents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
