/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

/* Parts of files in FastCGI's records, as whoever has the other end of the connection sees them. */

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fcgi/record.h"
#include "lib/base/cleanup.h"

enum { HEADER = 8, LONGEST = 65528, SIZE = 3 * LONGEST + 5, REQUEST = 0x102 };

static struct error error;

static int make_file(struct fixture *fixture, size_t size)
{
    int file = file_create(fixture->directory, "file", &error);

    assert_true(file >= 0);
    for (size_t i = 0; i < size; i++) {
        char byte = (char)(i * 7 / 5);

        assert_int_equal(pwrite(file, &byte, 1, (off_t)i), 1);
    }
    return file;
}

/* All that comes until the end. */
static void read_all(int end, struct buffer *out)
{
    ssize_t got;

    do {
        got = read(end, buffer_reserve(out, SIZE), SIZE);
        buffer_added(out, got > 0 ? (size_t)got : 0);
    } while (got > 0);
}

/* Sends it from a child, and a byte more, as libfcgi would; what comes, and whether it has failed.
 */
static bool sends(struct record_part part, struct buffer *out)
{
    int ends[2];
    pid_t child;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    child = fork_child();
    if (child == 0) {
        int result;

        (void)close(ends[0]);
        result = record_send_file(ends[1], REQUEST, part, &error);
        (void)send(ends[1], "!", 1, MSG_NOSIGNAL);
        _exit(result < 0);
    }
    (void)close(ends[1]);
    read_all(ends[0], out);
    (void)close(ends[0]);
    return wait_for_child(child) == 0;
}

static void a_part_comes_in_records_that_are_as_long_as_they_say(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer got = BUFFER_INIT;
    AUTO_CLOSE int file = make_file(fixture, SIZE);
    struct record_part part = {.file = file, .offset = 3, .length = SIZE - 4};
    size_t at = 0;
    size_t offset = 3;

    assert_true(sends(part, &got));
    while (offset < SIZE - 1) {
        const unsigned char *header = (const unsigned char *)got.data + at;
        size_t length = (size_t)header[4] << 8 | header[5];

        assert_true(at + HEADER + length < got.length);
        assert_int_equal(header[0], 1);
        assert_int_equal(header[1], 6);
        assert_int_equal(header[2] << 8 | header[3], REQUEST);
        assert_int_equal(header[6], 0);
        for (size_t i = 0; i < length; i++) {
            assert_int_equal(got.data[at + HEADER + i], (char)((offset + i) * 7 / 5));
        }
        at += HEADER + length;
        offset += length;
    }
    assert_int_equal(offset, SIZE - 1);
    assert_int_equal(at + 1, got.length);
}

/* Else the web server would take what follows for the rest of the record, and pass it on. */
static void nothing_follows_a_record_that_is_not_complete(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer got = BUFFER_INIT;
    AUTO_CLOSE int file = make_file(fixture, LONGEST + 10);
    struct record_part part = {.file = file, .length = SIZE};

    assert_false(sends(part, &got));
    assert_int_equal(got.length, HEADER + LONGEST + HEADER + 10);
    assert_int_equal(got.data[got.length - 1], (char)((LONGEST + 9) * 7 / 5));

    buffer_clear(&got);
    part.file = -1;
    assert_false(sends(part, &got));
    assert_int_equal(got.length, HEADER);
}

static int room_of(int connection)
{
    int room = 0;
    socklen_t length = sizeof(room);

    assert_int_equal(getsockopt(connection, SOL_SOCKET, SO_SNDBUF, &room, &length), 0);
    return room;
}

/* As much as the system lets anybody have: what fits in is read at once. */
static void the_connection_gets_more_room(void **state)
{
    struct fixture *fixture = *state;
    AUTO_CLOSE int file = make_file(fixture, SIZE);
    struct record_part part = {.file = file, .length = 1};
    int ends[2];
    int before;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    before = room_of(ends[1]);
    assert_returns(0, record_send_file(ends[1], REQUEST, part, &error));
    assert_true(room_of(ends[1]) > before);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(a_part_comes_in_records_that_are_as_long_as_they_say),
        IN_DIRECTORY(the_connection_gets_more_room),
        IN_DIRECTORY(nothing_follows_a_record_that_is_not_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
