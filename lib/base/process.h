/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stddef.h>

#include "lib/base/error.h"

/*
 * Starts a process that outlives its parent's client and its parent: a session of its own, no
 * terminal, and no descriptors but standard error and those in `keep`. Returns 1 in the parent, 0
 * in the new process, which has to end with _exit(), and -1 on failure. The parent gets no child to
 * wait for.
 */
int process_detach(const int *keep, size_t keep_count, struct error *error);

#endif
