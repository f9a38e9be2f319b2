/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool text_number(const char *text, size_t length, uint64_t *out_number)
{
    uint64_t number = 0;

    if (length == 0) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';

        if (digit > 9 || number > ((uint64_t)INT64_MAX - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    *out_number = number;
    return true;
}

bool text_begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static int hex_value(char character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

bool text_copy(char *out, size_t size, const char *part, size_t length)
{
    if (length >= size) {
        return false;
    }
    memmove(out, part, length);
    out[length] = '\0';
    return true;
}

bool text_is_hex(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (hex_value(text[i]) < 0) {
            return false;
        }
    }
    return true;
}

void text_hex(const unsigned char *bytes, size_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < length; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * length] = '\0';
}

bool text_unhex(const char *hex, size_t length, unsigned char *out)
{
    if (strnlen(hex, 2 * length) < 2 * length || !text_is_hex(hex, 2 * length)) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        out[i] = (unsigned char)(hex_value(hex[2 * i]) * 16 + hex_value(hex[2 * i + 1]));
    }
    return true;
}

/* Either case: this is the URL's hexadecimal, not a digest's. */
static int escape_value(char character)
{
    if (character >= 'A' && character <= 'F') {
        return character - 'A' + 10;
    }
    return hex_value(character);
}

/* What stands behind a '%', or -1. */
static int escape_read(const char *digits, size_t length)
{
    int high = length < 2 ? -1 : escape_value(digits[0]);
    int low = high < 0 ? -1 : escape_value(digits[1]);

    return low < 0 ? -1 : high * 16 + low;
}

bool text_percent_decode(const char *text, size_t length, struct buffer *out)
{
    char *to = buffer_reserve(out, length);
    size_t decoded = 0;
    bool is_good = true;

    for (size_t i = 0; i < length && is_good; i++) {
        int byte = (unsigned char)text[i];

        if (byte == '%') {
            byte = escape_read(text + i + 1, length - i - 1);
            i += 2;
        }
        is_good = byte >= 0x20 && byte != 0x7f;
        if (is_good) {
            to[decoded++] = (char)byte;
        }
    }
    buffer_added(out, decoded);
    return is_good;
}

void text_percent_encode(const char *text, struct buffer *out)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/";

    while (*text) {
        size_t length = strspn(text, plain);

        buffer_add(out, text, length);
        text += length;
        if (*text) {
            buffer_format(out, "%%%02X", (unsigned)(unsigned char)*text++);
        }
    }
}

static bool is_blank(char character)
{
    return character == ' ' || character == '\t';
}

bool text_next_item(const char **cursor, char separator, const char **out_item, size_t *out_length)
{
    while (**cursor) {
        const char *begin = *cursor;
        const char *end = strchr(begin, separator);

        if (end) {
            *cursor = end + 1;
        } else {
            end = begin + strlen(begin);
            *cursor = end;
        }
        while (begin < end && is_blank(*begin)) {
            begin++;
        }
        while (end > begin && is_blank(end[-1])) {
            end--;
        }
        if (end > begin) {
            *out_item = begin;
            *out_length = (size_t)(end - begin);
            return true;
        }
    }
    return false;
}

/* A number and at most one letter behind it; `factors` belongs to `letters` by position. */
static bool text_amount(const char *text, size_t length, const char *letters,
                        const uint64_t *factors, uint64_t *out_amount)
{
    const char *letter = length > 0 ? strchr(letters, text[length - 1]) : NULL;
    uint64_t factor = letter ? factors[letter - letters] : 1;
    uint64_t number;

    if (!text_number(text, letter ? length - 1 : length, &number) ||
        number > (uint64_t)INT64_MAX / factor) {
        return false;
    }
    *out_amount = number * factor;
    return true;
}

bool text_bytes(const char *text, uint64_t *out_bytes)
{
    static const uint64_t factors[] = {1024, 1024ULL << 10, 1024ULL << 20, 1024ULL << 30};
    static const char letters[] = "KMGT";
    char plain[32];
    size_t digits = strspn(text, "0123456789");
    const char *unit = text + digits + (digits > 0 && text[digits] == ' ');

    if (!*unit) {
        return text_amount(text, strlen(text), letters, factors, out_bytes);
    }
    if (strcmp(unit + 1, "") != 0 && strcmp(unit + 1, "B") != 0 && strcmp(unit + 1, "iB") != 0) {
        return false;
    }
    return snprintf(plain, sizeof(plain), "%.*s%c", (int)digits, text, *unit) <
               (int)sizeof(plain) &&
           text_amount(plain, strlen(plain), letters, factors, out_bytes);
}

void text_add_bytes(uint64_t bytes, struct buffer *out)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double amount = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 1024) {
        buffer_format(out, "%u B", (unsigned)bytes);
        return;
    }
    for (; amount >= 1023.95 && unit < 3; unit++) {
        amount /= 1024;
    }
    buffer_format(out, "%.1f %s", amount, units[unit]);
}

void text_add_seconds(uint64_t seconds, struct buffer *out)
{
    static const struct {
        uint64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t i = 0;

    while (i + 1 < sizeof(units) / sizeof(*units) && seconds < 2 * units[i].seconds) {
        i++;
    }
    buffer_format(out, "%" PRIu64 " %s", seconds / units[i].seconds, units[i].name);
}

bool text_seconds(const char *text, uint64_t *out_seconds)
{
    static const uint64_t factors[] = {1, 60, 3600, 86400};

    return text_amount(text, strlen(text), "smhd", factors, out_seconds);
}

static size_t least(size_t one, size_t other)
{
    return one < other ? one : other;
}

size_t text_distance(const char *one, const char *other)
{
    enum { WORD = 64 };
    size_t rows[3][WORD] = {{0}}; /* of the matrix of distances: this one, the last, that before */
    size_t one_length = strlen(one);
    size_t length = strlen(other);

    if (one_length >= WORD || length >= WORD) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= length; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= one_length; i++) {
        memcpy(rows[2], rows[1], sizeof(rows[2]));
        memcpy(rows[1], rows[0], sizeof(rows[1]));
        rows[0][0] = i;
        for (size_t j = 1; j <= length; j++) {
            rows[0][j] = least(least(rows[1][j], rows[0][j - 1]) + 1,
                               rows[1][j - 1] + (one[i - 1] != other[j - 1]));
            if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1]) {
                rows[0][j] = least(rows[0][j], rows[2][j - 2] + 1);
            }
        }
    }
    return rows[0][length];
}
