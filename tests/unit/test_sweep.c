/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "lib/base/lock.h"
#include "lib/proxy/evict/sweep.h"

enum { OLD = 2 * 86400 }; /* seconds */

static const char *const left[] = {
    "_berth/slots/host/waiting/_all/0",
    "_berth/slots/host/waiting/a.example/0",
    "_berth/slots/host/filling/_all/7",
    "_berth/slots/host/old.example/0",
    "_berth/flights/ab/abcd",
    "_berth/memos/ab/abcd",
    "_berth/upstreams/a.example/probe",
    "_berth/upstreams/a.example/trouble",
    "_berth/upstreams/a.example/ratelimit",
    "_berth/upstreams/a.example/tokens/abcd",
};

static const char *const rooms[] = {LAYOUT_SLOTS, "_berth/flights", "_berth/memos",
                                    "_berth/upstreams"};

static void leave(struct fixture *fixture, time_t age)
{
    for (size_t i = 0; i < COUNT(left); i++) {
        put_file(fixture->store.root, left[i], "99999999999\n");
        set_age(fixture->store.root, left[i], age);
    }
}

static void what_is_old_goes_with_its_directories(void **state)
{
    struct fixture *fixture = *state;

    leave(fixture, OLD);
    sweep_cache(&fixture->store);
    for (size_t i = 0; i < COUNT(rooms); i++) {
        assert_false(is_there(fixture->store.root, rooms[i]));
    }
}

static void what_is_new_stays(void **state)
{
    struct fixture *fixture = *state;

    leave(fixture, 10);
    sweep_cache(&fixture->store);
    for (size_t i = 0; i < COUNT(left); i++) {
        assert_true(is_there(fixture->store.root, left[i]));
    }
}

static void what_is_held_stays(void **state)
{
    static const char *const held[] = {"_berth/slots/host/waiting/a.example/0",
                                       "_berth/upstreams/a.example/probe",
                                       "_berth/flights/ab/abcd"};
    struct lock locks[COUNT(held)] = {LOCK_INIT, LOCK_INIT, LOCK_INIT};
    struct fixture *fixture = *state;
    struct error error;

    leave(fixture, OLD);
    for (size_t i = 0; i < COUNT(held); i++) {
        struct file_place place = {fixture->store.root, held[i]};

        assert_returns(LOCK_TAKEN, lock_take(&locks[i], place, LOCK_TRY, &error));
    }
    sweep_cache(&fixture->store);
    for (size_t i = 0; i < COUNT(held); i++) {
        assert_true(is_there(fixture->store.root, held[i]));
        lock_release(&locks[i]);
    }
    assert_false(is_there(fixture->store.root, "_berth/slots/host/waiting/_all"));
}

static void it_is_done_once_an_hour(void **state)
{
    struct fixture *fixture = *state;

    sweep_cache(&fixture->store);
    leave(fixture, OLD);
    sweep_cache(&fixture->store);
    assert_true(is_there(fixture->store.root, left[0]));
    set_age(fixture->store.root, LAYOUT_CACHE_SWEPT, 3601);
    sweep_cache(&fixture->store);
    assert_false(is_there(fixture->store.root, left[0]));
}

enum { MANY = 3 * SWEEP_LIMIT };

static void leave_many(struct fixture *fixture, time_t age)
{
    char path[64];

    for (int i = 0; i < MANY; i++) {
        (void)snprintf(path, sizeof(path), "_berth/memos/%02x/%d", i % 256, i);
        put_file(fixture->store.root, path, "x");
        set_age(fixture->store.root, path, age);
    }
}

static size_t count_memos(struct fixture *fixture)
{
    size_t count = 0;
    char path[64];

    for (int i = 0; i < 256; i++) {
        (void)snprintf(path, sizeof(path), "_berth/memos/%02x", i);
        count += is_there(fixture->store.root, path) ? count_entries(fixture->store.root, path) : 0;
    }
    return count;
}

/* As if the seconds until the next one had passed. */
static void sweep_again(struct fixture *fixture)
{
    set_age(fixture->store.root, LAYOUT_CACHE_SWEPT, 3601);
    sweep_cache(&fixture->store);
}

static void what_is_too_much_for_one_sweep_is_soon_gone_on_with(void **state)
{
    struct fixture *fixture = *state;
    size_t memos;
    int sweeps = 1;
    struct stat status;

    leave_many(fixture, OLD);
    sweep_cache(&fixture->store);
    memos = count_memos(fixture);
    assert_in_range(memos, MANY - SWEEP_LIMIT, MANY - 1);
    assert_int_equal(fstatat(fixture->store.root, LAYOUT_CACHE_SWEPT, &status, 0), 0);
    assert_true(clock_age(status.st_mtime) >= 3600 - SWEEP_SOON);
    for (; count_memos(fixture) > 0; sweeps++) {
        assert_true(sweeps < MANY);
        sweep_again(fixture);
    }
    /* Then once an hour again. */
    sweep_again(fixture);
    assert_int_equal(fstatat(fixture->store.root, LAYOUT_CACHE_SWEPT, &status, 0), 0);
    assert_true(clock_age(status.st_mtime) < 3600 - SWEEP_SOON);
}

/* Wherever it is: chance comes to it. */
static void what_is_in_use_hides_nothing_old(void **state)
{
    struct fixture *fixture = *state;

    leave_many(fixture, 10);
    put_file(fixture->store.root, "_berth/memos/ff/zz-old", "x");
    set_age(fixture->store.root, "_berth/memos/ff/zz-old", OLD);
    sweep_cache(&fixture->store);
    for (int sweeps = 0; is_there(fixture->store.root, "_berth/memos/ff/zz-old"); sweeps++) {
        assert_true(sweeps < MANY);
        sweep_again(fixture);
    }
    assert_int_equal(count_memos(fixture), MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(what_is_old_goes_with_its_directories),
        IN_STORE(what_is_new_stays),
        IN_STORE(what_is_held_stays),
        IN_STORE(it_is_done_once_an_hour),
        IN_STORE(what_is_too_much_for_one_sweep_is_soon_gone_on_with),
        IN_STORE(what_is_in_use_hides_nothing_old),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
