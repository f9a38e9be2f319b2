/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_OWN_TIME_H
#define UNIT_OWN_TIME_H

/*
 * A process's own time, which goes by only as it sleeps, and then at once: who is to wait for a
 * minute has waited. The calls are defined here in place of the C library's, as in trace.h; dates
 * stay what they are.
 */

#include <stdint.h>

/* From now on; `meanwhile`, or NULL, is called whenever somebody sleeps. */
void own_time_begin(void (*meanwhile)(void *context), void *context);
void own_time_end(void);

/* Milliseconds that have gone by since it began, of sleep alone. */
int64_t own_time_slept(void);

#endif
