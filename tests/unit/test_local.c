/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/id.h"
#include "lib/base/local.h"

enum { LONG = 600 * 1000, STRANGER = 12345 };

static char name[LOCAL_NAME_SIZE];

/* A name that nobody else has. */
static void take_new_name(void)
{
    char id[ID_SIZE];

    id_make(id);
    (void)snprintf(name, sizeof(name), "berth-test/%s", id);
}

static bool send_text(int connection, const char *text, const int *descriptors, size_t count)
{
    AUTO_BUFFER struct buffer message = BUFFER_INIT;

    buffer_add_text(&message, text);
    return local_send(connection, &message, descriptors, count);
}

static int bring_a_descriptor(struct fixture *fixture)
{
    AUTO_CLOSE int connection = local_connect(name);
    int file = openat(fixture->directory, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    EXPECT(connection >= 0);
    EXPECT(send_text(connection, "one", &file, 1));
    EXPECT(send_text(connection, "two", NULL, 0));
    EXPECT(send_text(connection, "three", &file, 1));
    return 0;
}

static void messages_bring_descriptors(void **state)
{
    struct fixture *fixture = *state;
    AUTO_CLOSE int listener = -1;
    AUTO_CLOSE int connection = -1;
    AUTO_CLOSE int file = -1;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    take_new_name();
    listener = local_listen(name);
    assert_true(listener >= 0);
    run_in_child(bring_a_descriptor, *state);
    connection = local_accept(listener, -1, LONG);
    assert_true(connection >= 0);
    assert_true(local_receive(connection, LONG, &text, &file, 1));
    assert_string_equal(text.data, "one");
    assert_int_equal(write(file, "hello", 5), 5);
    assert_int_equal(faccessat(fixture->directory, "file", F_OK, 0), 0);
    buffer_clear(&text);
    assert_true(local_receive(connection, LONG, &text, NULL, 0));
    assert_string_equal(text.data, "two");
    /* What brings other than expected is none; and then there is nobody any more. */
    assert_false(local_receive(connection, LONG, &text, NULL, 0));
    assert_false(local_receive(connection, LONG, &text, NULL, 0));
    assert_string_equal(text.data, "two");
}

static void a_name_is_one_listeners(void **state)
{
    AUTO_CLOSE int listener = -1;

    (void)state;
    take_new_name();
    assert_int_equal(local_connect(name), -1);
    listener = local_listen(name);
    assert_true(listener >= 0);
    assert_int_equal(local_listen(name), -1);
    cleanup_close(&listener);
    assert_int_equal(local_connect(name), -1);
    listener = local_listen(name);
    assert_true(listener >= 0);
}

/* Somebody who is stopped answers nobody, and holds nobody up. */
static void silence_is_not_waited_for(void **state)
{
    AUTO_CLOSE int listener = -1;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    int connections = 0;

    (void)state;
    take_new_name();
    listener = local_listen(name);
    assert_int_equal(local_accept(listener, -1, 1), -1);
    for (; connections < 10; connections++) {
        int connection = local_connect(name);

        if (connection < 0) {
            break;
        }
        assert_false(local_receive(connection, 1, &text, NULL, 0));
        (void)close(connection);
    }
    assert_in_range(connections, 1, 9);
}

static void something_else_may_end_the_wait(void **state)
{
    AUTO_CLOSE int listener = -1;
    int ends[2];

    (void)state;
    take_new_name();
    listener = local_listen(name);
    assert_int_equal(pipe(ends), 0);
    (void)close(ends[1]);
    assert_int_equal(local_accept(listener, ends[0], LONG), -1);
    (void)close(ends[0]);
}

static int call_as_a_stranger(struct fixture *fixture)
{
    (void)fixture;
    EXPECT(setresuid(STRANGER, STRANGER, STRANGER) == 0);
    EXPECT(local_connect(name) == -1);
    return 0;
}

/* Says so, and stays. */
static int listen_as_a_stranger(int report)
{
    EXPECT(setresuid(STRANGER, STRANGER, STRANGER) == 0);
    EXPECT(local_listen(name) >= 0);
    EXPECT(write(report, "x", 1) == 1);
    (void)pause();
    return 0;
}

static void strangers_are_not_spoken_to(void **state)
{
    AUTO_CLOSE int listener = -1;
    AUTO_CLOSE int connection = -1;
    AUTO_CLOSE int caller = -1;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    int report[2];
    pid_t squatter;
    char byte;

    if (geteuid() != 0) {
        skip(); /* who cannot become somebody else has no stranger */
    }
    take_new_name();
    listener = local_listen(name);
    run_in_child(call_as_a_stranger, *state);
    connection = local_connect(name);
    assert_true(connection >= 0);
    caller = local_accept(listener, -1, LONG); /* although he came first */
    assert_true(send_text(connection, "it is us", NULL, 0));
    assert_true(local_receive(caller, LONG, &text, NULL, 0));
    assert_string_equal(text.data, "it is us");
    take_new_name();
    assert_int_equal(pipe(report), 0);
    squatter = fork_child();
    if (squatter == 0) {
        _exit(listen_as_a_stranger(report[1]));
    }
    assert_int_equal(read(report[0], &byte, 1), 1);
    (void)close(report[0]);
    (void)close(report[1]);
    assert_int_equal(local_listen(name), -1);
    assert_int_equal(local_connect(name), -1);
    end_child(squatter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(messages_bring_descriptors),  IN_DIRECTORY(a_name_is_one_listeners),
        IN_DIRECTORY(silence_is_not_waited_for),   IN_DIRECTORY(something_else_may_end_the_wait),
        IN_DIRECTORY(strangers_are_not_spoken_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
