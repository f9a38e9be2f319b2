/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/observe/events.h"

#define WAITING "_berth/events/receivers/ci/waiting"
#define FAILED "_berth/events/receivers/ci/failed"

static struct spool spool_of(struct fixture *fixture)
{
    return (struct spool){&fixture->store, "ci"};
}

/* The name of its file. */
static struct spool_entry add(struct fixture *fixture, const char *repository)
{
    struct spool spool = spool_of(fixture);
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
    AUTO_NAMES struct names names = NAMES_INIT;
    struct spool_entry entry = {.number = 0};
    struct event event;
    struct error error;
    uint64_t number = spool_number(&fixture->store);

    event_begin(&event, EVENT_PUSH, clock_date_nanoseconds());
    EVENT_SET(&event, repository, repository);
    assert_returns(1, spool_add(&spool, &event, number, &syncs, &error));
    assert_returns(0, sync_set_flush(&syncs, &error));
    assert_returns(0, spool_list(&spool, SPOOL_WAITING, &names, &error));
    assert_true(spool_entry_parse(names.names[names.count - 1], &entry));
    assert_string_equal(entry.id, event.id);
    assert_true(entry.number == number);
    return entry;
}

static void events_are_in_the_order_in_which_they_came(void **state)
{
    struct fixture *fixture = *state;
    struct spool spool = spool_of(fixture);
    struct spool_entry first = add(fixture, "team/app");
    struct spool_entry second = add(fixture, "team/app");
    struct spool_entry other = add(fixture, "team/other");
    struct event event;
    struct error error;

    assert_true(first.number < second.number && second.number < other.number);
    assert_string_equal(first.key, second.key);
    assert_string_not_equal(first.key, other.key);
    assert_returns(1, spool_read(&spool, SPOOL_WAITING, other.name, &event, &error));
    assert_string_equal(event.repository, "team/other");
    assert_in_range(spool_age(&first), 0, 60);
}

/* The clock may be set back by a year: what comes then comes behind. */
static void the_order_outlives_a_clock_that_goes_back(void **state)
{
    struct fixture *fixture = *state;
    struct spool_entry first = add(fixture, "team/app");
    uint64_t ahead = first.number + (uint64_t)365 * 86400 * 1000000000;

    put_bytes(fixture->store.root, "_berth/events/number", &ahead, sizeof(ahead));
    assert_true(spool_number(&fixture->store) == ahead + 1);
    assert_true(add(fixture, "team/app").number == ahead + 2);
}

static void a_lost_number_is_the_date_again(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before = add(fixture, "team/app").number;

    put_bytes(fixture->store.root, "_berth/events/number", "", 0);
    assert_true(spool_number(&fixture->store) > before);
}

/* To the only receiver, of all. */
static int raise_push(struct fixture *fixture)
{
    char *kinds[] = {TEXT("push")};
    struct webhook_options webhook = {.name = TEXT("ci"), .events = {kinds, 1, 1}};
    struct events_options options = {.webhooks = &webhook, .webhook_count = 1};
    struct event event;
    struct error error;

    event_begin(&event, EVENT_PUSH, clock_date_nanoseconds());
    EVENT_SET(&event, repository, "team/app");
    return events_raise(&fixture->store, &options, &event, &error);
}

/* What stands in the place of the number is a directory, a pipe, or a link that leads nowhere. */
static void no_event_is_lost_for_want_of_a_number(void **state)
{
    struct fixture *fixture = *state;
    int root = fixture->store.root;

    (void)add(fixture, "team/app");
    for (int i = 0; i < 3; i++) {
        static const char number[] = "_berth/events/number";

        assert_int_equal(unlinkat(root, number, i == 1 ? AT_REMOVEDIR : 0), 0);
        assert_int_equal(i == 0   ? mkdirat(root, number, 0700)
                         : i == 1 ? mkfifoat(root, number, 0600)
                                  : symlinkat("nowhere", root, number),
                         0);
        assert_int_equal(raise_push(fixture), 0);
        assert_int_equal(count_entries(root, WAITING), i + 2);
    }
}

/* As a deletion of many tags does: it would take as many seconds. */
static void who_tells_of_many_waits_once_for_who_holds_the_number(void **state)
{
    enum { MANY = 1000 };
    struct fixture *fixture = *state;
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct file_place place = {fixture->store.root, "_berth/events/number"};
    struct error error;

    assert_int_equal(lock_take_or_make(&lock, place, LOCK_WAIT, &error), LOCK_TAKEN);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(raise_push(fixture), 0);
    }
    lock_release(&lock);
    assert_int_equal(count_entries(fixture->store.root, WAITING), MANY);
}

