/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "lib/configuration/ini.h"

static int note_section(void *context, struct ini_reading *reading, const char *section)
{
    (void)reading;
    buffer_format(context, "[%s]", section);
    return 0;
}

static int note_value(void *context, struct ini_reading *reading, const char *name,
                      const char *value)
{
    if (strcmp(value, "bad") == 0) {
        return ini_complain(reading, "this is bad:", name);
    }
    buffer_format(context, "%s=%s;", name, value);
    return 0;
}

/* What is told of the text: sections in brackets, name=value; for each key. */
static int read_text(const char *text, struct buffer *told, struct error *error)
{
    struct ini_handler handler = {
        .begin_section = note_section, .take_value = note_value, .context = told};
    AUTO_BUFFER struct buffer content = BUFFER_INIT;

    buffer_add_text(&content, text);
    return ini_read("FILE", &content, &handler, error);
}

static void sections_and_keys_are_told_in_their_order(void **state)
{
    static const struct {
        const char *text;
        const char *told;
    } texts[] = {
        {"", ""},
        {"\n \t\n; x = 1\n# y = 2\n", ""},
        {"a = 1\nb=2\nc : 3 ; why\n", "a=1;b=2;c=3;"},
        {"[s]\n[t u] ; why\na = \n[s] # why", "[s][t u]a=;[s]"},
        {"\t[s]\r\na = 1\r\n", "[s]a=1;"},
        {"a = x = y\n", "a=x = y;"},
        {"a = 1;2\n", "a=1;2;"},
        {"a = 1 # why\nb = 2\t# why ; not\nc = 3#4\n # = 5\n", "a=1;b=2;c=3#4;"},
        {"a = # nothing\n", "a=;"},
        {"\xef\xbb\xbf[s]\na = 1", "[s]a=1;"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        AUTO_BUFFER struct buffer told = BUFFER_INIT;
        struct error error = ERROR_INIT;

        assert_returns(0, read_text(texts[i].text, &told, &error));
        assert_string_equal(told.data, texts[i].told);
    }
}

static void what_inih_would_pass_over_is_told_with_its_line(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } texts[] = {
        {"a\n", "FILE:1: neither a [section] nor key = value"},
        {"\n[s\nx = 1\n", "FILE:2: the bracket is not closed: 's'"},
        {"[s] x = 1\n", "FILE:1: only a comment may stand behind a section: 's'"},
        {"[s]]\n", "FILE:1: only a comment may stand behind a section: 's'"},
        {"a = 1\n  [s]\nb = 1\n", "FILE:2: this line must not be indented: '[s]'"},
        {"a = 1\n[s]\nb = bad\nc = bad\n", "FILE:3: this is bad: 'b'"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        AUTO_BUFFER struct buffer told = BUFFER_INIT;
        struct error error = ERROR_INIT;

        assert_fails(ERROR_INTERNAL, read_text(texts[i].text, &told, &error));
        assert_string_equal(error.message, texts[i].message);
    }
}

/* inih takes 49 bytes of a name and 198 of a line, and would leave the rest out. */
static void nothing_is_cut(void **state)
{
    static const struct {
        const char *before;
        const char *behind;
        size_t limit;
    } forms[] = {{"", " = 1\n", 49}, {"[", "]\n", 49}, {"  ", "\t= 1\n", 49}, {"k = ", "\n", 194}};

    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        AUTO_BUFFER struct buffer name = BUFFER_INIT;

        for (size_t length = 1; length < 300; length++) {
            AUTO_BUFFER struct buffer text = BUFFER_INIT;
            AUTO_BUFFER struct buffer told = BUFFER_INIT;
            struct error error = ERROR_INIT;

            buffer_add_text(&name, "x");
            buffer_format(&text, "%s%s%s", forms[i].before, name.data, forms[i].behind);
            if (length <= forms[i].limit) {
                assert_returns(0, read_text(text.data, &told, &error));
                assert_non_null(strstr(told.data, name.data));
            } else {
                assert_fails(ERROR_INTERNAL, read_text(text.data, &told, &error));
                assert_non_null(
                    strstr(error.message, "FILE:1: this line, or a name in it, is too"));
                assert_int_equal(told.length, 0);
            }
        }
    }
}

static void a_nul_byte_is_an_error(void **state)
{
    AUTO_BUFFER struct buffer told = BUFFER_INIT;
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    struct ini_handler handler = {
        .begin_section = note_section, .take_value = note_value, .context = &told};
    struct error error = ERROR_INIT;

    (void)state;
    buffer_add(&content, "a = 1\n\0b = 2\n", 13);
    assert_fails(ERROR_INTERNAL, ini_read("FILE", &content, &handler, &error));
    assert_string_equal(error.message, "FILE: there is a NUL byte in it");
    assert_int_equal(told.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_and_keys_are_told_in_their_order),
        cmocka_unit_test(what_inih_would_pass_over_is_told_with_its_line),
        cmocka_unit_test(nothing_is_cut),
        cmocka_unit_test(a_nul_byte_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
