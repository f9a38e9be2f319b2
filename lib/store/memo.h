/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_MEMO_H
#define STORE_MEMO_H

/*
 * Small things that all workers, on all hosts, know together and that may be lost: tokens, an
 * upstream's trouble, answers that are good for a minute. A memo is a file that is replaced at
 * once, readable by its owner only, and not synced.
 */

#include <stdint.h>

#include "lib/store/store.h"

enum { MEMO_LIMIT = 8 * 1024 * 1024 }; /* bytes */

/* 1 and how many seconds ago it was written, as clock_age() says it; 0 if there is none; -1. */
int memo_read(struct file_place place, struct buffer *out, uint64_t *out_age, struct error *error);

int memo_write(struct store *store, struct file_place place, const struct buffer *content,
               struct error *error);

/* Makes one whose name says it all, unless there is one: it may be empty after a crash. */
int memo_note(struct file_place place, const struct buffer *content, struct error *error);

/*
 * A memo in a file that stays where it is, as one that is locked: only whoever has the lock writes
 * it. What is torn, because it is read meanwhile or a crash came in between, is as if it were not
 * there. memo_read_sealed(): 1, 0, -1.
 */
int memo_write_sealed(struct file_place place, const struct buffer *content, struct error *error);
int memo_read_sealed(struct file_place place, struct buffer *out, struct error *error);

void memo_forget(struct file_place place);

/* Copies the n-th line; "" if there are fewer. */
void memo_line(const struct buffer *memo, unsigned n, struct buffer *out);
/* The n-th line as a number; false if it is none. */
bool memo_number(const struct buffer *memo, unsigned n, uint64_t *out_number);

#endif
