/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/oci/version.h"

#include <stddef.h>
#include <string.h>

#define DIGITS "0123456789"

/* Of two numbers, however long, of which as many bytes are digits. */
static int version_compare_numbers(const char *one, size_t length, const char *other,
                                   size_t other_length)
{
    while (length > 0 && *one == '0') {
        one++;
        length--;
    }
    while (other_length > 0 && *other == '0') {
        other++;
        other_length--;
    }
    if (length != other_length) {
        return length < other_length ? -1 : 1;
    }
    return memcmp(one, other, length);
}

/* The end comes behind '-' and before everything else. */
static int version_rank(char c)
{
    return c == '-' ? 0 : c == '\0' ? 1 : (unsigned char)c + 1;
}

int version_compare(const char *one, const char *other)
{
    const char *begin = one;
    const char *other_begin = other;

    while (*one && *other) {
        size_t length = strspn(one, DIGITS);
        size_t other_length = strspn(other, DIGITS);
        int order = 0;

        if (length > 0 && other_length > 0) {
            order = version_compare_numbers(one, length, other, other_length);
        } else {
            order = version_rank(*one) - version_rank(*other);
            length = other_length = 1;
        }
        if (order != 0) {
            return order;
        }
        one += length;
        other += other_length;
    }
    if (*one || *other) {
        return version_rank(*one) - version_rank(*other);
    }
    return strcmp(begin, other_begin); /* 1 and 01 */
}
