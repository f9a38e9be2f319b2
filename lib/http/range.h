/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

/* The byte ranges of requests: Range for downloads, Content-Range for chunks on the way in. */

#include <stdbool.h>
#include <stdint.h>

struct range {
    uint64_t first; /* bytes from the start */
    uint64_t last;  /* inclusive, as on the wire */
};

enum range_answer {
    RANGE_WHOLE,         /* no range, or one that RFC 9110 lets us ignore: several, malformed */
    RANGE_PART,          /* 206 */
    RANGE_UNSATISFIABLE, /* 416 */
};

/* `header` may be NULL; `size` is that of the whole, in bytes. Sets *out only for RANGE_PART. */
enum range_answer range_parse(const char *header, uint64_t size, struct range *out);

/*
 * "0-1023" (distribution-spec, "Pushing a blob in chunks"). The form of HTTP, "bytes 0-1023/2048",
 * is understood as well.
 */
bool content_range_parse(const char *header, struct range *out);

#endif
