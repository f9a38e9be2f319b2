/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/clock.h"

enum { SKEW = 5 }; /* seconds by which hosts may differ */

int64_t clock_milliseconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

time_t clock_date(void)
{
    return time(NULL);
}

uint64_t clock_age(time_t date)
{
    time_t now = clock_date();

    if (date <= now) {
        return (uint64_t)(now - date);
    }
    return date - now <= SKEW ? 0 : UINT64_MAX;
}

void clock_pause(int64_t milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    (void)nanosleep(&time, NULL);
}
