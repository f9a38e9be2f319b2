/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>

#include "lib/base/text.h"

static bool has_control(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static void check_percent(const char *text)
{
    AUTO_BUFFER struct buffer decoded = BUFFER_INIT;
    AUTO_BUFFER struct buffer encoded = BUFFER_INIT;
    AUTO_BUFFER struct buffer again = BUFFER_INIT;

    if (text_percent_decode(text, strlen(text), &decoded)) {
        CHECK(!has_control(decoded.data, decoded.length));
        CHECK(strlen(decoded.data) == decoded.length);
        CHECK(strchr(text, '%') || strcmp(decoded.data, text) == 0);
    }
    text_percent_encode(text, &encoded);
    CHECK(!strpbrk(encoded.data, " \r\n\t\"?#&<>\\"));
    CHECK(!has_control(encoded.data, encoded.length));
    CHECK(text_percent_decode(encoded.data, encoded.length, &again) ==
          !has_control(text, strlen(text)));
    CHECK(has_control(text, strlen(text)) || strcmp(again.data, text) == 0);
}

static void check_items(const char *text)
{
    const char *cursor = text;
    const char *behind = text;
    const char *item;
    size_t length;

    while (text_next_item(&cursor, ',', &item, &length)) {
        CHECK(item >= behind && length > 0 && item + length <= text + strlen(text));
        CHECK(!memchr(item, ',', length));
        CHECK(!strchr(" \t", item[0]) && !strchr(" \t", item[length - 1]));
        for (; behind < item; behind++) {
            CHECK(strchr(" \t,", *behind));
        }
        behind = item + length;
        CHECK(cursor >= behind);
    }
    CHECK(strspn(behind, " \t,") == strlen(behind));
}

static void check_numbers(const char *text)
{
    uint64_t number = 42;
    uint64_t bytes = 42;
    uint64_t seconds = 42;
    bool digits = *text && strspn(text, "0123456789") == strlen(text);
    unsigned long long expected;

    errno = 0;
    expected = digits ? strtoull(text, NULL, 10) : 0;
    digits = digits && errno == 0 && expected <= INT64_MAX;
    CHECK(text_number(text, strlen(text), &number) == digits);
    CHECK(number == (digits ? expected : 42));
    CHECK(!text_bytes(text, &bytes) ? bytes == 42 : bytes <= INT64_MAX);
    CHECK(!text_seconds(text, &seconds) ? seconds == 42 : seconds <= INT64_MAX);
    CHECK(!digits || (bytes == number && seconds == number));
}

static void check_hex(const uint8_t *data, size_t size)
{
    char *hex = malloc(2 * size + 1);
    unsigned char *back = malloc(size + 1);

    CHECK(hex && back);
    text_hex(data, size, hex);
    CHECK(strlen(hex) == 2 * size && text_is_hex(hex, 2 * size));
    CHECK(text_unhex(hex, size, back) && memcmp(back, data, size) == 0);
    CHECK(!text_unhex(hex, size + 1, back));
    free(back);
    free(hex);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    text = copy_text(data, size);
    check_percent(text);
    check_items(text);
    check_numbers(text);
    if (size > 0) {
        check_hex(data, size);
    }
    free(text);
    return 0;
}
