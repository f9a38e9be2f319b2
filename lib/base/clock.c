/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/clock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"

enum {
    SKEW = 5,    /* seconds by which hosts may differ */
    STEP = 3600, /* seconds by which a date that was set differs */
};

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

uint64_t clock_day(void)
{
    return (uint64_t)clock_date() / 86400;
}

int64_t clock_date_nanoseconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint64_t clock_age(time_t date)
{
    time_t now = clock_date();

    if (date <= now) {
        return (uint64_t)(now - (date > 0 ? date : 0));
    }
    return date - now <= SKEW ? 0 : UINT64_MAX;
}

time_t clock_date_ago(uint64_t age)
{
    return age < UINT64_MAX ? clock_date() - (time_t)age : 0;
}

bool clock_write(time_t date, char out[CLOCK_TEXT_SIZE])
{
    enum { YEARS_BEGIN = 1900, LAST_YEAR = 9999 };
    struct tm parts;

    out[0] = '\0';
    return date > 0 && gmtime_r(&date, &parts) && parts.tm_year <= LAST_YEAR - YEARS_BEGIN &&
           strftime(out, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) > 0;
}

const char *clock_boot(void)
{
    static char id[64];

    if (!id[0]) {
        AUTO_CLOSE int descriptor = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        ssize_t length = descriptor < 0 ? -1 : read(descriptor, id, sizeof(id) - 1);

        id[length > 0 ? length : 0] = '\0';
        id[strcspn(id, "\n")] = '\0';
    }
    return id;
}

/* Seconds since the machine was started, also those that it slept. */
static int64_t clock_uptime(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec;
}

struct clock_note clock_note_take(void)
{
    struct clock_note note;

    (void)snprintf(note.text, sizeof(note.text), "%" PRId64 " %" PRId64 " %s\n",
                   (int64_t)clock_date(), clock_uptime(), clock_boot());
    return note;
}

bool clock_note_contradicts(const char *text)
{
    size_t date_length = strcspn(text, " ");
    const char *uptime = text + date_length + (text[date_length] == ' ');
    size_t uptime_length = strcspn(uptime, " ");
    const char *boot = uptime + uptime_length + (uptime[uptime_length] == ' ');
    uint64_t date;
    uint64_t then;
    int64_t step;

    if (!*clock_boot() || strcspn(boot, "\n") != strlen(clock_boot()) ||
        !text_begins(boot, clock_boot()) || !text_number(text, date_length, &date) ||
        !text_number(uptime, uptime_length, &then)) {
        return false;
    }
    step = ((int64_t)clock_date() - (int64_t)date) - (clock_uptime() - (int64_t)then);
    return step > STEP || step < -STEP;
}

void clock_pause(int64_t milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    (void)nanosleep(&time, NULL);
}
