/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_BASE64_H
#define HTTP_BASE64_H

/*
 * Base 64 (RFC 4648): with padding (section 4), as Basic credentials have it (RFC 7617), and
 * without it in the alphabet for URLs (section 5), as tokens have it. Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buffer.h"

enum base64_form {
    BASE64_PADDED, /* "+/", and "=" at the end */
    BASE64_URL,    /* "-_", no padding */
};

/* Adds the encoded form to `out`. */
void base64_encode(const void *bytes, size_t length, struct buffer *out);
void base64_encode_as(enum base64_form form, const void *bytes, size_t length, struct buffer *out);

/*
 * Adds what the text stands for. Strict: what two texts would stand for is refused, as is white
 * space; false, with `out` as it was. The memory of `out` moves once at most, before anything is
 * written: no copy of a secret stays behind.
 */
bool base64_decode(enum base64_form form, const char *text, size_t length, struct buffer *out);

#endif
