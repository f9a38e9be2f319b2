/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>
#include <sys/stat.h>

#include "lib/store/memo.h"

static void write_memo(struct fixture *fixture, const char *path, const char *text)
{
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    struct error error;

    buffer_add_text(&content, text);
    assert_returns(0, memo_write(&fixture->store, (struct file_place){fixture->store.root, path},
                                 &content, &error));
}

static void is_read_as_it_was_written(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->store.root, "_berth/some/where/memo"};
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct error error;
    uint64_t age = 0;

    assert_returns(0, memo_read(place, &out, &age, &error));
    write_memo(fixture, place.path, "first");
    write_memo(fixture, place.path, "second\n");
    assert_returns(1, memo_read(place, &out, &age, &error));
    assert_string_equal(out.data, "second\n");
    assert_in_range(age, 0, 60);
}

static void tells_its_age(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->store.root, "_berth/memo"};
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct error error;
    uint64_t age = 0;

    write_memo(fixture, place.path, "");
    set_age(fixture->store.root, place.path, 1000);
    assert_returns(1, memo_read(place, &out, &age, &error));
    assert_int_equal(out.length, 0);
    assert_in_range(age, 1000, 1060);
}

/* There are tokens among them. */
static void is_for_its_owner_only(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;

    write_memo(fixture, "_berth/memo", "secret");
    assert_int_equal(fstatat(fixture->store.root, "_berth/memo", &status, 0), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->store.root, "_berth/memo"};
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct error error;
    uint64_t age;

    memo_forget(place);
    write_memo(fixture, place.path, "x");
    memo_forget(place);
    assert_returns(0, memo_read(place, &out, &age, &error));
}

static void has_lines(void **state)
{
    static const struct {
        const char *text;
        unsigned n;
        const char *expected;
    } cases[] = {
        {"a\nb\nc\n", 0, "a"}, {"a\nb\nc\n", 2, "c"}, {"a\nb\nc\n", 3, ""}, {"a\nb\nc\n", 9, ""},
        {"a\n\nc", 1, ""},     {"a\n\nc", 2, "c"},    {"", 0, ""},          {"", 1, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUFFER struct buffer memo = BUFFER_INIT;
        AUTO_BUFFER struct buffer line = BUFFER_INIT;

        buffer_add_text(&memo, cases[i].text);
        buffer_add_text(&line, "what was there before");
        memo_line(&memo, cases[i].n, &line);
        assert_string_equal(line.data, cases[i].expected);
    }
}

static void read_sealed(struct fixture *fixture, struct file_place place, const char *expected)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct error error;

    (void)fixture;
    assert_returns(expected != NULL, memo_read_sealed(place, &out, &error));
    assert_string_equal(out.data, expected ? expected : "");
}

/* It stays the same file, and what is shorter than what was there ends where it ends. */
static void what_is_sealed_is_written_in_place(void **state)
{
    static const char *const texts[] = {"a\nlonger\none\n", "b\n", "", "c\nd\n"};
    struct fixture *fixture = *state;
    struct file_place place = {fixture->store.root, "_berth/some/where/lock"};
    struct stat first;
    struct stat last;
    struct error error;

    read_sealed(fixture, place, NULL);
    for (size_t i = 0; i < COUNT(texts); i++) {
        AUTO_BUFFER struct buffer content = BUFFER_INIT;

        buffer_add_text(&content, texts[i]);
        assert_returns(0, memo_write_sealed(place, &content, &error));
        read_sealed(fixture, place, texts[i]);
        assert_int_equal(fstatat(place.directory, place.path, i == 0 ? &first : &last, 0), 0);
    }
    assert_int_equal(first.st_ino, last.st_ino);
}

static void what_is_torn_is_as_if_it_were_not_there(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->store.root, "_berth/lock"};
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    AUTO_BUFFER struct buffer whole = BUFFER_INIT;
    struct error error;

    buffer_add_text(&content, "name\naccount\n0\n");
    assert_returns(0, memo_write_sealed(place, &content, &error));
    assert_returns(1, file_read(place.directory, place.path, MEMO_LIMIT, &whole, &error));
    for (size_t i = 0; i < whole.length; i++) {
        char was = whole.data[i];

        put_bytes(place.directory, place.path, whole.data, i);
        read_sealed(fixture, place, NULL);
        whole.data[i] = was == '7' ? '8' : '7';
        put_bytes(place.directory, place.path, whole.data, whole.length);
        read_sealed(fixture, place, NULL);
        whole.data[i] = was;
    }
    put_bytes(place.directory, place.path, whole.data, whole.length);
    read_sealed(fixture, place, "name\naccount\n0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(is_read_as_it_was_written),
        IN_STORE(tells_its_age),
        IN_STORE(is_for_its_owner_only),
        IN_STORE(what_is_sealed_is_written_in_place),
        IN_STORE(what_is_torn_is_as_if_it_were_not_there),
        IN_STORE(is_forgotten),
        cmocka_unit_test(has_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
