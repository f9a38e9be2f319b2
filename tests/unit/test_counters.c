/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/directory.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/observe/count/count.h"
#include "lib/observe/count/counters.h"
#include "lib/observe/count/presence.h"
#include "lib/observe/count/totals.h"

static char directory[512];

static const struct counted_request got = {.route = COUNTED_BLOB,
                                           .method = "GET",
                                           .status = 200,
                                           .microseconds = 700,
                                           .sent = 1000,
                                           .is_handed_over = true,
                                           .upstream = "docker.io"};

/* Opens the numbers of a host in the fixture's directory. */
static int open_with(struct fixture *fixture, struct names *upstreams, struct error *error)
{
    (void)snprintf(directory, sizeof(directory), "%s/_berth", fixture->path);
    (void)mkdir(directory, 0755);
    (void)snprintf(directory, sizeof(directory), "%s/_berth/counters/host", fixture->path);
    return counters_open(directory, upstreams, error);
}

static void open_here(void **state, const char *upstream)
{
    AUTO_NAMES struct names upstreams = NAMES_INIT;
    struct error error;

    names_add(&upstreams, upstream);
    assert_returns(0, open_with(*state, &upstreams, &error));
    assert_true(counters_are_shared());
}

/* The only file of numbers that there is. */
static void find_file(char *out, size_t size)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    struct error error;
    size_t count = 0;

    assert_returns(1, directory_list(AT_FDCWD, directory, &names, &error));
    for (size_t i = 0; i < names.count; i++) {
        if (text_begins(names.names[i], "counters-")) {
            (void)snprintf(out, size, "%s/%s", directory, names.names[i]);
            count++;
        }
    }
    assert_int_equal(count, 1);
}

static uint64_t requests(void)
{
    return counters_tally()->requests[COUNTED_BLOB][COUNTED_METHOD_GET][COUNTED_CLASS_2XX];
}

static void counts_before_there_is_a_file(void **state)
{
    (void)state;
    counters_close();
    count_request(&got);
    count_login(COUNTED_LOGIN_OK);
    count_look("docker.io", THING_BLOB, LOOK_HIT);
    assert_false(counters_are_shared());
}

static void counts_a_request_where_it_belongs(void **state)
{
    const struct tally *tally;
    size_t place;

    open_here(state, "docker.io");
    count_request(&got);
    tally = counters_tally();
    place = counters_upstream("docker.io");
    assert_int_equal(requests(), 1);
    assert_int_equal(tally->durations[COUNTED_BLOB].buckets[1], 1);
    assert_int_equal(tally->durations[COUNTED_BLOB].microseconds, 700);
    assert_int_equal(tally->bytes[WAY_HANDED_OVER], 1000);
    assert_int_equal(tally->bytes[WAY_SENT], 0);
    assert_true(place < COUNTED_OTHERS);
    assert_int_equal(tally->upstreams[place].served, 1000);
    counters_close();
}

/* Whatever a client asks for: labels are ours. */
static void counts_what_is_not_configured_with_the_others(void **state)
{
    struct counted_request odd = got;

    open_here(state, "docker.io");
    odd.method = "BREW";
    odd.upstream = "made.up.example";
    odd.status = 999;
    count_request(&odd);
    assert_int_equal(counters_upstream("made.up.example"), COUNTED_OTHERS);
    assert_int_equal(counters_tally()->upstreams[COUNTED_OTHERS].served, 1000);
    assert_int_equal(
        counters_tally()->requests[COUNTED_BLOB][COUNTED_METHOD_OTHER][COUNTED_CLASS_5XX], 1);
    counters_close();
}

static void shares_what_processes_count_and_loses_nothing_of_one_that_is_killed(void **state)
{
    enum { PROCESSES = 4, EACH = 5000 };

    open_here(state, "docker.io");
    for (int i = 0; i < PROCESSES; i++) {
        if (fork() == 0) {
            for (int j = 0; j < EACH; j++) {
                count_request(&got);
            }
            abort();
        }
    }
    while (wait(NULL) > 0) {
    }
    assert_int_equal(requests(), PROCESSES * EACH);
    counters_close();
    open_here(state, "docker.io");
    assert_int_equal(requests(), PROCESSES * EACH);
    assert_int_equal(counters_tally()->upstreams[counters_upstream("docker.io")].served,
                     PROCESSES * EACH * 1000);
    counters_close();
}

