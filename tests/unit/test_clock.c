/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/store/memo.h"

enum { HOUR = 3600, YEAR = 365 * 24 * HOUR };

static struct error error;

static void an_age_is_what_has_passed(void **state)
{
    (void)state;
    assert_true(clock_age(clock_date()) <= 1);
    assert_true(clock_age(clock_date() - HOUR) - HOUR <= 1);
    assert_true(clock_age(clock_date() - YEAR) - YEAR <= 1);
}

static void another_hosts_now_is_now(void **state)
{
    (void)state;
    assert_int_equal(clock_age(clock_date() + 3), 0);
}

static void what_lies_ahead_is_very_old(void **state)
{
    (void)state;
    assert_true(clock_age(clock_date() + 60) == UINT64_MAX);
    assert_true(clock_age(clock_date() + YEAR) == UINT64_MAX);
    assert_true(clock_age((time_t)INT64_MAX) == UINT64_MAX);
}

static void the_beginning_of_time_is_as_old_as_the_epoch(void **state)
{
    (void)state;
    assert_true(clock_age(0) == clock_age(-1) || clock_age(0) == clock_age(-1) + 1);
    assert_true(clock_age((time_t)INT64_MIN) <= clock_age(0) + 1);
    assert_true(clock_date_ago(clock_age((time_t)INT64_MIN)) <= 1);
    assert_int_equal(clock_date_ago(clock_age((time_t)INT64_MAX)), 0);
    assert_true(clock_date() - clock_date_ago(HOUR) - HOUR <= 1);
}

static void a_date_has_four_digits_of_a_year(void **state)
{
    static const struct {
        time_t date;
        const char *text;
    } dates[] = {
        {1, "1970-01-01T00:00:01Z"},
        {1764415205, "2025-11-29T11:20:05Z"},
        {253402300799, "9999-12-31T23:59:59Z"},
        {253402300800, ""},
        {67767976233532799, ""},
        {67767976233532800, ""},
        {INT64_MAX, ""},
        {0, ""},
        {-1, ""},
        {-62135596801, ""},
        {INT64_MIN, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(dates); i++) {
        char text[CLOCK_TEXT_SIZE];

        assert_int_equal(clock_write(dates[i].date, text), *dates[i].text != '\0');
        assert_string_equal(text, dates[i].text);
    }
}

static void a_memo_tells_its_age(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->store.root, "_berth/memo"};
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_BUFFER struct buffer read = BUFFER_INIT;
    uint64_t age = 7;

    assert_returns(0, memo_read(place, &read, &age, &error));
    assert_int_equal(age, 7);
    buffer_add_text(&text, "one\ntwo\n");
    assert_returns(0, memo_write(&fixture->store, place, &text, &error));
    set_age(fixture->store.root, place.path, HOUR);
    assert_returns(1, memo_read(place, &read, &age, &error));
    assert_true(age - HOUR <= 60);
    assert_string_equal(read.data, "one\ntwo\n");
    set_age(fixture->store.root, place.path, -HOUR);
    assert_returns(1, memo_read(place, &read, &age, &error));
    assert_true(age == UINT64_MAX);
    memo_forget(place);
}

static void a_note_tells_whether_the_date_was_set(void **state)
{
    struct clock_note note = clock_note_take();
    const char *rest = strchr(note.text, ' ');
    char text[2 * CLOCK_NOTE_SIZE];

    (void)state;
    assert_false(clock_note_contradicts(note.text));
    (void)snprintf(text, sizeof(text), "%lld%s", (long long)clock_date() - 86400, rest);
    assert_true(clock_note_contradicts(text));
    (void)snprintf(text, sizeof(text), "%lld%s", (long long)clock_date() + 86400, rest);
    assert_true(clock_note_contradicts(text));
    assert_false(clock_note_contradicts(""));
    assert_false(clock_note_contradicts("1 2 another-boot\n"));
    assert_false(clock_note_contradicts("x y z"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_note_tells_whether_the_date_was_set),
        cmocka_unit_test(an_age_is_what_has_passed),
        cmocka_unit_test(another_hosts_now_is_now),
        cmocka_unit_test(what_lies_ahead_is_very_old),
        cmocka_unit_test(the_beginning_of_time_is_as_old_as_the_epoch),
        cmocka_unit_test(a_date_has_four_digits_of_a_year),
        IN_STORE(a_memo_tells_its_age),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
