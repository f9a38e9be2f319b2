/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PACE_H
#define BASE_PACE_H

/*
 * So many bytes a second, and no more: who has moved some asks how long to wait before the next.
 * What was not used while he did something else is lost, but for a part of a second.
 */

#include <stdint.h>

struct pace {
    uint64_t rate; /* bytes a second; 0: any */
    int64_t due;   /* microseconds: when all that was moved may have been moved */
};

/* Bytes were moved, and it is so many milliseconds by clock_milliseconds(). Returns how many to
 * wait; 0: none. */
int64_t pace_moved(struct pace *pace, uint64_t bytes, int64_t now);

#endif
