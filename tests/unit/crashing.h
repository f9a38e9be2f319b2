/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_CRASHING_H
#define UNIT_CRASHING_H

/*
 * A process that ends between any two calls that change the disk, and one whose calls fail. Either
 * way the store has no problems afterwards, and what was there before is there still, or is as the
 * operation wanted it: nothing in between. Done again, the operation does what is left.
 */

#include "tests/unit/test.h"

struct crashing {
    const char *name;
    void (*prepare)(struct fixture *fixture); /* or NULL */
    int (*run)(struct fixture *fixture);      /* less than 0: failed */
    /* What a client may see: 0 the old state, 1 the new one, -1 something else. */
    int (*state_of)(struct fixture *fixture);
    bool is_repair; /* there are problems until it is done */
    /* Whether something is left that nobody needs; looked for when it was done again. NULL: that is
     * another's. */
    bool (*has_remains)(struct fixture *fixture);
};

/* All of them, each in a new store for each call: the call fails with `number`; 0: the process ends
 * there. `error` is where they leave why they failed. */
void crash_everywhere(const struct crashing *operations, size_t count, int number,
                      const struct error *error);

#endif
