/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/count/presence.h"

#include <signal.h>
#include <unistd.h>

#include "lib/observe/count/counters.h"

enum {
    KIND_BITS = 3, /* of an entry, below the process's number */
    TRIES = 256,   /* entries that are looked at for one that is free */
};

static struct {
    pid_t process; /* 0: this one is not to be seen */
    size_t place;
    bool has_place;
} presence_own;

static uint64_t entry_make(pid_t process, enum presence presence)
{
    return (uint64_t)process << KIND_BITS | presence;
}

static pid_t entry_process(uint64_t entry)
{
    return (pid_t)(entry >> KIND_BITS);
}

static size_t entry_presence(uint64_t entry)
{
    return entry & ((1U << KIND_BITS) - 1);
}

/* What is another user's process by now is none of ours. */
static bool entry_lives(uint64_t entry)
{
    return entry != 0 && kill(entry_process(entry), 0) == 0;
}

void presence_enter(enum presence presence)
{
    counter *entries = counters_tally()->presences;
    pid_t process = getpid();

    presence_own.has_place = false;
    presence_own.process = process;
    for (size_t i = 0; i < TRIES && !presence_own.has_place; i++) {
        size_t place = ((size_t)process + i) % COUNTED_PRESENCES;
        uint64_t there = atomic_load(&entries[place]);

        if (entry_process(there) == process || !entry_lives(there)) {
            presence_own.place = place;
            presence_own.has_place = atomic_compare_exchange_strong(&entries[place], &there,
                                                                    entry_make(process, presence));
        }
    }
}

/* Our entry; NULL if there is none, or another file has taken the place of the one that it is in.
 */
static counter *presence_entry(void)
{
    counter *entry = &counters_tally()->presences[presence_own.place];

    return presence_own.has_place && entry_process(*entry) == presence_own.process ? entry : NULL;
}

void presence_change(enum presence presence)
{
    counter *entry = presence_entry();

    if (entry) {
        atomic_store_explicit(entry, entry_make(presence_own.process, presence),
                              memory_order_relaxed);
    } else if (presence_own.process != 0) {
        presence_enter(presence);
    }
}

void presence_leave(void)
{
    counter *entry = presence_entry();

    if (entry) {
        atomic_store(entry, 0);
    }
    presence_own.process = 0;
    presence_own.has_place = false;
}

bool presence_is_any(enum presence presence)
{
    counter *entries = counters_tally()->presences;

    for (size_t i = 0; i < COUNTED_PRESENCES; i++) {
        uint64_t entry = atomic_load_explicit(&entries[i], memory_order_relaxed);

        if (entry_presence(entry) == presence && entry_lives(entry)) {
            return true;
        }
    }
    return false;
}

void presence_count(size_t out[PRESENCE_COUNT])
{
    counter *entries = counters_tally()->presences;

    for (size_t i = 0; i < PRESENCE_COUNT; i++) {
        out[i] = 0;
    }
    for (size_t i = 0; i < COUNTED_PRESENCES; i++) {
        uint64_t entry = atomic_load_explicit(&entries[i], memory_order_relaxed);
        size_t kind = entry_presence(entry);

        if (kind < PRESENCE_COUNT && entry_lives(entry)) {
            out[kind]++;
        }
    }
}
