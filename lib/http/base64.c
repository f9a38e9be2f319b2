/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/base64.h"

#include <stdint.h>
#include <string.h>

static const char *const base64_digits[] = {
    [BASE64_PADDED] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    [BASE64_URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

void base64_encode(const void *bytes, size_t length, struct buffer *out)
{
    base64_encode_as(BASE64_PADDED, bytes, length, out);
}

void base64_encode_as(enum base64_form form, const void *bytes, size_t length, struct buffer *out)
{
    const unsigned char *in = bytes;

    for (size_t i = 0; i < length; i += 3) {
        unsigned bits = 0;

        for (size_t j = 0; j < 3; j++) {
            bits = bits << 8 | (i + j < length ? in[i + j] : 0);
        }
        for (size_t j = 0; j < 4; j++) {
            if (i + j <= length) {
                buffer_add(out, &base64_digits[form][bits >> (18 - 6 * j) & 63], 1);
            } else if (form == BASE64_PADDED) {
                buffer_add(out, "=", 1);
            }
        }
    }
}

/* Its digits without the padding; SIZE_MAX if that is not as it has to be. */
static size_t base64_length(enum base64_form form, const char *text, size_t length)
{
    if (form == BASE64_PADDED) {
        if (length % 4 != 0) {
            return SIZE_MAX;
        }
        if (length > 0 && text[length - 1] == '=') {
            length -= text[length - 2] == '=' ? 2 : 1;
        }
    }
    return length % 4 == 1 ? SIZE_MAX : length;
}

/* How many bytes the digits stand for; SIZE_MAX if they are none. `out` takes three for each four
 * digits that were begun. */
static size_t base64_read(enum base64_form form, const char *text, size_t digits, char *out)
{
    uint32_t bits = 0;
    size_t written = 0;

    for (size_t i = 0; i < digits; i++) {
        const char *digit = text[i] ? strchr(base64_digits[form], text[i]) : NULL;

        if (!digit) {
            return SIZE_MAX;
        }
        bits = bits << 6 | (uint32_t)(digit - base64_digits[form]);
        if (i % 4 != 0) {
            out[written++] = (char)(bits >> (6 - 2 * (i % 4)) & 0xff);
        }
    }
    /* What the last digit says beyond the last byte. */
    if ((digits % 4 == 2 && (bits & 15)) || (digits % 4 == 3 && (bits & 3))) {
        return SIZE_MAX;
    }
    return written;
}

bool base64_decode(enum base64_form form, const char *text, size_t length, struct buffer *out)
{
    size_t digits = base64_length(form, text, length);
    size_t written;
    char *bytes;

    if (digits == SIZE_MAX) {
        return false;
    }
    bytes = buffer_reserve(out, digits / 4 * 3 + 3);
    written = base64_read(form, text, digits, bytes);
    if (written == SIZE_MAX) {
        *bytes = '\0';
        return false;
    }
    buffer_added(out, written);
    return true;
}
