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

void memo_forget(struct file_place place);

/* Copies the n-th line; "" if there are fewer. */
void memo_line(const struct buffer *memo, unsigned n, struct buffer *out);
/* The n-th line as a number; false if it is none. */
bool memo_number(const struct buffer *memo, unsigned n, uint64_t *out_number);

#endif
