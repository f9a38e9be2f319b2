/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/oci/document.h"

static struct document document_of(const char *text)
{
    return (struct document){text, strlen(text), NULL};
}

static void takes_the_tokens_of_json(void **state)
{
    static const char *const texts[] = {
        "",
        "{}",
        " \t\r\n{ }\n",
        "{\"a\":[1,-1,0,-0,0.5,10.25,1e5,1E+5,1e-5,1.5e10]}",
        "[true,false,null]",
        "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\ud83d\\ude00\"}",
        "{\"a\":\"\x7f\"}",
        "{\"a\":\"\xc2\x80\xdf\xbf\"}",
        "{\"a\":\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"}",
        "{\"a\":\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"}",
        "{\"\xc3\xa4\":\"\xe2\x82\xac\"}",
        "{\"a\":\"\\\\u0000\"}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct document document = document_of(texts[i]);

        if (!document_is_strict(&document)) {
            fail_msg("'%s' is refused", texts[i]);
        }
    }
}

static const char *const broken[] = {
    "\xef\xbb\xbf{}", /* byte order mark */
    "{\"a\":01}",     /* numbers */
    "{\"a\":-01}",
    "{\"a\":-}",
    "{\"a\":+1}",
    "{\"a\":.5}",
    "{\"a\":1.}",
    "{\"a\":1.e5}",
    "{\"a\":1e}",
    "{\"a\":1e+}",
    "{\"a\":1.2.3}",
    "{\"a\":1-2}",
    "{\"a\":0x10}",
    "{\"a\":NaN}",
    "{\"a\":Infinity}",
    "{\"a\":\"\n\"}", /* controls */
    "{\"a\":\"\t\"}",
    "{\"a\":\"\x1f\"}",
    "{\"a\":\"\\\n\"}",
    "{}\x0b",
    "{}\x01",
    "{\"a\":\"\x80\"}", /* UTF-8 */
    "{\"a\":\"\xff\"}",
    "{\"a\":\"\xc0\xaf\"}",
    "{\"a\":\"\xc1\xbf\"}",
    "{\"a\":\"\xc3\"}",
    "{\"a\":\"\xc3(\"}",
    "{\"a\":\"\xe0\x80\xaf\"}",
    "{\"a\":\"\xe0\x9f\xbf\"}",
    "{\"a\":\"\xed\xa0\x80\"}",
    "{\"a\":\"\xed\xbf\xbf\"}",
    "{\"a\":\"\xe2\x82\"}",
    "{\"a\":\"\xf0\x8f\xbf\xbf\"}",
    "{\"a\":\"\xf4\x90\x80\x80\"}",
    "{\"a\":\"\xf5\x80\x80\x80\"}",
    "{\"a\":\"\xf0\x90\x80\"}",
    "{\"a\":\"\\\xff\"}",
    "{\"a\":\"\\u0000\"}", /* would end the text for us, and not for others */
    "{\"a\\u0000b\":1}",
    "{'a':1}", /* other notations */
    "/* */{}",
    "{}//",
    "\"",
    "{\"a\":\"",
    "{\"a\":\"\\",
    "{\"a\":\"\\\"}",
    "{\"a\":\"\xf0\x90",
};

static void refuses_what_other_readers_stop_at(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(broken); i++) {
        struct document document = document_of(broken[i]);

        if (document_is_strict(&document)) {
            fail_msg("'%s' is taken", broken[i]);
        }
    }
}

static void refuses_nul_bytes_anywhere(void **state)
{
    static const char text[] = "{\"a\":\"b\"} ";

    (void)state;
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        char bytes[sizeof(text)];
        struct document document = {bytes, sizeof(text) - 1, NULL};

        memcpy(bytes, text, sizeof(text));
        assert_true(document_is_strict(&document));
        bytes[i] = '\0';
        assert_false(document_is_strict(&document));
    }
}

