/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_TRACE_H
#define UNIT_TRACE_H

/*
 * The calls by which a process changes a disk (fsync, renameat, linkat, mkdirat, unlinkat, pwrite,
 * ftruncate), and if asked those by which it looks (openat, fstatat), seen on their way to the
 * kernel: what they were, in which order, and what happens when one of them fails or is the last
 * that the process gets to. The calls are defined here in place of the C library's, so that nothing
 * in the library under test has to know. Between trace_begin() and trace_end() they are recorded.
 */

#include <stdbool.h>
#include <stddef.h>

/* Both begin anew. */
void trace_begin(void);
/* The n-th call from now on, from 0, fails with this errno; with 0 the process ends before it. */
void trace_begin_with_fault(size_t n, int number);
/* Only calls of this name count for the fault; of fchmod and pread, which are recorded
 * only then, too. */
void trace_fault_only(const char *name);
/* And so do all after it. */
void trace_fault_lasts(void);
/* Records openat, fstatat and fchmodat as well, until the next trace_begin(). */
void trace_looks(void);
/* Called before each recorded call, with its line; what it does itself is not recorded. */
void trace_hook(void (*hook)(void *context, const char *line), void *context);
/* Lets the calls alone again. Returns whether the fault was reached. */
bool trace_end(void);

/* Whether all filesystems seem to be network filesystems; traced or not. */
void trace_far(bool wanted);

/* How many calls there were, and each as "name argument argument", paths as they were given; that
 * of a descriptor is absolute. */
size_t trace_count(void);
const char *trace_line(size_t i);
/* The first line, from `from` on, that begins and ends like this; SIZE_MAX if there is none. */
size_t trace_find(const char *prefix, const char *suffix, size_t from);
void trace_print(void);

#endif
