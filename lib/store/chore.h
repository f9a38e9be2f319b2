/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_CHORE_H
#define STORE_CHORE_H

/*
 * What is to be done to a store from time to time, and what became of it the last time: a memo, for
 * who asks later, and on whichever host. chore_begin(), chore_go_on() now and then, chore_end().
 * Who was killed has left a chore that is under way, but nobody who goes on with it.
 *
 * Where nothing can be written, nothing is remembered.
 */

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "lib/store/store.h"

enum chore_kind {
    CHORE_COLLECT,
    CHORE_CHECK,
};

enum chore_outcome {
    CHORE_UNDER_WAY,
    CHORE_DONE,
    CHORE_STOPPED, /* by a signal */
    CHORE_FAILED,
    CHORE_LOST, /* said of one that nobody goes on with */
};

struct chore {
    enum chore_kind kind;
    enum chore_outcome outcome;
    uint64_t problems;
    time_t began;
    int64_t told; /* milliseconds: when it was last written that it goes on */
};

void chore_begin(struct chore *chore, enum chore_kind kind, struct store *store);
void chore_go_on(struct chore *chore, struct store *store);
void chore_end(struct chore *chore, struct store *store, enum chore_outcome outcome,
               uint64_t problems);

/* 1, with how many seconds it took and how many ago it ended (if it has not: how many it goes on);
 * 0 if it was never done; -1. */
struct chore_past {
    enum chore_outcome outcome;
    uint64_t problems;
    uint64_t seconds;
    uint64_t ago;
};
int chore_read(const struct store *store, enum chore_kind kind, struct chore_past *out,
               struct error *error);

/* "done", "stopped", …: a word for machines, too. */
const char *chore_outcome_name(enum chore_outcome outcome);

#endif
