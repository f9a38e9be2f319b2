/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_FILL_SUCCESSOR_H
#define PROXY_FILL_SUCCESSOR_H

/*
 * Another file with the same blob, for a reader (lib/proxy/fill/fill) whose own comes to nothing:
 * the blob itself, if another fetch has brought it meanwhile, or what a filler writes that had to
 * start over. It takes the place of his file only if it begins with the same bytes, or he has read
 * none: then what he has read, and what follows, are together what its digest says.
 */

#include "lib/proxy/fill/partial.h"

enum successor {
    SUCCESSOR_NONE,  /* there is none, or not yet */
    SUCCESSOR_OTHER, /* its length, or what is in front of `offset`, is another */
    SUCCESSOR_TAKEN, /* it is open as `descriptor` now */
};

/* What a reader has: `descriptor`, of which he has read what is in front of `offset`, or nothing,
 * who wants a part that begins there; and the length of the whole that he was told. */
struct successor_reader {
    int descriptor;
    uint64_t offset;
    uint64_t size;
};

/* The blob: all of it, and its digest is right. What is not believed is read for that. */
enum successor successor_take_blob(const struct fill *fill, const struct successor_reader *reader);

/* What is fetched now, if this repository may have it, and once it has more than the reader. */
enum successor successor_take_data(const struct fill *fill, const struct successor_reader *reader);

#endif
