/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

/*
 * A growing string of bytes. `data` is never NULL and data[length] is always '\0', so that it can
 * be read as text at any time; it may hold NUL bytes as well. Read the members, change them through
 * the functions only. Declare it `AUTO_BUFFER struct buffer b = BUFFER_INIT;`.
 */

#include <stdarg.h>
#include <stddef.h>

#include "lib/base/cleanup.h"

struct buffer {
    char *data;
    size_t length;   /* bytes, without the final NUL */
    size_t capacity; /* bytes allocated; 0 while nothing is */
};

extern char buffer_empty[1];

#define BUFFER_INIT                                                                                \
    {                                                                                              \
        .data = buffer_empty, .length = 0, .capacity = 0                                           \
    }
#define AUTO_BUFFER AUTO(buffer_release)

void buffer_add(struct buffer *buffer, const void *bytes, size_t length);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void buffer_format_list(struct buffer *buffer, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* Makes room for `length` more bytes and returns where they go; say with buffer_added() how many
 * of them were used. */
char *buffer_reserve(struct buffer *buffer, size_t length);
void buffer_added(struct buffer *buffer, size_t length);

/* Empties it, or lets go of all but the first `length` bytes, and keeps the memory. */
void buffer_cut(struct buffer *buffer, size_t length);
void buffer_clear(struct buffer *buffer);

/* Frees the memory; the buffer is empty and usable afterwards. */
void buffer_release(struct buffer *buffer);

/* The same for a secret, of which nothing is left. What grew before it was complete has left copies
 * behind: reserve first. */
void buffer_wipe(struct buffer *buffer);

#endif
