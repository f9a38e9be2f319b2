/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOCAL_H
#define BASE_LOCAL_H

/*
 * Short messages between processes of one user on one host, with open descriptors in them. A name
 * is no file and ends with whoever listens under it; anybody on the host may take it first, or call
 * it, so that each side looks whose process the other one is before a word is said. Nothing is
 * promised: whoever is not answered does without.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buffer.h"
#include "lib/base/error.h"

enum {
    LOCAL_NAME_SIZE = 100,      /* with its NUL */
    LOCAL_MESSAGE_LIMIT = 4096, /* bytes */
    LOCAL_DESCRIPTOR_LIMIT = 8, /* of a message */
};

/* A listening descriptor, or -1: somebody has the name. */
int local_listen(const char *name);

/* Waits for a process of our user. A connection, or -1: not in time, not at all, or not before
 * something has happened to `other`, which is a descriptor or -1. */
int local_accept(int listener, int other, int64_t milliseconds);

/* A connection, or -1: nobody listens, or has room for us, or it is no process of our user. */
int local_connect(const char *name);

/* The other side gets descriptors of its own. False if it has gone, or does not read. */
bool local_send(int connection, const struct buffer *text, const int *descriptors, size_t count);

/* One message with exactly so many descriptors, added to `text`. False if it does not come in time,
 * or is another one. */
bool local_receive(int connection, int64_t milliseconds, struct buffer *text, int *out_descriptors,
                   size_t count);
/* The same, however many it brings. */
bool local_receive_any(int connection, int64_t milliseconds, struct buffer *text,
                       int out_descriptors[LOCAL_DESCRIPTOR_LIMIT], size_t *out_count);

/* Two ends of a connection. */
int local_pair(int out_ends[2], struct error *error);

/* Whether the process that listened is stopped (SIGSTOP), as far as that can be seen. */
bool local_is_stopped(int connection);

/* Whether there is something to receive, or nothing any more, within a time. */
bool local_is_ready(int connection, int64_t milliseconds);

#endif
