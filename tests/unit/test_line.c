/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "fcgi/command/line.h"

static void say(bool json, struct buffer *out)
{
    AUTO_LINE struct line line = line_begin(json);

    line_text(&line, "path", "a\"b");
    line_say(&line, "%s: ", "a\"b");
    line_number(&line, "bytes", 7);
    line_raw(&line, "detail", "[1]");
    line_say(&line, "%d bytes", 7);
    buffer_add_text(out, line.text.data);
}

static void each_form_takes_what_is_for_it(void **state)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_BUFFER struct buffer json = BUFFER_INIT;

    (void)state;
    say(false, &text);
    assert_string_equal(text.data, "a\"b: 7 bytes");
    say(true, &json);
    assert_string_equal(json.data, "{\"path\":\"a\\\"b\",\"bytes\":7,\"detail\":[1]");
}

static void nothing_drives_the_terminal(void **state)
{
    static const struct {
        const char *text;
        const char *cleaned;
    } texts[] = {
        {"", ""},
        {"plain", "plain"},
        {"a\033[31mb\r\n\tc\x7f", "a?[31mb???c?"},
        {"\xc3\xa4 \xe2\x80\x94 \xf0\x9f\x90\xb3", "\xc3\xa4 \xe2\x80\x94 \xf0\x9f\x90\xb3"},
        {"a\x9b"
         "31m",
         "a?31m"},
        {"a\xc2\x9b"
         "31m",
         "a??31m"},
        {"a\xc2\xa0"
         "b",
         "a\xc2\xa0"
         "b"},
        {"\xc3", "?"},
        {"\xe2\x80", "??"},
        {"\xe2\x80"
         "a",
         "??a"},
        {"\xff\xc0\x80", "???"},
        {"\xc3\x1b", "??"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        char text[64];

        (void)snprintf(text, sizeof(text), "%s", texts[i].text);
        line_clean(text);
        assert_string_equal(text, texts[i].cleaned);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_takes_what_is_for_it),
        cmocka_unit_test(nothing_drives_the_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
