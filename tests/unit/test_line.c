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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_takes_what_is_for_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
