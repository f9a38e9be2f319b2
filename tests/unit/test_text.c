/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"

static void reads_numbers_up_to_the_largest_signed_one(void **state)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t number;
    } rows[] = {
        {"0", true, 0},
        {"7", true, 7},
        {"007", true, 7},
        {"18446", true, 18446},
        {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"18446744073709551615", false, 0},
        {"18446744073709551616", false, 0},
        {"99999999999999999999999", false, 0},
        {"", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"0x1", false, 0},
        {"1:", false, 0},
        {"1/", false, 0},
        {"1.0", false, 0},
        {"\xb2", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t number = 42;
        bool good = text_number(rows[i].text, strlen(rows[i].text), &number);

        if (good != rows[i].good || number != (good ? rows[i].number : 42)) {
            fail_msg("'%s': %d, %llu", rows[i].text, good, (unsigned long long)number);
        }
    }
}

static void reads_a_number_of_the_given_length_only(void **state)
{
    uint64_t number = 0;

    (void)state;
    assert_true(text_number("1234", 2, &number));
    assert_int_equal(number, 12);
}

static void a_part_is_copied_only_if_it_fits(void **state)
{
    char out[4] = "old";

    (void)state;
    assert_false(text_copy(out, sizeof(out), "abcdef", 4));
    assert_string_equal(out, "old");
    assert_true(text_copy(out, sizeof(out), "abcdef", 3));
    assert_string_equal(out, "abc");
    assert_true(text_copy(out, sizeof(out), out + 1, 2));
    assert_string_equal(out, "bc");
    assert_true(text_copy(out, sizeof(out), "abcdef", 0));
    assert_string_equal(out, "");
}

static void knows_how_a_text_begins(void **state)
{
    (void)state;
    assert_true(text_begins("sha256:ab", "sha256:"));
    assert_true(text_begins("sha", ""));
    assert_true(text_begins("", ""));
    assert_false(text_begins("sha", "sha256"));
    assert_false(text_begins("", "s"));
    assert_false(text_begins("Sha", "sha"));
}

static void takes_lower_case_hex_only(void **state)
{
    (void)state;
    assert_true(text_is_hex("0123456789abcdef", 16));
    assert_true(text_is_hex("", 0));
    assert_true(text_is_hex("ag", 1));
    assert_false(text_is_hex("A0", 2));
    assert_false(text_is_hex("0g", 2));
    assert_false(text_is_hex("0/", 2));
    assert_false(text_is_hex("0:", 2));
    assert_false(text_is_hex("a`", 2));
    assert_false(text_is_hex("ab", 3));
}

static void hex_and_back_is_the_same(void **state)
{
    unsigned char all[256];
    unsigned char back[256];
    char hex[513];

    (void)state;
    for (size_t i = 0; i < sizeof(all); i++) {
        all[i] = (unsigned char)i;
    }
    text_hex(all, sizeof(all), hex);
    assert_int_equal(strlen(hex), 512);
    assert_memory_equal(hex, "000102", 6);
    assert_memory_equal(hex + 508, "feff", 4);
    assert_true(text_unhex(hex, sizeof(all), back));
    assert_memory_equal(all, back, sizeof(all));
}

static void refuses_hex_that_is_too_short_or_none(void **state)
{
    unsigned char out[4] = {1, 2, 3, 4};

    (void)state;
    assert_false(text_unhex("0011", 3, out));
    assert_false(text_unhex("001", 2, out));
    assert_false(text_unhex("00AA", 2, out));
    assert_false(text_unhex("00zz", 2, out));
    assert_memory_equal(out, "\1\2\3\4", 4);
    assert_true(text_unhex("00ff77", 2, out));
    assert_memory_equal(out, "\0\377\3\4", 4);
}

static void decodes_percent_escapes_once(void **state)
{
    static const struct {
        const char *text;
        const char *decoded; /* NULL: refused */
    } rows[] = {
        {"", ""},
        {"/v2/a/blobs", "/v2/a/blobs"},
        {"a%2Fb%2fc", "a/b/c"},
        {"%25", "%"},
        {"%2525", "%25"},
        {"a+b", "a+b"},
        {"a%20b", "a b"},
        {"%C3%A4", "\xc3\xa4"},
        {"\xc3\xa4", "\xc3\xa4"},
        {"sha256%3Aab", "sha256:ab"},
        {"%", NULL},
        {"%2", NULL},
        {"a%", NULL},
        {"%zz", NULL},
        {"%2g", NULL},
        {"%g2", NULL},
        {"%-1", NULL},
        {"%00", NULL},
        {"%0A", NULL},
        {"%0d", NULL},
        {"%1f", NULL},
        {"%7F", NULL},
        {"a\nb", NULL},
        {"\x7f", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;
        bool good = text_percent_decode(rows[i].text, strlen(rows[i].text), &out);

        if (good != (rows[i].decoded != NULL)) {
            fail_msg("'%s' is %s", rows[i].text, good ? "taken" : "refused");
        }
        if (good) {
            assert_string_equal(out.data, rows[i].decoded);
        }
    }
}

static void does_not_look_behind_the_given_length(void **state)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    (void)state;
    assert_false(text_percent_decode("a%41", 3, &out));
    buffer_clear(&out);
    assert_true(text_percent_decode("a%41", 1, &out));
    assert_string_equal(out.data, "a");
}

