/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_BASE64_H
#define HTTP_BASE64_H

/* Base 64 with padding (RFC 4648, 4), as Basic credentials have it (RFC 7617). Pure. */

#include <stddef.h>

#include "lib/base/buffer.h"

/* Adds the encoded form to `out`. */
void base64_encode(const void *bytes, size_t length, struct buffer *out);

#endif