static void what_is_given_up_comes_back_to_its_place(void **state)
{
    struct fixture *fixture = *state;
    struct spool spool = spool_of(fixture);
    struct spool_entry first = add(fixture, "team/app");
    struct spool_entry second = add(fixture, "team/app");
    AUTO_NAMES struct names names = NAMES_INIT;
    struct error error;

    assert_returns(1, spool_give_up(&spool, first.name, &error));
    assert_returns(0, spool_give_up(&spool, first.name, &error));
    assert_int_equal(count_entries(fixture->store.root, FAILED), 1);
    assert_returns(1, spool_return(&spool, first.name, &error));
    assert_returns(0, spool_list(&spool, SPOOL_WAITING, &names, &error));
    assert_int_equal(names.count, 2);
    assert_string_equal(names.names[0], first.name);
    assert_returns(1, spool_remove(&spool, SPOOL_WAITING, second.name, &error));
    assert_returns(0, spool_remove(&spool, SPOOL_WAITING, second.name, &error));
}

static void a_file_says_when_to_try_again(void **state)
{
    struct fixture *fixture = *state;
    struct spool spool = spool_of(fixture);
    struct spool_entry entry = add(fixture, "team/app");
    char path[256];

    (void)snprintf(path, sizeof(path), WAITING "/%s", entry.name);
    assert_int_equal(spool_delay(&spool, entry.name), 0);
    spool_postpone(&spool, entry.name, 1000);
    assert_in_range(spool_delay(&spool, entry.name), 900, 1000);
    set_age(fixture->store.root, path, -86400 * 30); /* nobody has meant that */
    assert_int_equal(spool_delay(&spool, entry.name), 0);
    set_age(fixture->store.root, path, 5);
    assert_int_equal(spool_delay(&spool, entry.name), 0);
}

static void a_note_leaves_the_receiver_alone(void **state)
{
    struct fixture *fixture = *state;
    struct spool spool = spool_of(fixture);
    AUTO_BUFFER struct buffer why = BUFFER_INIT;

    (void)add(fixture, "team/app");
    assert_false(spool_read_note(&spool, &why));
    spool_note(&spool, "it is down", 1000);
    assert_in_range(spool_receiver_delay(&spool), 900, 1000);
    assert_true(spool_read_note(&spool, &why));
    assert_string_equal(why.data, "it is down");
    assert_true(spool_forget_note(&spool));
    assert_false(spool_forget_note(&spool));
    assert_int_equal(spool_receiver_delay(&spool), 0);
}

static void a_receiver_has_no_room_without_end(void **state)
{
    struct fixture *fixture = *state;
    struct spool spool = spool_of(fixture);
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
    struct event event;
    struct error error;
    char path[256];
    uint64_t added = 0;

    (void)add(fixture, "team/app");
    (void)add(fixture, "team/app");
    for (int i = 2; i < SPOOL_LIMIT; i++) {
        (void)snprintf(path, sizeof(path), WAITING "/%d", i);
        put_file(fixture->store.root, path, "");
    }
    event_begin(&event, EVENT_PUSH, clock_date_nanoseconds());
    EVENT_SET(&event, repository, "team/app");
    while (added <= SPOOL_LIMIT && spool_add(&spool, &event, added + 1, &syncs, &error) == 1) {
        added++;
    }
    /* It does not look through all of it each time, but often enough. */
    assert_in_range(added, 1, SPOOL_LIMIT / SPOOL_SHARE);
    for (uint64_t i = 0; i <= added; i++) {
        (void)snprintf(path, sizeof(path), WAITING "/%d", (int)i + 2);
        assert_int_equal(unlinkat(fixture->store.root, path, 0), 0);
    }
    assert_returns(1, spool_add(&spool, &event, added + 1, &syncs, &error));
    assert_returns(0, spool_add(&spool, &event, added + 2, &syncs, &error));
}

/* Whoever may write there may put there what he likes. */
static void what_is_no_file_is_no_event(void **state)
{
    static const char *const names[] = {
        "00000000000000000001-0123456789abcdef-11111111-2222-4333-8444-555555555551",
        "00000000000000000001-0123456789abcdef-11111111-2222-4333-8444-555555555552",
        "00000000000000000001-0123456789abcdef-11111111-2222-4333-8444-555555555553",
        "00000000000000000001-0123456789abcdef-11111111-2222-4333-8444-555555555554",
    };
    struct fixture *fixture = *state;
    struct spool spool = spool_of(fixture);
    struct spool_entry good = add(fixture, "team/app");
    char huge[70000];
    AUTO_NAMES struct names receivers = NAMES_INIT;
    struct event event;
    struct error error;
    int waiting = openat(fixture->store.root, WAITING, O_RDONLY | O_DIRECTORY);

    memset(huge, ' ', sizeof(huge));
    assert_int_equal(mkdirat(waiting, names[0], 0700), 0);
    assert_int_equal(mkfifoat(waiting, names[1], 0600), 0);
    assert_int_equal(symlinkat(good.name, waiting, names[2]), 0);
    put_bytes(waiting, names[3], huge, sizeof(huge));
    (void)close(waiting);
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_returns(0, spool_read(&spool, SPOOL_WAITING, names[i], &event, &error));
    }
    put_file(fixture->store.root, "_berth/events/receivers/b\nc\x1b[31m/waiting/x", "");
    assert_returns(0, spool_list_receivers(&fixture->store, &receivers, &error));
    assert_int_equal(receivers.count, 1);
}