static void goes_on_when_its_file_is_cut_short(void **state)
{
    char file[1024];

    open_here(state, "docker.io");
    find_file(file, sizeof(file));
    assert_int_equal(truncate(file, 0), 0);
    count_login(COUNTED_LOGIN_OK);
    assert_true(counters_are_lost());
    assert_false(counters_are_shared());
    assert_int_equal(counters_tally()->logins[COUNTED_LOGIN_OK], 1);
    presence_enter(PRESENCE_IDLE);
    count_request(&got); /* which finds a file anew */
    assert_true(counters_are_shared());
    presence_change(PRESENCE_BUSY);
    count_request(&got);
    assert_int_equal(requests(), 1);
    counters_close();
    open_here(state, "docker.io");
    assert_int_equal(requests(), 1);
    counters_close();
}

static void finds_another_file_when_its_own_is_gone(void **state)
{
    char file[1024];
    struct error error;

    open_here(state, "docker.io");
    count_request(&got);
    find_file(file, sizeof(file));
    assert_returns(0, directory_remove(AT_FDCWD, directory, &error));
    count_request(&got);
    counters_look_after();
    assert_true(counters_are_shared());
    assert_int_equal(requests(), 0);
    find_file(file, sizeof(file));
    counters_close();
}

static void makes_a_torn_file_whole(void **state)
{
    char file[1024];
    int descriptor;

    open_here(state, "docker.io");
    count_request(&got);
    counters_close();
    find_file(file, sizeof(file));
    descriptor = open(file, O_WRONLY);
    assert_int_equal(pwrite(descriptor, "\0\0\0\0", 4, 0), 4);
    assert_int_equal(close(descriptor), 0);
    open_here(state, "docker.io");
    assert_int_equal(requests(), 0);
    count_request(&got);
    assert_int_equal(requests(), 1);
    counters_close();
}

/* A store that is not mounted has no `_berth`: nothing is made there. */
static void counts_alone_where_there_is_no_store(void **state)
{
    const struct fixture *fixture = *state;
    AUTO_NAMES struct names none = NAMES_INIT;
    char path[512];
    struct error error;

    (void)snprintf(path, sizeof(path), "%s/_berth/counters/host", fixture->path);
    assert_returns(-1, counters_open(path, &none, &error));
    count_request(&got);
    assert_false(counters_are_shared());
    (void)snprintf(path, sizeof(path), "%s/_berth", fixture->path);
    assert_int_equal(access(path, F_OK), -1);
    counters_close();
}

static void counts_alone_where_the_file_is_not_ours(void **state)
{
    AUTO_NAMES struct names none = NAMES_INIT;
    char file[1024];
    char moved[1100];
    struct error error;

    open_here(state, "docker.io");
    counters_close();
    find_file(file, sizeof(file));
    (void)snprintf(moved, sizeof(moved), "%s.moved", file);
    assert_int_equal(chmod(file, 0666), 0); /* anybody can write to it */
    assert_returns(-1, open_with(*state, &none, &error));
    assert_false(counters_are_shared());
    counters_close();
    assert_int_equal(chmod(file, 0600), 0);
    assert_int_equal(link(file, moved), 0); /* it has another name somewhere */
    assert_returns(-1, open_with(*state, &none, &error));
    assert_int_equal(unlink(file), 0);
    assert_int_equal(symlink(moved, file), 0);
    assert_returns(-1, open_with(*state, &none, &error));
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkfifo(file, 0600), 0);
    assert_returns(-1, open_with(*state, &none, &error));
    count_request(&got);
    counters_close();
}

