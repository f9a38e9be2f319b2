/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/process.h"
#include "lib/proxy/flight.h"

static struct proxied proxied_named(struct fixture *fixture, const char *upstream, const char *name)
{
    static const struct proxy_options options = {.connect_timeout = 30, .stall_timeout = 60};
    struct proxied proxied = {.upstream = {.options = &options}, .may_wait = true};

    proxied.upstream.store = &fixture->store;
    (void)snprintf(proxied.upstream.name, sizeof(proxied.upstream.name), "%s", upstream);
    (void)snprintf(proxied.name, sizeof(proxied.name), "%s", name);
    return proxied;
}

/* What one repository was told is for that repository only. */
static void what_is_absent_is_so_for_one_repository(void **state)
{
    struct fixture *fixture = *state;
    struct proxied asked = proxied_named(fixture, "a.example", "team/app");
    struct proxied others[] = {proxied_named(fixture, "a.example", "team/other"),
                               proxied_named(fixture, "b.example", "team/app"),
                               proxied_named(fixture, "a.example", "team/app/tags")};
    struct digest key;
    struct digest other;

    flight_key(&asked, "sha256:x", &key);
    assert_false(flight_is_absent(&asked, &key));
    flight_remember_absence(&asked, &key);
    assert_true(flight_is_absent(&asked, &key));
    for (size_t i = 0; i < COUNT(others); i++) {
        flight_key(&others[i], "sha256:x", &other);
        assert_false(flight_is_absent(&others[i], &other));
    }
    flight_key(&asked, "sha256:y", &other);
    assert_false(flight_is_absent(&asked, &other));
}

static void absence_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    struct proxied proxied = proxied_named(fixture, "a.example", "team/app");
    struct digest key;

    flight_key(&proxied, "manifests/1", &key);
    flight_remember_absence(&proxied, &key);
    set_age(fixture->store.root, layout_memo(&key).text, 60);
    assert_false(flight_is_absent(&proxied, &key));
}

static void an_answer_is_kept_and_has_an_age(void **state)
{
    struct fixture *fixture = *state;
    struct proxied proxied = proxied_named(fixture, "a.example", "team/app");
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct error error;
    struct digest key;
    uint64_t age;

    flight_key(&proxied, "tags/list", &key);
    assert_false(flight_recall(&proxied, &key, &out, &age));
    buffer_add_text(&content, "{}");
    assert_returns(0, flight_keep(&proxied, &key, &content, &error));
    set_age(fixture->store.root, layout_memo(&key).text, 100);
    assert_true(flight_recall(&proxied, &key, &out, &age));
    assert_string_equal(out.data, "{}");
    assert_in_range(age, 100, 160);
    assert_false(flight_is_absent(&proxied, &key));
}

static void one_asks_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    struct proxied proxied = proxied_named(fixture, "a.example", "team/app");
    AUTO_LOCK struct lock lock = LOCK_INIT;
    AUTO_LOCK struct lock second = LOCK_INIT;
    AUTO_LOCK struct lock third = LOCK_INIT;
    struct error error;
    struct digest key;
    struct digest other;
    int ends[2];
    pid_t child;

    flight_key(&proxied, "manifests/1", &key);
    flight_key(&proxied, "manifests/2", &other);
    assert_returns(0, flight_begin(&proxied, &key, 0, &lock, &error));
    assert_returns(0, flight_begin(&proxied, &other, 0, &second, &error));

    /* Whoever waits and is not waited for any more lets go; whoever has a client waits on. */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    child = fork_child();
    if (child == 0) {
        struct lock own = LOCK_INIT;

        lock_release(&lock);
        process_serve(ends[0], CLIENT_ENDS_WHEN_GONE);
        _exit(flight_begin(&proxied, &key, 0, &own, &error) < 0);
    }
    (void)close(ends[0]);
    (void)!write(ends[1], "what can be read is no end", 26);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    (void)close(ends[1]);
    process_serve(ends[0], CLIENT_ENDS_WHEN_GONE);
    assert_fails(ERROR_CLIENT_GONE, flight_begin(&proxied, &key, 0, &third, &error));
    process_serve(-1, CLIENT_ENDS_WHEN_GONE);
    (void)close(ends[0]);
    lock_release(&lock);
    assert_int_equal(wait_for_child(child), 0);
}

/* He hangs, or is stopped, and may be so for ever. */
static void who_asks_for_long_is_not_waited_for(void **state)
{
    enum { LONG_AGO = 4 * 60, BYTES = 1 << 30 }; /* what any disk gives in as long */
    struct fixture *fixture = *state;
    struct proxied proxied = proxied_named(fixture, "a.example", "team/app");
    AUTO_LOCK struct lock hanging = LOCK_INIT;
    AUTO_LOCK struct lock lock = LOCK_INIT;
    AUTO_LOCK struct lock third = LOCK_INIT;
    struct path path;
    struct error error;
    struct digest key;
    int ends[2];

    flight_key(&proxied, "manifests/1", &key);
    path = layout_flight(&key);
    put_file(fixture->store.root, path.text, "");
    set_age(fixture->store.root, path.text, LONG_AGO); /* nobody has it */
    assert_returns(0, flight_begin(&proxied, &key, 0, &hanging, &error));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    (void)close(ends[1]);
    process_serve(ends[0], CLIENT_ENDS_WHEN_GONE); /* who waits gives up at once */
    assert_fails(ERROR_CLIENT_GONE, flight_begin(&proxied, &key, 0, &lock, &error));
    set_age(fixture->store.root, path.text, LONG_AGO);
    assert_fails(ERROR_CLIENT_GONE, flight_begin(&proxied, &key, BYTES, &lock, &error));
    assert_returns(0, flight_begin(&proxied, &key, 0, &lock, &error));
    assert_true(lock.descriptor >= 0);
    assert_fails(ERROR_CLIENT_GONE, flight_begin(&proxied, &key, 0, &third, &error));
    set_age(fixture->store.root, path.text, -LONG_AGO); /* which tells nothing */
    assert_fails(ERROR_CLIENT_GONE, flight_begin(&proxied, &key, 0, &third, &error));
    process_serve(-1, CLIENT_ENDS_WHEN_GONE);
    (void)close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(what_is_absent_is_so_for_one_repository), IN_STORE(absence_is_forgotten),
        IN_STORE(an_answer_is_kept_and_has_an_age),        IN_STORE(one_asks_at_a_time),
        IN_STORE(who_asks_for_long_is_not_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
