/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "lib/http/range.h"

static const struct {
    const char *header;
    uint64_t size;
    enum range_answer answer;
    uint64_t first;
    uint64_t last;
} downloads[] = {
    {NULL, 100, RANGE_WHOLE, 0, 0},
    {"", 100, RANGE_WHOLE, 0, 0},
    {"bytes=0-0", 100, RANGE_PART, 0, 0},
    {"bytes=0-99", 100, RANGE_PART, 0, 99},
    {"bytes=10-19", 100, RANGE_PART, 10, 19},
    {"bytes=10-", 100, RANGE_PART, 10, 99},
    {"bytes=99-", 100, RANGE_PART, 99, 99},
    {"bytes=-1", 100, RANGE_PART, 99, 99},
    {"bytes=-100", 100, RANGE_PART, 0, 99},
    {"bytes=-101", 100, RANGE_PART, 0, 99},
    {"bytes=50-100", 100, RANGE_PART, 50, 99},
    {"bytes=50-9223372036854775807", 100, RANGE_PART, 50, 99},
    {"Bytes=1-2", 100, RANGE_PART, 1, 2},
    {"bytes= 1-2 ", 100, RANGE_PART, 1, 2},
    {"bytes=0-0", 1, RANGE_PART, 0, 0},
    {"bytes=1099511627776-", 1099511627777ULL, RANGE_PART, 1099511627776, 1099511627776},
    {"bytes=100-", 100, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=100-200", 100, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-0", 100, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=0-", 0, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=0-0", 0, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-5", 0, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=1-2,4-5", 100, RANGE_WHOLE, 0, 0},
    {"bytes=1-2,", 100, RANGE_WHOLE, 0, 0},
    {"bytes=2-1", 100, RANGE_WHOLE, 0, 0},
    {"bytes=200-100", 100, RANGE_WHOLE, 0, 0},
    {"bytes=", 100, RANGE_WHOLE, 0, 0},
    {"bytes=-", 100, RANGE_WHOLE, 0, 0},
    {"bytes=5", 100, RANGE_WHOLE, 0, 0},
    {"bytes=a-b", 100, RANGE_WHOLE, 0, 0},
    {"bytes=1-2x", 100, RANGE_WHOLE, 0, 0},
    {"bytes=1-2-3", 100, RANGE_WHOLE, 0, 0},
    {"bytes=+1-2", 100, RANGE_WHOLE, 0, 0},
    {"bytes=--1", 100, RANGE_WHOLE, 0, 0},
    {"bytes=0-99999999999999999999", 100, RANGE_WHOLE, 0, 0},
    {"bytes 0-5", 100, RANGE_WHOLE, 0, 0},
    {"lines=0-5", 100, RANGE_WHOLE, 0, 0},
    {"0-5", 100, RANGE_WHOLE, 0, 0},
};

static void ranges_of_downloads(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(downloads); i++) {
        struct range range = {4711, 4712};
        enum range_answer answer = range_parse(downloads[i].header, downloads[i].size, &range);
        bool part = downloads[i].answer == RANGE_PART;

        if (answer != downloads[i].answer || range.first != (part ? downloads[i].first : 4711) ||
            range.last != (part ? downloads[i].last : 4712)) {
            fail_msg("'%s' of %llu is %d, %llu-%llu",
                     downloads[i].header ? downloads[i].header : "(none)",
                     (unsigned long long)downloads[i].size, (int)answer,
                     (unsigned long long)range.first, (unsigned long long)range.last);
        }
    }
}

static void ranges_of_chunks(void **state)
{
    static const struct {
        const char *header;
        bool good;
        uint64_t first;
        uint64_t last;
    } rows[] = {
        {"0-1023", true, 0, 1023},
        {"1024-2047", true, 1024, 2047},
        {"5-5", true, 5, 5},
        {"0-9223372036854775807", true, 0, INT64_MAX},
        {"bytes 0-1023/2048", true, 0, 1023},
        {"bytes 0-1023/*", true, 0, 1023},
        {"bytes 0-1023", true, 0, 1023},
        {"Bytes 7-8/9", true, 7, 8},
        {"", false, 0, 0},
        {"-", false, 0, 0},
        {"0-", false, 0, 0},
        {"-5", false, 0, 0},
        {"5", false, 0, 0},
        {"5-4", false, 0, 0},
        {"0 - 5", false, 0, 0},
        {" 0-5", false, 0, 0},
        {"0-5 ", false, 0, 0},
        {"0-5/10", false, 0, 0},
        {"0-5,6-7", false, 0, 0},
        {"a-b", false, 0, 0},
        {"0x0-0x5", false, 0, 0},
        {"+0-5", false, 0, 0},
        {"0--5", false, 0, 0},
        {"0-9223372036854775808", false, 0, 0},
        {"18446744073709551616-18446744073709551617", false, 0, 0},
        {"bytes=0-5", false, 0, 0},
        {"bytes */100", false, 0, 0},
        {"bytes /", false, 0, 0},
        {"bytes ", false, 0, 0},
        {"bytes", false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct range range = {4711, 4712};
        bool good = content_range_parse(rows[i].header, &range);

        if (good != rows[i].good || range.first != (good ? rows[i].first : 4711) ||
            range.last != (good ? rows[i].last : 4712)) {
            fail_msg("'%s' is %d, %llu-%llu", rows[i].header, good, (unsigned long long)range.first,
                     (unsigned long long)range.last);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_of_downloads),
        cmocka_unit_test(ranges_of_chunks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
