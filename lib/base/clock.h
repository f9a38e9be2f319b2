/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/*
 * Two clocks. One is for measuring and waiting: it never goes back, and says nothing of the date.
 * The other is the date, which files and memos have: it may be set, by a year either way. Nobody
 * else asks the system for it, so that nobody computes an age that such a step makes negative.
 */

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

int64_t clock_milliseconds(void);

/* The date, in seconds since the epoch. */
time_t clock_date(void);

/* The day, in days since the epoch, by UTC. */
uint64_t clock_day(void);

/* The same in nanoseconds, for who compares it with what a filesystem has noted. */
int64_t clock_date_nanoseconds(void);

/*
 * Seconds since a date. UINT64_MAX, "very old", if it is ahead of us: what was remembered then is
 * not to be believed until the clock comes there again. Some seconds ahead are another host's, or
 * a file server's, idea of now: 0. What says that it is from before the epoch is as old as that.
 */
uint64_t clock_age(time_t date);

/* The other way round. 0, which is no date, for UINT64_MAX. */
time_t clock_date_ago(uint64_t age);

/*
 * A date for people and machines: "2026-01-31T10:15:30Z". False, and "", for what is none: files,
 * and what is written in them, say anything, and only from the first second of 1970 to the year
 * 9999 it is a date that others can read.
 */
enum { CLOCK_TEXT_SIZE = 32 };
bool clock_write(time_t date, char out[CLOCK_TEXT_SIZE]);

/*
 * Whether the date was set since a note was taken: on the same boot of the same machine, the date
 * has to have gone on as far as the clock that nobody sets. False where that cannot be told.
 */
enum { CLOCK_NOTE_SIZE = 128 };
struct clock_note {
    char text[CLOCK_NOTE_SIZE]; /* a line */
};
struct clock_note clock_note_take(void);
bool clock_note_contradicts(const char *text);

/* Which boot of which machine this is; "" if unknown. */
const char *clock_boot(void);

/* Sleeps; a signal ends it early. */
void clock_pause(int64_t milliseconds);

#endif