static void encodes_what_is_not_plain(void **state)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    (void)state;
    text_percent_encode("aZ0-._~:/", &out);
    assert_string_equal(out.data, "aZ0-._~:/");
    buffer_clear(&out);
    text_percent_encode("a b%\r\n+?#&\"\xc3\xa4", &out);
    assert_string_equal(out.data, "a%20b%25%0D%0A%2B%3F%23%26%22%C3%A4");
}

static void steps_through_lists(void **state)
{
    static const struct {
        const char *text;
        const char *items; /* each in brackets */
    } rows[] = {
        {"", ""},       {",", ""},         {" \t", ""},
        {"a", "[a]"},   {"a,b", "[a][b]"}, {" a ,\tb c\t,, d", "[a][b c][d]"},
        {",a,", "[a]"}, {"a\n", "[a\n]"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUFFER struct buffer items = BUFFER_INIT;
        const char *cursor = rows[i].text;
        const char *item;
        size_t length;

        while (text_next_item(&cursor, ',', &item, &length)) {
            buffer_format(&items, "[%.*s]", (int)length, item);
        }
        assert_string_equal(items.data, rows[i].items);
    }
}

static void reads_amounts_with_a_unit(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;   /* -1: refused */
        int64_t seconds; /* -1: refused */
    } rows[] = {
        {"0", 0, 0},
        {"512", 512, 512},
        {"4K", 4096, -1},
        {"1M", 1048576, -1},
        {"2G", 2147483648, -1},
        {"1T", 1099511627776, -1},
        {"8388607T", 8388607LL << 40, -1},
        {"8388608T", -1, -1},
        {"9223372036854775807", INT64_MAX, INT64_MAX},
        {"9223372036854775807K", -1, -1},
        {"90s", -1, 90},
        {"15m", -1, 900},
        {"12h", -1, 43200},
        {"30d", -1, 2592000},
        {"106751991167300d", -1, 106751991167300LL * 86400},
        {"106751991167301d", -1, -1},
        {"", -1, -1},
        {"K", -1, -1},
        {"d", -1, -1},
        {"4k", -1, -1},
        {"1D", -1, -1},
        {"4KB", 4096, -1},
        {"4KiB", 4096, -1},
        {"4 K", 4096, -1},
        {"1 GiB", 1 << 30, -1},
        {"8388608TB", -1, -1},
        {"99999999999999999999999999999999999999999KB", -1, -1},
        {"4  K", -1, -1},
        {"4 ", -1, -1},
        {"4B", -1, -1},
        {"4KBB", -1, -1},
        {"4Kib", -1, -1},
        {" K", -1, -1},
        {"KiB", -1, -1},
        {"-1", -1, -1},
        {"1.5G", -1, -1},
        {"1KK", -1, -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t bytes = 42;
        uint64_t seconds = 42;
        bool is_bytes = text_bytes(rows[i].text, &bytes);
        bool is_seconds = text_seconds(rows[i].text, &seconds);

        if (is_bytes != (rows[i].bytes >= 0) || is_seconds != (rows[i].seconds >= 0)) {
            fail_msg("'%s' is %d and %d", rows[i].text, is_bytes, is_seconds);
        }
        assert_int_equal(bytes, is_bytes ? rows[i].bytes : 42);
        assert_int_equal(seconds, is_seconds ? rows[i].seconds : 42);
    }
}

static void tells_how_far_apart_words_are(void **state)
{
    static const struct {
        const char *one;
        const char *other;
        size_t distance;
    } rows[] = {
        {"", "", 0},
        {"", "abc", 3},
        {"read_only", "read_only", 0},
        {"read_onyl", "read_only", 1},
        {"readonly", "read_only", 1},
        {"red_only", "read_only", 1},
        {"read_onlx", "read_only", 1},
        {"ba", "ab", 1},
        {"kitten", "sitting", 3},
        {"0123456789012345678901234567890123456789012345678901234567890123", "", SIZE_MAX},
        {"012345678901234567890123456789012345678901234567890123456789012", "", 63},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(text_distance(rows[i].one, rows[i].other), rows[i].distance);
        assert_int_equal(text_distance(rows[i].other, rows[i].one), rows[i].distance);
    }
}

static void tells_amounts_to_people(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } rows[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {1536, "1.5 KiB"},
        {1048575, "1.0 MiB"},
        {1048576, "1.0 MiB"},
        {1073741824, "1.0 GiB"},
        {1099511627776, "1.0 TiB"},
        {UINT64_MAX, "16777216.0 TiB"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;

        text_add_bytes(rows[i].bytes, &out);
        assert_string_equal(out.data, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_numbers_up_to_the_largest_signed_one),
        cmocka_unit_test(reads_a_number_of_the_given_length_only),
        cmocka_unit_test(a_part_is_copied_only_if_it_fits),
        cmocka_unit_test(knows_how_a_text_begins),
        cmocka_unit_test(takes_lower_case_hex_only),
        cmocka_unit_test(hex_and_back_is_the_same),
        cmocka_unit_test(refuses_hex_that_is_too_short_or_none),
        cmocka_unit_test(decodes_percent_escapes_once),
        cmocka_unit_test(does_not_look_behind_the_given_length),
        cmocka_unit_test(encodes_what_is_not_plain),
        cmocka_unit_test(steps_through_lists),
        cmocka_unit_test(reads_amounts_with_a_unit),
        cmocka_unit_test(tells_how_far_apart_words_are),
        cmocka_unit_test(tells_amounts_to_people),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
