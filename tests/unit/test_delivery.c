/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/observe/delivery.h"
#include "lib/observe/events.h"
#include "tests/unit/own_time.h"
#include "tests/unit/server.h"

enum { EVENTS = 5, STEP = 25 * 1000 /* milliseconds that every look at the clock takes */ };

static int64_t test_time;

static int64_t test_now(void)
{
    test_time += STEP;
    return test_time;
}

static void take(struct server *server, const void *context)
{
    (void)context;
    (void)server_send_text(server, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
}

static size_t count_waiting(const struct spool *spool)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    struct error error;

    assert_returns(0, spool_list(spool, SPOOL_WAITING, &names, &error));
    return names.count;
}

static void add_events(const struct spool *spool)
{
    struct error error;

    for (int i = 0; i < EVENTS; i++) {
        AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(spool->store->root);
        struct event event;

        event_begin(&event, EVENT_PUSH, clock_date_nanoseconds());
        EVENT_SET(&event, repository, "team/app");
        assert_returns(1, spool_add(spool, &event, spool_number(spool->store), &syncs, &error));
        assert_returns(0, sync_set_flush(&syncs, &error));
    }
}

/* `berth gc` waits for it: with ten thousand events and a slow receiver that would take days. */
static void a_pass_begins_nothing_more_after_a_minute(void **state)
{
    struct fixture *fixture = *state;
    struct server server;
    char url[64];
    struct webhook_options webhook = {
        .name = TEXT("ci"), .url = url, .allow_private_address = true};
    struct events_options options = {
        .webhooks = &webhook, .webhook_count = 1, .http_proxy = "", .ca_file = ""};
    struct delivery delivery = {.spool = {&fixture->store, "ci"},
                                .webhook = &webhook,
                                .options = &options,
                                .now = test_now};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error error;

    server_start(&server, take, NULL);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", server.port);
    add_events(&delivery.spool);
    assert_int_equal(spool_lock(&delivery.spool, &lock, &error), LOCK_TAKEN);
    /* It begins, and then looks after 25 and 50 seconds, but not before 60 any more. */
    assert_returns(0, delivery_pass(&delivery, &lock, &error));
    assert_int_equal(delivery.delivered, 2);
    assert_int_equal(count_waiting(&delivery.spool), EVENTS - 2);
    assert_int_equal(delivery_delay(&delivery), 0); /* the rest is not put off */
    delivery.now = NULL;
    assert_returns(0, delivery_pass(&delivery, &lock, &error));
    assert_int_equal(delivery.delivered, EVENTS);
    assert_int_equal(count_waiting(&delivery.spool), 0);
    server_end(&server);
}

static size_t count_failed(const struct spool *spool)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    struct error error;

    assert_returns(0, spool_list(spool, SPOOL_FAILED, &names, &error));
    return names.count;
}

static void give_up_all(const struct spool *spool)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    struct error error;

    add_events(spool);
    assert_returns(0, spool_list(spool, SPOOL_WAITING, &names, &error));
    for (size_t i = 0; i < names.count; i++) {
        assert_returns(1, spool_give_up(spool, names.names[i], &error));
    }
}

static void who_is_stopped_amid_a_delivery_keeps_no_other_receivers_from_theirs(void **state)
{
    struct fixture *fixture = *state;
    struct spool stopped = {&fixture->store, "a"};
    struct spool other = {&fixture->store, "b"};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error error;
    uint64_t count;
    pid_t child;

    give_up_all(&stopped);
    give_up_all(&other);
    assert_int_equal(spool_lock(&stopped, &lock, &error), LOCK_TAKEN);
    child = fork_child();
    if (child == 0) {
        own_time_begin(NULL, NULL);
        _exit(events_resend(&fixture->store, NULL, &count, &error) < 0 && count == EVENTS &&
                      strstr(error.message, "look for a process that is stopped")
                  ? 0
                  : 1);
    }
    assert_false(is_blocked_in_the_end(child));
    assert_int_equal(wait_for_child(child), 0);
    assert_int_equal(count_failed(&stopped), EVENTS);
    assert_int_equal(count_waiting(&other), EVENTS);
    lock_release(&lock);
    assert_returns(0, events_resend(&fixture->store, NULL, &count, &error));
    assert_int_equal(count_waiting(&stopped), EVENTS);
}

static unsigned times_free;

static void look_for_the_lock(void *context)
{
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error error;

    times_free += spool_lock(context, &lock, &error) == LOCK_TAKEN;
}

/* Who delivers all day would else have it again before anybody has seen it free. */
static void who_waits_for_the_lock_finds_it_free_between_two_passes(void **state)
{
    struct fixture *fixture = *state;
    struct server server;
    char url[64];
    struct webhook_options webhook = {
        .name = TEXT("ci"), .url = url, .allow_private_address = true};
    struct events_options options = {
        .webhooks = &webhook, .webhook_count = 1, .http_proxy = "", .ca_file = ""};
    struct delivery delivery = {.spool = {&fixture->store, "ci"},
                                .webhook = &webhook,
                                .options = &options,
                                .now = test_now};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error error;

    server_start(&server, take, NULL);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", server.port);
    add_events(&delivery.spool);
    assert_int_equal(spool_lock(&delivery.spool, &lock, &error), LOCK_TAKEN);
    own_time_begin(look_for_the_lock, &delivery.spool);
    delivery_run(&delivery, &lock); /* two events in a pass */
    own_time_end();
    assert_int_equal(delivery.delivered, EVENTS);
    assert_int_equal(times_free, EVENTS / 2);
    server_end(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(a_pass_begins_nothing_more_after_a_minute),
        IN_STORE(who_waits_for_the_lock_finds_it_free_between_two_passes),
        IN_STORE(who_is_stopped_amid_a_delivery_keeps_no_other_receivers_from_theirs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