static void takes_over_what_another_layout_has(void **state)
{
    AUTO_BUFFER struct buffer old = BUFFER_INIT;
    char file[1024];
    char other[1100];
    struct error error;

    open_here(state, "docker.io");
    count_request(&got);
    counters_close();
    find_file(file, sizeof(file));
    (void)snprintf(other, sizeof(other), "%s/counters-0000000000000001", directory);
    assert_returns(1, file_read(AT_FDCWD, file, 1 << 20, &old, &error));
    assert_int_equal(rename(file, other), 0);
    open_here(state, "docker.io");
    assert_int_equal(requests(), 1);
    counters_close();
    assert_int_equal(access(other, F_OK), 0); /* who counts there still does */
}

static void removes_what_has_not_been_used_for_long(void **state)
{
    struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    struct timespec younger[2] = {{.tv_sec = 2000}, {.tv_sec = 2000}};
    char path[1024];
    int descriptor;

    open_here(state, "docker.io");
    counters_close();
    find_file(path, sizeof(path));
    assert_int_equal(unlink(path), 0);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof(path), "%s/counters-%d", directory, i);
        descriptor = open(path, O_CREAT | O_WRONLY, 0600);
        assert_int_equal(futimens(descriptor, i == 0 ? younger : old), 0);
        assert_int_equal(close(descriptor), 0);
    }
    open_here(state, "docker.io");
    counters_close();
    assert_int_equal(access(path, F_OK), -1);
}

static void gives_places_to_more_upstreams_than_there_are(void **state)
{
    AUTO_NAMES struct names many = NAMES_INIT;
    AUTO_NAMES struct names other = NAMES_INIT;
    struct error error;
    char name[32];

    for (int i = 0; i < COUNTED_UPSTREAMS + 10; i++) {
        (void)snprintf(name, sizeof(name), "host%d.example", i);
        names_add(&many, name);
    }
    assert_returns(0, open_with(*state, &many, &error));
    assert_true(counters_upstream("host0.example") < COUNTED_OTHERS);
    assert_true(counters_upstream("host62.example") < COUNTED_OTHERS);
    assert_int_equal(counters_upstream("host63.example"), COUNTED_OTHERS);
    count_look("host0.example", THING_BLOB, LOOK_HIT);
    counters_close();
    /* Another configuration: the place of one that is not in it is taken. */
    names_add(&other, "host1.example");
    names_add(&other, "new.example");
    assert_returns(0, open_with(*state, &other, &error));
    assert_int_equal(counters_upstream("host0.example"), COUNTED_OTHERS);
    assert_true(counters_upstream("new.example") < COUNTED_OTHERS);
    assert_true(counters_upstream("new.example") != counters_upstream("host1.example"));
    assert_int_equal(
        counters_tally()->upstreams[counters_upstream("new.example")].looks[THING_BLOB][LOOK_HIT],
        0);
    counters_close();
}

