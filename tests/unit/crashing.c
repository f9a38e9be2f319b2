/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/crashing.h"

#include <unistd.h>

#include "tests/unit/trace.h"

/* A store in which the operation meets one fault; number 0: its process ends there. */
static bool crash_at(const struct crashing *operation, size_t n, int number,
                     const struct error *error)
{
    void *state = NULL;
    struct fixture *fixture;
    bool reached = false;
    int seen;
    int result = -1;

    assert_int_equal(store_setup(&state), 0);
    fixture = state;
    if (operation->prepare) {
        operation->prepare(fixture);
    }
    if (number == 0) {
        pid_t child = fork_child();

        if (child == 0) {
            trace_begin_with_fault(n, 0);
            _exit(operation->run(fixture) < 0 ? 2 : 1);
        }
        result = wait_for_child(child);
        assert_int_not_equal(result, 2);
        reached = result == 0;
        result = reached ? -1 : 0;
    } else {
        trace_begin_with_fault(n, number);
        result = operation->run(fixture);
        reached = trace_end();
    }
    if (!operation->is_repair) {
        assert_problems(fixture, 0);
    }
    seen = operation->state_of(fixture);
    /* What was acknowledged is there. That what was not is not there, nobody has promised. */
    if (seen < 0 || (result >= 0 && seen != 1)) {
        fail_msg("%s, call %zu, errno %d: result %d, state %d: %s", operation->name, n, number,
                 result, seen, error->message);
    }
    fixture->damaged = true; /* what is left lies in the temporary directory */
    result = operation->run(fixture);
    seen = operation->state_of(fixture);
    if (result < 0 || seen != 1 || (operation->has_remains && operation->has_remains(fixture))) {
        fail_msg("%s after a fault at call %zu, errno %d, done again: result %d, state %d: %s",
                 operation->name, n, number, result, seen, error->message);
    }
    assert_problems(fixture, 0);
    assert_int_equal(store_teardown(&state), 0);
    return reached;
}

void crash_everywhere(const struct crashing *operations, size_t count, int number,
                      const struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        size_t n = 0;

        while (crash_at(&operations[i], n, number, error)) {
            n++;
        }
        assert_true(n >= 3);
    }
}
