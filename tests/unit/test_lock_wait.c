/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

/* How often who waits for a lock looks whether it is free. */

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/lock.h"
#include "tests/unit/trace.h"

/* When somebody has tried to get a lock. */
struct tries {
    size_t count;
    int64_t times[10000]; /* milliseconds */
};

static void note_try(void *context, const char *line)
{
    struct tries *tries = context;

    if (strcmp(line, "openat lock") == 0 && tries->count < COUNT(tries->times)) {
        tries->times[tries->count++] = clock_milliseconds();
    }
}

static int compare_pauses(const void *one, const void *other)
{
    return (int)(*(const int64_t *)one - *(const int64_t *)other);
}

/* Of those that begin between these two parts of a hundred of the whole. */
static int64_t usual_pause(const struct tries *tries, int64_t from, int64_t to)
{
    static int64_t pauses[COUNT(tries->times)];
    int64_t all = tries->times[tries->count - 1] - tries->times[0];
    size_t count = 0;

    for (size_t i = 0; i + 1 < tries->count; i++) {
        int64_t part = (tries->times[i] - tries->times[0]) * 100 / all;

        if (part >= from && part < to) {
            pauses[count++] = tries->times[i + 1] - tries->times[i];
        }
    }
    assert_true(count > 0);
    qsort(pauses, count, sizeof(*pauses), compare_pauses);
    return pauses[count / 2];
}

/* Or those who come last, and try often at first, would have it before him for ever. */
static void who_soon_has_to_give_up_tries_more_often(void **state)
{
    static struct tries tries;
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "lock"};
    AUTO_LOCK struct lock ours = LOCK_INIT;
    AUTO_LOCK struct lock theirs = LOCK_INIT;
    struct error error = ERROR_INIT;

    assert_returns(LOCK_TAKEN, lock_take_or_make(&theirs, place, LOCK_TRY, &error));
    trace_begin();
    trace_looks();
    trace_hook(note_try, &tries);
    assert_fails(ERROR_LOCK_HELD, lock_await(&ours, place, 2, &error));
    (void)trace_end();
    assert_true(3 * usual_pause(&tries, 80, 100) < 2 * usual_pause(&tries, 40, 70));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(who_soon_has_to_give_up_tries_more_often),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
