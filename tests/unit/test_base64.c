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

static void reads_what_it_has_written(void **state)
{
    unsigned char bytes[64];

    (void)state;
    for (size_t length = 0; length <= sizeof(bytes); length++) {
        for (int form = BASE64_PADDED; form <= BASE64_URL; form++) {
            AUTO_BUFFER struct buffer text = BUFFER_INIT;
            AUTO_BUFFER struct buffer again = BUFFER_INIT;

            for (size_t i = 0; i < length; i++) {
                bytes[i] = (unsigned char)(i * 37 + length * 251);
            }
            base64_encode_as((enum base64_form)form, bytes, length, &text);
            assert_true(base64_decode((enum base64_form)form, text.data, text.length, &again));
            assert_int_equal(again.length, length);
            assert_memory_equal(again.data, bytes, length);
        }
    }
}

static void reads_one_spelling_only(void **state)
{
    static const struct {
        enum base64_form form;
        const char *text;
    } cases[] = {
        {BASE64_PADDED, "Zg="},   {BASE64_PADDED, "Zg"},     {BASE64_PADDED, "Z"},
        {BASE64_PADDED, "Zh=="},  {BASE64_PADDED, "Zm9="},   {BASE64_PADDED, "Zm8=Zm8="},
        {BASE64_PADDED, "===="},  {BASE64_PADDED, "Z==="},   {BASE64_PADDED, "Zm 9v"},
        {BASE64_PADDED, "Zm9v "}, {BASE64_PADDED, "Zm9v\n"}, {BASE64_PADDED, "-_-_"},
        {BASE64_PADDED, "Zg=A"},  {BASE64_URL, "Zg=="},      {BASE64_URL, "Z"},
        {BASE64_URL, "++++"},     {BASE64_URL, "Zh"},        {BASE64_URL, "Zm9\xc3"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;

        buffer_add_text(&out, "before");
        if (base64_decode(cases[i].form, cases[i].text, strlen(cases[i].text), &out)) {
            fail_msg("'%s' is '%s'", cases[i].text, out.data);
        }
        assert_string_equal(out.data, "before");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_what_the_standard_says),
        cmocka_unit_test(encodes_bytes_of_any_value_behind_what_is_there),
        cmocka_unit_test(reads_what_it_has_written),
        cmocka_unit_test(reads_one_spelling_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
