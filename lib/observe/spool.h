/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBSERVE_SPOOL_H
#define OBSERVE_SPOOL_H

/*
 * Events that receivers have not got yet: a file for each of them and each receiver, in the store,
 * shared by all processes and hosts.
 *
 * Its name tells the order (a number that grows, also when the clock goes back), whose repository
 * it is about, and the event's id. It is on disk when spool_add() returns, so that no event is lost
 * of what was acknowledged afterwards. It is removed when the receiver has it; that need not
 * survive a power cut, nor a kill between the two: then it is delivered once more, under the same
 * id.
 *
 * A file's time is when to try next: not before. So is that of a receiver's note, while it cannot
 * be reached at all; the note says why.
 *
 * Locking: whoever removes or postpones holds the receiver's lock (spool_lock()).
 */

#include "lib/base/names.h"
#include "lib/observe/event.h"
#include "lib/store/store.h"

/* What one receiver has. */
struct spool {
    struct store *store;
    const char *receiver; /* rules_name_is_valid() */
};

enum spool_place {
    SPOOL_WAITING,
    SPOOL_FAILED, /* given up; kept for who asks for them, see spool_return() */
};

/* What a name tells. */
struct spool_entry {
    char name[96];
    uint64_t number; /* about nanoseconds since the epoch */
    char key[17];    /* the same for events of the same repository */
    char id[ID_SIZE];
};
bool spool_entry_parse(const char *name, struct spool_entry *out);

/* A number for an event: greater than all that were given out before; the date, where that cannot
 * be known, since somebody does not let go of it, or the disk fails. Waits a second at most, and
 * not again as long as that lasts. */
uint64_t spool_number(struct store *store);

/*
 * More than these wait for nobody: what comes then is not kept. To know takes a look at all of
 * them, so a process that has looked adds a share of what there was room for before it looks again:
 * a few more may wait where others have added meanwhile.
 */
enum { SPOOL_LIMIT = 10000, SPOOL_SHARE = 64 };

/* Durable once `syncs` is flushed, unless that is a set without a root. 1; 0 if too many wait
 * already; -1. */
int spool_add(const struct spool *spool, const struct event *event, uint64_t number,
              struct sync_set *syncs, struct error *error);

/* Names, in their order; what is no event's name is left out. */
int spool_list(const struct spool *spool, enum spool_place place, struct names *out,
               struct error *error);
/* All receivers that have, or had, anything. */
int spool_list_receivers(struct store *store, struct names *out, struct error *error);

/* 1; 0 if there is no such file any more, or it is no event; -1. */
int spool_read(const struct spool *spool, enum spool_place place, const char *name,
               struct event *out, struct error *error);

/* All are 1, 0 if there is no such file any more, or -1. */
int spool_remove(const struct spool *spool, enum spool_place place, const char *name,
                 struct error *error);
int spool_give_up(const struct spool *spool, const char *name, struct error *error);
/* To be tried at once, in the order that it had. */
int spool_return(const struct spool *spool, const char *name, struct error *error);

/* Seconds since an event happened; UINT64_MAX if the clock was set meanwhile. */
uint64_t spool_age(const struct spool_entry *entry);

/* When it is to be tried, in seconds from now on: 0 is now. */
uint64_t spool_delay(const struct spool *spool, const char *name);
void spool_postpone(const struct spool *spool, const char *name, uint64_t seconds);

/* The same for the receiver as a whole. Without a note it can be reached, as far as is known. */
uint64_t spool_receiver_delay(const struct spool *spool);
void spool_note(const struct spool *spool, const char *why, uint64_t seconds);
/* Whether there was a note. */
bool spool_forget_note(const struct spool *spool);
bool spool_read_note(const struct spool *spool, struct buffer *out_why);

/* Of who delivers to this receiver: nobody waits for him. */
enum lock_result spool_lock(const struct spool *spool, struct lock *out, struct error *error);
/* For who wants something else with it, and waits: for two minutes at most, since whoever delivers
 * may be stopped. */
int spool_await_lock(const struct spool *spool, struct lock *out, struct error *error);

#endif