/* What comes behind the given length is none of its business, and may not even be there. */
static void looks_at_the_given_length_only(void **state)
{
    static const char text[] = "{\"a\":\"\xf0\x90\x80\x80\",\"n\":-1.5e+10}";
    static const bool strict[sizeof(text)] = {
        [0] = true,  [1] = true,  [4] = true,  [5] = true,  [11] = true, [12] = true, [15] = true,
        [16] = true, [18] = true, [20] = true, [23] = true, [24] = true, [25] = true};

    (void)state;
    for (size_t length = 0; length < sizeof(text); length++) {
        char *exact = malloc(length + 1); /* the sanitizers see a look behind it */
        struct document document = {exact, length, NULL};

        assert_non_null(exact);
        memcpy(exact, text, length);
        exact[length] = '"';
        /* Inside of a text, or of a number that has no digit yet. */
        if (document_is_strict(&document) != strict[length]) {
            fail_msg("the first %zu bytes", length);
        }
        free(exact);
    }
}

static void refuses_more_values_than_are_worth_their_memory(void **state)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct document document;

    (void)state;
    buffer_add_text(&text, "[");
    for (int i = 0; i < 299998; i++) {
        buffer_add_text(&text, "0,");
    }
    buffer_add_text(&text, "0]");
    document = (struct document){text.data, text.length, NULL};
    assert_true(document_is_strict(&document));
    text.length--;
    buffer_add_text(&text, ",0,0,0]");
    document = (struct document){text.data, text.length, NULL};
    assert_false(document_is_strict(&document));
}

static void brackets_inside_of_texts_are_no_values(void **state)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct document document;

    (void)state;
    buffer_add_text(&text, "{\"a\":\"");
    for (int i = 0; i < 400000; i++) {
        buffer_add_text(&text, "[");
    }
    buffer_add_text(&text, "\"}");
    document = (struct document){text.data, text.length, NULL};
    assert_true(document_is_strict(&document));
}

