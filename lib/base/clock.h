/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/* Time that passes, for measuring and waiting: it never goes back, and says nothing of the date. */

#include <stdint.h>

int64_t clock_milliseconds(void);

/* Sleeps; a signal ends it early. */
void clock_pause(int64_t milliseconds);

#endif
