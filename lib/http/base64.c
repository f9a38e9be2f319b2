/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/base64.h"

#include <stdbool.h>

void base64_encode(const void *bytes, size_t length, struct buffer *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = bytes;

    for (size_t i = 0; i < length; i += 3) {
        unsigned bits = 0;

        for (size_t j = 0; j < 3; j++) {
            bits = bits << 8 | (i + j < length ? in[i + j] : 0);
        }
        for (size_t j = 0; j < 4; j++) {
            bool padding = i + j > length;

            buffer_add(out, padding ? "=" : &digits[bits >> (18 - 6 * j) & 63], 1);
        }
    }
}
