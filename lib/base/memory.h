/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

/*
 * Allocation that does not fail: when memory is out, the process says so and aborts, and the pool
 * starts another worker. That is sound only because every size that a client controls has a cap
 * which is checked before anything is allocated. Free with free() or AUTO_FREE.
 */

#include <stddef.h>

void *memory_allocate(size_t count, size_t size) /* zeroed */
    __attribute__((returns_nonnull, malloc, alloc_size(1, 2)));
/* For bytes that are read into it: not zeroed. */
void *memory_reserve(size_t size) __attribute__((returns_nonnull, malloc, alloc_size(1)));
void *memory_resize(void *old, size_t count, size_t size) __attribute__((returns_nonnull));
char *memory_text(const char *text) __attribute__((returns_nonnull, malloc));

/*
 * For a process of which there are many and that stays: gives what was large back to the system as
 * soon as it is free. malloc would keep the largest it has ever had, and grow what it takes for
 * large.
 */
void memory_stay_small(void);

#endif
