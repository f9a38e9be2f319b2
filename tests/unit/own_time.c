/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/own_time.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SECOND = 1000, MILLISECOND = 1000000, BILLION = 1000000000 };

static struct {
    bool on;
    int64_t slept; /* milliseconds */
    void (*meanwhile)(void *context);
    void *context;
} own_time;

void own_time_begin(void (*meanwhile)(void *context), void *context)
{
    own_time.on = true;
    own_time.slept = 0;
    own_time.meanwhile = meanwhile;
    own_time.context = context;
}

void own_time_end(void)
{
    own_time.on = false;
}

int64_t own_time_slept(void)
{
    return own_time.slept;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int result = (int)syscall(SYS_clock_gettime, clock, out);

    if (own_time.on && result == 0 && clock == CLOCK_MONOTONIC) {
        out->tv_nsec += own_time.slept % SECOND * MILLISECOND;
        out->tv_sec += own_time.slept / SECOND + out->tv_nsec / BILLION;
        out->tv_nsec %= BILLION;
    }
    return result;
}

int nanosleep(const struct timespec *time, struct timespec *rest)
{
    if (!own_time.on) {
        return (int)syscall(SYS_nanosleep, time, rest);
    }
    own_time.slept += (int64_t)time->tv_sec * SECOND + time->tv_nsec / MILLISECOND;
    if (own_time.meanwhile) {
        own_time.meanwhile(own_time.context);
    }
    return 0;
}