static void finds_members_by_their_exact_name(void **state)
{
    static const struct {
        const char *text;
        const char *value; /* NULL: none */
    } rows[] = {
        {"{\"a\":\"x\"}", "x"},
        {"{\"b\":1,\"a\":\"\\u00e4\"}", "\xc3\xa4"},
        {" {\"a\":\"x\"} \n", "x"},
        {"{\"a\":\"\"}", NULL},
        {"{\"A\":\"x\"}", NULL},
        {"{\"a\":1}", NULL},
        {"{\"a\":null}", NULL},
        {"{\"a\":[\"x\"]}", NULL},
        {"{\"b\":{\"a\":\"x\"}}", NULL},
        {"[\"a\",\"x\"]", NULL},
        {"\"a\"", NULL},
        {"{\"a\":\"x\"", NULL},
        {"{\"a\":\"x\"}}", NULL},
        {"{\"a\":\"x\"} {}", NULL},
        {"{\"a\":\"x\",}", NULL},
        {"{a:\"x\"}", NULL},
        {"{\"a\":\"x\",\"b\":nul}", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;
        struct document document = document_of(rows[i].text);
        bool found = document_text_member(&document, "a", &out);

        if (found != (rows[i].value != NULL) ||
            strcmp(out.data, rows[i].value ? rows[i].value : "") != 0) {
            fail_msg("%s gives '%s'", rows[i].text, out.data);
        }
    }
}

static void reads_whole_numbers(void **state)
{
    static const struct {
        const char *text;
        int64_t number; /* -1: none */
    } rows[] = {
        {"{\"n\":0}", 0},     {"{\"n\":3600}", 3600}, {"{\"n\":6e1}", 60},   {"{\"n\":1.5}", -1},
        {"{\"n\":-1}", -1},   {"{\"n\":\"1\"}", -1},  {"{\"n\":1e400}", -1}, {"{\"n\":1e300}", -1},
        {"{\"n\":null}", -1}, {"{\"n\":true}", -1},   {"{\"n\":[1]}", -1},   {"{}", -1},
        {"[1]", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct document document = document_of(rows[i].text);
        uint64_t number = 42;
        bool found = document_number_member(&document, "n", &number);

        if (found != (rows[i].number >= 0) || number != (found ? (uint64_t)rows[i].number : 42)) {
            fail_msg("%s gives %llu", rows[i].text, (unsigned long long)number);
        }
    }
}

static void reads_lists_of_texts_and_of_objects(void **state)
{
    static const struct {
        const char *text;
        bool is_texts;
        bool is_objects;
        const char *items; /* each in brackets */
    } rows[] = {
        {"{\"l\":[]}", true, true, ""},
        {"{\"l\":null}", true, true, ""},
        {"{\"l\":[\"a\",\"\",\"b\"]}", true, false, "[a][][b]"},
        {"{\"l\":[{\"a\": 1},{}]}", false, true, "[{\"a\":1}][{}]"},
        {"{\"l\":[\"a\",1]}", false, false, ""},
        {"{\"l\":[{},null]}", false, false, ""},
        {"{\"l\":\"a\"}", false, false, ""},
        {"{\"l\":{}}", false, false, ""},
        {"{}", false, false, ""},
        {"[]", false, false, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_NAMES struct names texts = NAMES_INIT;
        AUTO_NAMES struct names objects = NAMES_INIT;
        AUTO_BUFFER struct buffer items = BUFFER_INIT;
        struct document document = document_of(rows[i].text);

        assert_int_equal(document_text_list(&document, "l", &texts), rows[i].is_texts);
        assert_int_equal(document_object_list(&document, "l", &objects), rows[i].is_objects);
        for (size_t j = 0; j < texts.count; j++) {
            buffer_format(&items, "[%s]", texts.names[j]);
        }
        for (size_t j = 0; j < objects.count; j++) {
            buffer_format(&items, "[%s]", objects.names[j]);
        }
        assert_string_equal(items.data, rows[i].items);
    }
}

/* Whoever answers with one does not bind the process that asked. */
static void long_lists_take_no_long_time(void **state)
{
    AUTO_BUFFER struct buffer texts = BUFFER_INIT;
    AUTO_BUFFER struct buffer objects = BUFFER_INIT;
    AUTO_NAMES struct names names = NAMES_INIT;
    AUTO_NAMES struct names found = NAMES_INIT;
    struct document document;

    (void)state;
    buffer_add_text(&texts, "{\"l\":[");
    buffer_add_text(&objects, "{\"l\":[");
    for (int i = 0; i < 140000; i++) {
        buffer_format(&texts, "%s\"t%d\"", i ? "," : "", i);
        buffer_format(&objects, "%s{}", i ? "," : "");
    }
    buffer_add_text(&texts, "]}");
    buffer_add_text(&objects, "]}");
    (void)alarm(30);
    document = (struct document){texts.data, texts.length, NULL};
    assert_true(document_text_list(&document, "l", &names));
    assert_int_equal(names.count, 140000);
    document = (struct document){objects.data, objects.length, NULL};
    assert_true(document_object_list(&document, "l", &found));
    assert_int_equal(found.count, 140000);
    (void)alarm(0);
}

static void reads_the_message_of_an_error_document(void **state)
{
    static const struct {
        const char *text;
        const char *message; /* NULL: none */
    } rows[] = {
        {"{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\"}]}", "DENIED: no"},
        {"{\"errors\":[{\"code\":\"DENIED\"}]}", "DENIED"},
        {"{\"errors\":[{\"message\":\"no\",\"detail\":null}]}", "no"},
        {"{\"errors\":[{\"message\":\"a\"},{\"message\":\"b\"}]}", "a"},
        {"{\"errors\":[{\"code\":1}]}", NULL},
        {"{\"errors\":[]}", NULL},
        {"{\"errors\":[\"no\"]}", NULL},
        {"{\"errors\":\"no\"}", NULL},
        {"{\"details\":\"no\"}", NULL},
        {"[]", NULL},
        {"<html>", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;
        struct document document = document_of(rows[i].text);
        bool found = document_error_message(&document, &out);

        if (found != (rows[i].message != NULL) ||
            strcmp(out.data, rows[i].message ? rows[i].message : "") != 0) {
            fail_msg("%s gives '%s'", rows[i].text, out.data);
        }
    }
}

static void tells_what_a_member_says_in_words(void **state)
{
    static const struct {
        const char *json;
        const char *words; /* NULL: none */
    } rows[] = {
        {"{\"a\":\"x y\"}", "x y;"},
        {"{\"a\":\"\"}", ";"},
        {"{\"a\":1234}", "1234;"},
        {"{\"a\":-1}", "-1;"},
        {"{\"a\":1e3}", "1000;"},
        {"{\"a\":true}", "true;"},
        {"{\"a\":[\"x\",2,false]}", "x;2;false;"},
        {"{\"a\":[]}", ""},
        {"{\"a\":1.5}", NULL},
        {"{\"a\":1e300}", NULL},
        {"{\"a\":null}", NULL},
        {"{\"a\":{}}", NULL},
        {"{\"a\":[[\"x\"]]}", NULL},
        {"{\"A\":1}", NULL},
        {"[\"a\"]", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct document document = document_of(rows[i].json);
        AUTO_NAMES struct names words = NAMES_INIT;
        AUTO_BUFFER struct buffer joined = BUFFER_INIT;
        bool found = document_words(&document, "a", &words);

        for (size_t j = 0; j < words.count; j++) {
            buffer_format(&joined, "%s;", words.names[j]);
        }
        if (found != (rows[i].words != NULL) ||
            (found && strcmp(joined.data, rows[i].words) != 0)) {
            fail_msg("%s says '%s'", rows[i].json, found ? joined.data : "nothing");
        }
    }
}

static void sees_members_of_one_name_at_any_depth(void **state)
{
    static const struct {
        const char *json;
        bool is_unambiguous;
    } rows[] = {
        {"{}", true},
        {"{\"a\":1,\"b\":{\"a\":1},\"c\":[{\"a\":1},{\"a\":1}],\"A\":1}", true},
        {"{\"a\":{\"b\":[]},\"c\":{}}", true},
        {"{\"a\":1,\"b\":2,\"a\":1}", false},
        {"{\"a\":1,\"\\u0061\":1}", false},
        {"{\"a\":{\"b\":1,\"b\":1}}", false},
        {"{\"x\":{},\"a\":[1,[{\"b\":{},\"b\":[]}]]}", false},
        {"{\"a\":{\"b\":{\"c\":1}},\"d\":1,\"d\":1}", false},
        {"[]", false},
        {"{\"a\":01}", false},
    };
    AUTO_BUFFER struct buffer deep = BUFFER_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct document document = document_of(rows[i].json);

        if (document_is_unambiguous(&document) != rows[i].is_unambiguous) {
            fail_msg("%s: not %d", rows[i].json, rows[i].is_unambiguous);
        }
    }
    for (int i = 0; i < 500; i++) {
        buffer_add_text(&deep, "{\"a\":");
    }
    buffer_add_text(&deep, "1");
    for (int i = 0; i < 500; i++) {
        buffer_add_text(&deep, "}");
    }
    assert_false(document_is_unambiguous(&(struct document){deep.data, deep.length, NULL}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_tokens_of_json),
        cmocka_unit_test(refuses_what_other_readers_stop_at),
        cmocka_unit_test(refuses_nul_bytes_anywhere),
        cmocka_unit_test(looks_at_the_given_length_only),
        cmocka_unit_test(refuses_more_values_than_are_worth_their_memory),
        cmocka_unit_test(brackets_inside_of_texts_are_no_values),
        cmocka_unit_test(finds_members_by_their_exact_name),
        cmocka_unit_test(reads_whole_numbers),
        cmocka_unit_test(reads_lists_of_texts_and_of_objects),
        cmocka_unit_test(long_lists_take_no_long_time),
        cmocka_unit_test(reads_the_message_of_an_error_document),
        cmocka_unit_test(tells_what_a_member_says_in_words),
        cmocka_unit_test(sees_members_of_one_name_at_any_depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
