/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>

#include "lib/base/character.h"

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
        {"a\xe2\x80\xae"
         "b\xe2\x81\xa6"
         "c",
         "a???b???c"},
        {"\xe2\x80\xa8 \xe2\x80\xa9", "??? ???"},
        {"\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa\xe3\x80\xae",
         "\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa\xe3\x80\xae"},
        {"\xc3", "?"},
        {"\xe2\x80", "??"},
        {"\xe2\x80"
         "a",
         "??a"},
        {"\xff\xc0\x80", "???"},
        {"\xc3\x1b", "??"},
        {"\xe0\x80\x80\xe0\xa0\x80", "???\xe0\xa0\x80"},
        {"\xed\xa0\x80\xed\x9f\xbf", "???\xed\x9f\xbf"},
        {"\xf0\x8f\xbf\xbf\xf0\x90\x80\x80", "????\xf0\x90\x80\x80"},
        {"\xf4\x90\x80\x80\xf4\x8f\xbf\xbf", "????\xf4\x8f\xbf\xbf"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        char text[64];

        (void)snprintf(text, sizeof(text), "%s", texts[i].text);
        characters_clean(text);
        assert_string_equal(text, texts[i].cleaned);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_drives_the_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