static void what_is_no_name_is_left_out(void **state)
{
    static const char *const names[] = {
        "",
        "lock",
        "00000000000000000001-0123456789abcdef-11111111-2222-4333-8444-55555555555",
        "00000000000000000001-0123456789abcdef-11111111-2222-4333-8444-5555555555555",
        "0000000000000000000x-0123456789abcdef-11111111-2222-4333-8444-555555555555",
        "00000000000000000001_0123456789abcdef-11111111-2222-4333-8444-555555555555",
        "00000000000000000001-0123456789abcdeg-11111111-2222-4333-8444-555555555555",
        "00000000000000000001-0123456789abcdef-11111111-2222-4333-8444-55555555555/",
    };
    struct fixture *fixture = *state;
    struct spool spool = spool_of(fixture);
    AUTO_NAMES struct names found = NAMES_INIT;
    struct spool_entry entry;
    struct error error;

    for (size_t i = 0; i < COUNT(names); i++) {
        assert_false(spool_entry_parse(names[i], &entry));
    }
    (void)add(fixture, "team/app");
    put_file(fixture->store.root, WAITING "/stray", "");
    assert_returns(0, spool_list(&spool, SPOOL_WAITING, &found, &error));
    assert_int_equal(found.count, 1);
}

/* Also those that stand behind it in the configuration. */
static void a_receiver_whose_spool_is_broken_costs_no_other_one(void **state)
{
    struct fixture *fixture = *state;
    char *kinds[] = {TEXT("push")};
    struct webhook_options webhooks[] = {{.name = TEXT("ci"), .events = {kinds, 1, 1}},
                                         {.name = TEXT("all"), .events = {kinds, 1, 1}}};
    struct events_options options = {.webhooks = webhooks, .webhook_count = 2};
    struct event event;
    struct error error;

    put_file(fixture->store.root, "_berth/events/receivers/all/waiting/stray", "");
    put_file(fixture->store.root, "_berth/events/receivers/ci", "no directory");
    event_begin(&event, EVENT_PUSH, clock_date_nanoseconds());
    EVENT_SET(&event, repository, "team/app");
    assert_int_equal(events_raise(&fixture->store, &options, &event, &error), -1);
    assert_int_equal(count_entries(fixture->store.root, "_berth/events/receivers/all/waiting"), 2);
}

/* Who wants an event has it, and nobody else. */
static void receivers_get_what_they_want(void **state)
{
    struct fixture *fixture = *state;
    char *kinds[] = {TEXT("push"), TEXT("delete")};
    char *patterns[] = {TEXT("team/**"), TEXT("!team/secret")};
    struct webhook_options webhooks[] = {
        {.name = TEXT("ci"), .events = {kinds, 2, 2}, .repositories = {patterns, 2, 2}},
        {.name = TEXT("all"), .events = {kinds, 1, 1}},
    };
    struct events_options options = {.webhooks = webhooks, .webhook_count = 2};
    struct event event;
    struct error error;

    assert_true(events_are_wanted(&options, EVENT_PUSH, "team/app"));
    assert_true(events_are_wanted(&options, EVENT_PUSH, "team/secret"));
    assert_false(events_are_wanted(&options, EVENT_DELETE, "team/secret"));
    assert_false(events_are_wanted(&options, EVENT_PULL, "team/app"));
    assert_false(events_are_wanted(&(struct events_options){.webhook_count = 0}, EVENT_PUSH, "a"));
    event_begin(&event, EVENT_PUSH, clock_date_nanoseconds());
    EVENT_SET(&event, repository, "team/secret");
    assert_returns(0, events_raise(&fixture->store, &options, &event, &error));
    assert_false(is_there(fixture->store.root, WAITING));
    assert_int_equal(count_entries(fixture->store.root, "_berth/events/receivers/all/waiting"), 1);
    EVENT_SET(&event, repository, "team/app");
    assert_returns(0, events_raise(&fixture->store, &options, &event, &error));
    assert_int_equal(count_entries(fixture->store.root, WAITING), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(events_are_in_the_order_in_which_they_came),
        IN_STORE(the_order_outlives_a_clock_that_goes_back),
        IN_STORE(a_lost_number_is_the_date_again),
        IN_STORE(no_event_is_lost_for_want_of_a_number),
        IN_STORE(who_tells_of_many_waits_once_for_who_holds_the_number),
        IN_STORE(what_is_given_up_comes_back_to_its_place),
        IN_STORE(a_file_says_when_to_try_again),
        IN_STORE(a_note_leaves_the_receiver_alone),
        IN_STORE(a_receiver_has_no_room_without_end),
        IN_STORE(what_is_no_file_is_no_event),
        IN_STORE(what_is_no_name_is_left_out),
        IN_STORE(a_receiver_whose_spool_is_broken_costs_no_other_one),
        IN_STORE(receivers_get_what_they_want),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
