/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/observe/count/tally.h"

enum { MEMBERS = 7 }; /* that another layout may share */

static void puts_a_duration_into_the_first_bucket_that_takes_it(void **state)
{
    static const struct {
        uint64_t microseconds;
        size_t bucket;
    } rows[] = {
        {0, 0},        {500, 0},        {501, 1},        {1000, 1},        {1000000, 10},
        {1000001, 11}, {600000000, 14}, {600000001, 15}, {UINT64_MAX, 15},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct histogram histogram = {.microseconds = 0};

        histogram_add(&histogram, rows[i].microseconds);
        assert_int_equal(histogram.buckets[rows[i].bucket], 1);
        assert_int_equal(histogram.microseconds, rows[i].microseconds);
    }
    for (size_t i = 1; i < HISTOGRAM_BUCKETS; i++) {
        assert_true(histogram_limit(i) > histogram_limit(i - 1));
    }
}

/* A file with a tally in which every number is another one. */
static void make_file(struct buffer *out)
{
    tally_describe(out);
    for (uint64_t i = 0; i < sizeof(struct tally) / sizeof(uint64_t); i++) {
        uint64_t number = i + 1;

        buffer_add(out, &number, sizeof(number));
    }
}

static void describes_itself_in_a_head_of_one_size(void **state)
{
    AUTO_BUFFER struct buffer head = BUFFER_INIT;

    (void)state;
    tally_describe(&head);
    assert_int_equal(head.length, TALLY_HEAD);
    assert_int_equal(head.data[TALLY_HEAD - 1], '\0');
}

static void carries_over_all_of_the_same(void **state)
{
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    AUTO_FREE struct tally *tally = memory_allocate(1, sizeof(*tally));

    (void)state;
    make_file(&file);
    assert_int_equal(tally_carry_over(tally, &file), MEMBERS);
    assert_memory_equal(tally, file.data + TALLY_HEAD, offsetof(struct tally, presences));
    assert_int_equal(tally->presences[0], 0);
}

static void leaves_what_has_other_words(void **state)
{
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    AUTO_FREE struct tally *tally = memory_allocate(1, sizeof(*tally));

    (void)state;
    make_file(&file);
    strstr(file.data, "throttled")[0] = 'T'; /* of the log-ins */
    assert_int_equal(tally_carry_over(tally, &file), MEMBERS - 1);
    assert_int_equal(tally->logins[0], 0);
    assert_true(tally->bytes[0] != 0);
}

/* What is where, is anybody's word: what would lie outside of the file is not there. */
static void believes_no_head_that_lies(void **state)
{
    static const char *const offsets[] = {"99999999999999999999999",
                                          "9223372036854775807",
                                          "18446744073709551615",
                                          "53000",
                                          "-1",
                                          "x",
                                          ""};
    AUTO_FREE struct tally *tally = memory_allocate(1, sizeof(*tally));

    (void)state;
    for (size_t i = 0; i < COUNT(offsets); i++) {
        AUTO_BUFFER struct buffer whole = BUFFER_INIT;
        AUTO_BUFFER struct buffer file = BUFFER_INIT;
        const char *line;
        size_t end;

        make_file(&whole);
        line = strstr(whole.data, "\nrequests ") + 1;
        end = (size_t)(line - whole.data) + strcspn(line, "\n");
        while (whole.data[end - 1] != ' ') {
            end--;
        }
        buffer_add(&file, whole.data, end);
        buffer_add_text(&file, offsets[i]);
        buffer_add(&file, whole.data + end, whole.length - end);
        file.data[end + strlen(offsets[i])] = '\n';
        assert_int_equal(tally_carry_over(tally, &file), MEMBERS - 1);
        assert_int_equal(tally->requests[0][0][0], 0);
    }
}

static void takes_nothing_of_a_file_that_is_too_short(void **state)
{
    AUTO_FREE struct tally *tally = memory_allocate(1, sizeof(*tally));

    (void)state;
    for (size_t length = 0; length < TALLY_HEAD + 64; length += 61) {
        AUTO_BUFFER struct buffer whole = BUFFER_INIT;
        AUTO_BUFFER struct buffer file = BUFFER_INIT;

        make_file(&whole);
        buffer_add(&file, whole.data, length);
        assert_int_equal(tally_carry_over(tally, &file), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_a_duration_into_the_first_bucket_that_takes_it),
        cmocka_unit_test(describes_itself_in_a_head_of_one_size),
        cmocka_unit_test(carries_over_all_of_the_same),
        cmocka_unit_test(leaves_what_has_other_words),
        cmocka_unit_test(believes_no_head_that_lies),
        cmocka_unit_test(takes_nothing_of_a_file_that_is_too_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
