/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buffer.h"
#include "lib/base/memory.h"

static void an_empty_one_is_an_empty_text(void **state)
{
    struct buffer buffer = BUFFER_INIT;

    (void)state;
    assert_non_null(buffer.data);
    assert_string_equal(buffer.data, "");
    assert_int_equal(buffer.length, 0);
    buffer_add(&buffer, NULL, 0);
    buffer_add_text(&buffer, "");
    buffer_clear(&buffer);
    buffer_release(&buffer);
    assert_string_equal(buffer.data, "");
    assert_string_equal(buffer_empty, "");
}

static void holds_nul_bytes_and_ends_in_one(void **state)
{
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT;

    (void)state;
    buffer_add(&buffer, "a\0b", 3);
    assert_int_equal(buffer.length, 3);
    assert_memory_equal(buffer.data, "a\0b", 4);
    buffer_add_text(&buffer, "cd");
    assert_int_equal(buffer.length, 5);
    assert_memory_equal(buffer.data, "a\0bcd", 6);
}

static void grows_and_keeps_what_was_there(void **state)
{
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT;
    AUTO_BUFFER struct buffer noise = BUFFER_INIT;

    (void)state;
    make_noise(&noise, 100000);
    for (size_t i = 0; i < noise.length; i += 1000) {
        buffer_add(&buffer, noise.data + i, 1000);
        assert_int_equal(buffer.data[buffer.length], 0);
        assert_true(buffer.capacity > buffer.length);
    }
    assert_int_equal(buffer.length, noise.length);
    assert_memory_equal(buffer.data, noise.data, noise.length);
}

static void formats_behind_what_is_there(void **state)
{
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT;
    char wide[600];

    (void)state;
    memset(wide, 'x', sizeof(wide) - 1);
    wide[sizeof(wide) - 1] = '\0';
    buffer_format(&buffer, "%d-%s", 17, "a");
    buffer_format(&buffer, "%s", "");
    assert_string_equal(buffer.data, "17-a");
    buffer_format(&buffer, "%s|", wide);
    assert_int_equal(buffer.length, 4 + 599 + 1);
    assert_memory_equal(buffer.data + buffer.length - 2, "x|", 3);
}

/* Whatever room there is: none yet, just enough, a byte less, or far too little. */
static void formats_into_any_room(void **state)
{
    char long_text[401];

    (void)state;
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    for (int there = 0; there < 140; there++) {
        for (int added = 0; added < 400; added++) {
            AUTO_BUFFER struct buffer buffer = BUFFER_INIT;
            size_t length = (size_t)there + (size_t)added + 1;

            buffer_add(&buffer, long_text, (size_t)there);
            buffer_format(&buffer, "%.*s%c", added, long_text, 'y');
            assert_int_equal(buffer.length, length);
            assert_int_equal(strspn(buffer.data, "x"), length - 1);
            assert_string_equal(buffer.data + length - 1, "y");
            buffer_format(&buffer, "%s", long_text + sizeof(long_text) - 1 - added);
            assert_int_equal(strlen(buffer.data), length + (size_t)added);
            assert_int_equal(buffer.length, length + (size_t)added);
        }
    }
}

static void counts_only_what_was_added_of_a_reservation(void **state)
{
    AUTO_BUFFER struct buffer buffer = BUFFER_INIT;
    char *room;

    (void)state;
    buffer_add_text(&buffer, "ab");
    room = buffer_reserve(&buffer, 100);
    assert_ptr_equal(room, buffer.data + 2);
    assert_int_equal(buffer.length, 2);
    assert_string_equal(buffer.data, "ab");
    memset(room, 'c', 100);
    buffer_added(&buffer, 3);
    assert_string_equal(buffer.data, "abccc");
}

static void clearing_keeps_the_memory_and_releasing_does_not(void **state)
{
    struct buffer buffer = BUFFER_INIT;
    size_t capacity;

    (void)state;
    buffer_add_text(&buffer, "some text");
    capacity = buffer.capacity;
    buffer_cut(&buffer, 100);
    assert_string_equal(buffer.data, "some text");
    buffer_cut(&buffer, 4);
    assert_int_equal(buffer.length, 4);
    assert_string_equal(buffer.data, "some");
    buffer_clear(&buffer);
    assert_int_equal(buffer.capacity, capacity);
    assert_int_equal(buffer.length, 0);
    assert_string_equal(buffer.data, "");
    buffer_release(&buffer);
    assert_int_equal(buffer.capacity, 0);
    buffer_add_text(&buffer, "again");
    assert_string_equal(buffer.data, "again");
    buffer_release(&buffer);
}

static void a_cleanup_lets_go_and_keeps_errno(void **state)
{
    int number;

    (void)state;
    {
        AUTO_CLOSE int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
        AUTO_CLOSE int none = -1;
        AUTO_FREE char *text = memory_text("text");
        AUTO_FREE char *nothing = NULL;
        AUTO_CLOSE_DIRECTORY DIR *stream = opendir("/");
        AUTO_CLOSE_DIRECTORY DIR *no_stream = NULL;

        assert_true(descriptor >= 0);
        assert_int_equal(none, -1);
        assert_string_equal(text, "text");
        assert_null(nothing);
        assert_non_null(stream);
        assert_null(no_stream);
        number = descriptor;
        errno = ENOTTY;
    }
    assert_int_equal(errno, ENOTTY);
    assert_int_equal(fcntl(number, F_GETFD), -1);
}

static void what_is_stolen_is_not_let_go(void **state)
{
    int kept = -1;
    char *text = NULL;

    (void)state;
    {
        AUTO_CLOSE int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
        AUTO_FREE char *mine = memory_text("text");

        kept = steal_descriptor(&descriptor);
        text = steal_pointer(&mine);
        assert_int_equal(descriptor, -1);
        assert_null(mine);
    }
    assert_int_equal(fcntl(kept, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_string_equal(text, "text");
    (void)close(kept);
    free(text);
}

static void memory_is_zeroed_and_never_null(void **state)
{
    static const char zeroes[64];
    AUTO_FREE char *memory = memory_allocate(16, 4);
    AUTO_FREE char *nothing = memory_allocate(0, 8);
    AUTO_FREE char *resized = memory_resize(NULL, 0, 8);

    (void)state;
    assert_memory_equal(memory, zeroes, sizeof(zeroes));
    assert_non_null(nothing);
    assert_non_null(resized);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_is_an_empty_text),
        cmocka_unit_test(holds_nul_bytes_and_ends_in_one),
        cmocka_unit_test(grows_and_keeps_what_was_there),
        cmocka_unit_test(formats_behind_what_is_there),
        cmocka_unit_test(formats_into_any_room),
        cmocka_unit_test(counts_only_what_was_added_of_a_reservation),
        cmocka_unit_test(clearing_keeps_the_memory_and_releasing_does_not),
        cmocka_unit_test(a_cleanup_lets_go_and_keeps_errno),
        cmocka_unit_test(what_is_stolen_is_not_let_go),
        cmocka_unit_test(memory_is_zeroed_and_never_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
