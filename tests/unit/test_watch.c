/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/watch.h"

enum { LONG = 600 * 1000 }; /* milliseconds: what is not noticed ends by the test's alarm */

static void change_content(int directory)
{
    int descriptor = openat(directory, "there", O_WRONLY | O_APPEND | O_CLOEXEC);

    assert_int_equal(write(descriptor, "x", 1), 1);
    (void)close(descriptor);
}

static void change_make(int directory)
{
    assert_int_equal(mkdirat(directory, "new", 0700), 0);
}

static void change_rename_in(int directory)
{
    assert_int_equal(renameat(directory, "../outside", directory, "inside"), 0);
}

static void change_rename_out(int directory)
{
    assert_int_equal(renameat(directory, "there", directory, "../gone"), 0);
}

static void change_remove(int directory)
{
    assert_int_equal(unlinkat(directory, "there", 0), 0);
}

static void change_move(int directory)
{
    assert_int_equal(renameat(directory, "../watched", directory, "../elsewhere"), 0);
}

static void (*const changes[])(int) = {change_content,    change_make,   change_rename_in,
                                       change_rename_out, change_remove, change_move};

static void notices_changes(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(changes); i++) {
        struct watch watch = WATCH_INIT;
        int directory;

        (void)mkdirat(fixture->directory, "watched", 0700);
        (void)close(openat(fixture->directory, "watched/there", O_CREAT | O_WRONLY, 0600));
        (void)close(openat(fixture->directory, "outside", O_CREAT | O_WRONLY, 0600));
        directory = openat(fixture->directory, "watched", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        watch_open(&watch, fixture->directory, "watched");
        assert_true(watch.descriptor >= 0);
        changes[i](directory);
        watch_wait(&watch, LONG);
        (void)close(directory);
        watch_close(&watch);
    }
}

static void one_that_is_open_stays(void **state)
{
    struct fixture *fixture = *state;
    struct watch watch = WATCH_INIT;
    int before;

    (void)mkdirat(fixture->directory, "watched", 0700);
    watch_open(&watch, fixture->directory, "watched");
    before = watch.descriptor;
    watch_open(&watch, fixture->directory, "elsewhere");
    assert_int_equal(watch.descriptor, before);
    watch_close(&watch);
    assert_int_equal(watch.descriptor, -1);
}

static bool is_due(const struct watch *watch)
{
    struct pollfd change = {.fd = watch->descriptor, .events = POLLIN};

    return poll(&change, 1, 0) > 0;
}

/* The kernel notes a change before the call that makes it returns. */
static void for_names_alone_nothing_that_is_written_counts(void **state)
{
    struct fixture *fixture = *state;
    struct watch watch = WATCH_INIT;

    (void)close(openat(fixture->directory, "there", O_CREAT | O_WRONLY, 0600));
    watch_open_names(&watch, fixture->directory, ".");
    assert_true(watch.descriptor >= 0);
    change_content(fixture->directory);
    assert_false(is_due(&watch));
    change_make(fixture->directory);
    assert_true(is_due(&watch));
    watch_wait(&watch, LONG);
    change_remove(fixture->directory);
    watch_wait(&watch, LONG);
    watch_close(&watch);
}

static int wait_without_descriptors(struct fixture *fixture)
{
    struct rlimit limit = {.rlim_cur = 0, .rlim_max = 0};
    struct watch watch = WATCH_INIT;

    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    watch_open(&watch, fixture->directory, ".");
    EXPECT(watch.descriptor == -1);
    watch_wait(&watch, 1);
    return 0;
}

static void without_a_watch_the_time_ends(void **state)
{
    struct fixture *fixture = *state;
    struct watch watch = WATCH_INIT;

    watch_open(&watch, fixture->directory, "nowhere");
    assert_int_equal(watch.descriptor, -1);
    watch_wait(&watch, 1);
    watch_open(&watch, fixture->directory, ".");
    watch_wait(&watch, 1);
    watch_close(&watch);
    run_in_child(wait_without_descriptors, *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(notices_changes),
        IN_DIRECTORY(one_that_is_open_stays),
        IN_DIRECTORY(for_names_alone_nothing_that_is_written_counts),
        IN_DIRECTORY(without_a_watch_the_time_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