static void sees_who_is_there_and_not_who_was(void **state)
{
    size_t counts[PRESENCE_COUNT];
    int ready[2];
    char byte;
    pid_t child;

    open_here(state, "docker.io");
    presence_enter(PRESENCE_BUSY);
    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        presence_enter(PRESENCE_WAITING);
        (void)!write(ready[1], "x", 1);
        (void)pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    presence_count(counts);
    assert_int_equal(counts[PRESENCE_BUSY], 1);
    assert_int_equal(counts[PRESENCE_WAITING], 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    presence_change(PRESENCE_IDLE);
    presence_count(counts);
    assert_int_equal(counts[PRESENCE_BUSY], 0);
    assert_int_equal(counts[PRESENCE_IDLE], 1);
    assert_int_equal(counts[PRESENCE_WAITING], 0);
    presence_leave();
    presence_count(counts);
    assert_int_equal(counts[PRESENCE_IDLE], 0);
    (void)close(ready[0]);
    (void)close(ready[1]);
    counters_close();
}

/* Of all hosts of a store, by the names of upstreams: each host has places of its own. */
static void sums_up_what_hosts_have_counted(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE struct totals *totals = memory_allocate(1, sizeof(*totals));
    struct counted_request pull = got;
    struct counted_request push = got;
    char hosts[512];
    char host[600];
    struct error error;

    (void)snprintf(hosts, sizeof(hosts), "%s/_berth/counters", fixture->path);
    assert_returns(0, totals_read(hosts, totals, &error));
    pull.route = COUNTED_MANIFEST;
    push.route = COUNTED_MANIFEST;
    push.method = "PUT";
    push.status = 201;
    push.upstream = NULL;
    for (int i = 0; i < 2; i++) {
        AUTO_NAMES struct names upstreams = NAMES_INIT;

        (void)snprintf(host, sizeof(host), "%s/_berth", fixture->path);
        (void)mkdir(host, 0755);
        (void)snprintf(host, sizeof(host), "%s/%d", hosts, i);
        names_add(&upstreams, i == 0 ? "quay.io" : "docker.io");
        names_add(&upstreams, "docker.io");
        assert_returns(0, counters_open(host, &upstreams, &error));
        count_request(&pull);
        count_request(&push);
        count_fetched("docker.io", 300);
        count_look("docker.io", THING_BLOB, LOOK_HIT);
        count_look("made.up.example", THING_BLOB, LOOK_MISS);
        counters_close();
    }
    assert_returns(1, totals_read(hosts, totals, &error));
    assert_int_equal(totals->days[0].requests, 4);
    assert_int_equal(totals->days[0].served, 4000);
    assert_int_equal(totals->days[0].saved, 2 * 1000 - 2 * 300);
    assert_int_equal(totals->days[0].pulls, 2);
    assert_int_equal(totals->days[0].pushes, 2);
    assert_int_equal(totals->days[1].requests, 0);
    assert_int_equal(totals->upstream_count, 2);
    assert_string_equal(totals->upstreams[0].name, "docker.io");
    assert_int_equal(totals->upstreams[0].looks[LOOK_HIT], 2);
    assert_int_equal(totals->upstreams[0].saved, 1400);
    assert_string_equal(totals->upstreams[1].name, "");
    assert_int_equal(totals->upstreams[1].looks[LOOK_MISS], 2);
}

/* A day's place is that of 32 days ago: nothing of then is in it. */
static void begins_each_day_anew(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE struct totals *totals = memory_allocate(1, sizeof(*totals));
    char hosts[512];
    struct day_tally *days;
    struct error error;

    open_here(state, "docker.io");
    days = counters_tally()->days;
    for (size_t i = 0; i < COUNTED_DAYS; i++) {
        days[i].number = clock_day() - COUNTED_DAYS - 5;
        days[i].values[DAILY_REQUESTS] = 1000;
    }
    days[(clock_day() - 3) % COUNTED_DAYS].number = clock_day() - 3;
    days[(clock_day() + 1) % COUNTED_DAYS].number = clock_day() + 1;
    count_request(&got);
    counters_close();
    (void)snprintf(hosts, sizeof(hosts), "%s/_berth/counters", fixture->path);
    assert_returns(1, totals_read(hosts, totals, &error));
    for (size_t i = 0; i < TOTALS_DAYS; i++) {
        assert_int_equal(totals->days[i].requests, i == 0 ? 1 : i == 3 ? 1000 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_before_there_is_a_file),
        IN_DIRECTORY(counts_a_request_where_it_belongs),
        IN_DIRECTORY(counts_what_is_not_configured_with_the_others),
        IN_DIRECTORY(shares_what_processes_count_and_loses_nothing_of_one_that_is_killed),
        IN_DIRECTORY(goes_on_when_its_file_is_cut_short),
        IN_DIRECTORY(finds_another_file_when_its_own_is_gone),
        IN_DIRECTORY(makes_a_torn_file_whole),
        IN_DIRECTORY(counts_alone_where_there_is_no_store),
        IN_DIRECTORY(counts_alone_where_the_file_is_not_ours),
        IN_DIRECTORY(takes_over_what_another_layout_has),
        IN_DIRECTORY(removes_what_has_not_been_used_for_long),
        IN_DIRECTORY(gives_places_to_more_upstreams_than_there_are),
        IN_DIRECTORY(sees_who_is_there_and_not_who_was),
        IN_DIRECTORY(sums_up_what_hosts_have_counted),
        IN_DIRECTORY(begins_each_day_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
