/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/base/json.h"

static void puts_the_commas_where_they_belong(void **state)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    (void)state;
    json_open_object(&out, NULL);
    json_text(&out, "a", "b");
    json_number(&out, "n", 18446744073709551615ULL);
    json_open_array(&out, "list");
    json_text(&out, NULL, "x");
    json_number(&out, NULL, 0);
    json_open_object(&out, NULL);
    json_close_object(&out);
    json_open_array(&out, NULL);
    json_close_array(&out);
    json_raw(&out, NULL, "null");
    json_close_array(&out);
    json_raw(&out, "raw", "{\"k\":[]}");
    json_open_object(&out, "o");
    json_close_object(&out);
    json_close_object(&out);
    assert_string_equal(out.data, "{\"a\":\"b\",\"n\":18446744073709551615,\"list\":[\"x\",0,{},[],"
                                  "null],\"raw\":{\"k\":[]},\"o\":{}}");
}

static void a_text_that_ends_like_a_bracket_does_not_confuse_it(void **state)
{
    static const char *const texts[] = {"{", "[", ":", "\"", "\\", "{\"", ",", ""};
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    (void)state;
    json_open_array(&out, NULL);
    for (size_t i = 0; i < COUNT(texts); i++) {
        json_text(&out, NULL, texts[i]);
    }
    json_close_array(&out);
    assert_string_equal(out.data, "[\"{\",\"[\",\":\",\"\\\"\",\"\\\\\",\"{\\\"\",\",\",\"\"]");
}

static void escapes_what_would_break_the_text(void **state)
{
    static const struct {
        const char *text;
        const char *json;
    } rows[] = {
        {"a\"b", "\"a\\\"b\""},
        {"a\\b", "\"a\\\\b\""},
        {"\r\n\t\b\f", "\"\\r\\n\\t\\b\\f\""},
        {"\x01\x1f", "\"\\u0001\\u001f\""},
        {"\xc3\xa4/", "\"\xc3\xa4/\""},
        {"\x7f \xc2\x80\xc2\x9b\xc2\xa0", "\"\\u007f \\u0080\\u009b\xc2\xa0\""},
        {"\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa9\xf0\x9f\x90\xb3",
         "\"\\u2028\\u202e\\u2069\xf0\x9f\x90\xb3\""},
        {"\xe2\x80\xff", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"</script>", "\"</script>\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;

        json_text(&out, NULL, rows[i].text);
        assert_string_equal(out.data, rows[i].json);
    }
}

static void escapes_keys_as_well(void **state)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    (void)state;
    json_open_object(&out, NULL);
    json_text(&out, "a\"\n", "v");
    json_close_object(&out);
    assert_string_equal(out.data, "{\"a\\\"\\n\":\"v\"}");
}

static void has_room_for_a_text_of_nothing_but_escapes(void **state)
{
    /* Every length: the writer below wants some bytes to spare. */
    (void)state;
    for (size_t length = 0; length < 300; length++) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;
        char text[300];

        memset(text, 1, sizeof(text));
        text[length] = '\0';
        json_text(&out, NULL, text);
        assert_int_equal(out.length, 6 * length + 2);
        assert_int_equal(strlen(out.data), out.length);
    }
}

static void what_is_no_utf_8_is_replaced(void **state)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    (void)state;
    json_text(&out, NULL, "\xff \xc3\xa4 \xed\xa0\x80 \xf0\x9f\x9a\xa2 \xe2\x82");
    assert_string_equal(out.data, "\"\xef\xbf\xbd \xc3\xa4 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
                                  "\xf0\x9f\x9a\xa2 \xef\xbf\xbd\xef\xbf\xbd\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_the_commas_where_they_belong),
        cmocka_unit_test(a_text_that_ends_like_a_bracket_does_not_confuse_it),
        cmocka_unit_test(escapes_what_would_break_the_text),
        cmocka_unit_test(escapes_keys_as_well),
        cmocka_unit_test(has_room_for_a_text_of_nothing_but_escapes),
        cmocka_unit_test(what_is_no_utf_8_is_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
