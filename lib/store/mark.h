/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_MARK_H
#define STORE_MARK_H

/*
 * A file that is there for its time: when something was last done that is to be done every so
 * often, by one of all workers on all hosts. Its time is the filesystem's, so that hosts need not
 * agree about it.
 */

#include <time.h>

#include "lib/base/file.h"

struct mark {
    time_t now;
    /* When it was done before; `now` if never, or if the clock has gone back since. */
    time_t before;
};

/*
 * Whether it was last done `interval` seconds ago or more, or never; then the next time counts from
 * now, whatever comes of it. Two that ask at the same moment may both be told so. 1, 0, -1.
 */
int mark_is_due(struct file_place place, uint64_t interval, struct mark *out_mark,
                struct error *error);

/* There is more to do: it is due again in so many seconds already. As well as it can be said. */
void mark_hasten(struct file_place place, const struct mark *mark, uint64_t interval,
                 uint64_t seconds);

#endif
