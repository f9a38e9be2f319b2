/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/pace.h"

enum {
    MILLI = 1000,
    MICRO = 1000000,
    CREDIT = 200000, /* microseconds that may be made up for */
};

int64_t pace_moved(struct pace *pace, uint64_t bytes, int64_t now)
{
    int64_t wait;

    if (pace->rate == 0) {
        return 0;
    }
    if (pace->due < now * MILLI - CREDIT) {
        pace->due = now * MILLI - CREDIT;
    }
    pace->due += (int64_t)((double)bytes * MICRO / (double)pace->rate);
    wait = pace->due / MILLI - now;
    return wait > 0 ? wait : 0;
}
