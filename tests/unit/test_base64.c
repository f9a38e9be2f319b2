/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/http/base64.h"

/* RFC 4648, 10, and the bytes that make the two digits which are no letters. */
static void encodes_what_the_standard_says(void **state)
{
    static const struct {
        const char *bytes;
        const char *expected;
    } cases[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xef\xbe", "++++"},
        {"\xff\xff\xff", "////"},
        {"bob:s3cret", "Ym9iOnMzY3JldA=="},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;

        base64_encode(cases[i].bytes, strlen(cases[i].bytes), &out);
        assert_string_equal(out.data, cases[i].expected);
    }
}

static void encodes_bytes_of_any_value_behind_what_is_there(void **state)
{
    static const unsigned char bytes[] = {0x00, 0x10, 0x83, 0x00};
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    (void)state;
    buffer_add_text(&out, "Basic ");
    base64_encode(bytes, sizeof(bytes), &out);
    assert_string_equal(out.data, "Basic ABCDAA==");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_what_the_standard_says),
        cmocka_unit_test(encodes_bytes_of_any_value_behind_what_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
