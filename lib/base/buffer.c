/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"

char buffer_empty[1] = "";

char *buffer_reserve(struct buffer *buffer, size_t length)
{
    size_t needed = buffer->length + length + 1;

    if (needed > buffer->capacity) {
        size_t capacity = buffer->capacity * 2 > needed ? buffer->capacity * 2 : needed;

        buffer->data = memory_resize(buffer->capacity ? buffer->data : NULL, capacity, 1);
        buffer->capacity = capacity;
        buffer->data[buffer->length] = '\0';
    }
    return buffer->data + buffer->length;
}

void buffer_added(struct buffer *buffer, size_t length)
{
    assert(buffer->length + length < buffer->capacity);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void buffer_add(struct buffer *buffer, const void *bytes, size_t length)
{
    if (length > 0) {
        memcpy(buffer_reserve(buffer, length), bytes, length);
        buffer_added(buffer, length);
    }
}

void buffer_add_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

/* Into the room that there is, which mostly does; where it does not, we know how much it takes. */
void buffer_format_list(struct buffer *buffer, const char *format, va_list arguments)
{
    enum { FIRST_ROOM = 63 };
    va_list again;
    size_t room;
    int length;

    if (strcmp(format, "%s") == 0) {
        buffer_add_text(buffer, va_arg(arguments, const char *));
        return;
    }
    if (buffer->capacity == 0) {
        (void)buffer_reserve(buffer, FIRST_ROOM);
    }
    va_copy(again, arguments);
    room = buffer->capacity - buffer->length;
    length = vsnprintf(buffer->data + buffer->length, room, format, arguments);
    assert(length >= 0);
    if ((size_t)length >= room) {
        (void)vsnprintf(buffer_reserve(buffer, (size_t)length), (size_t)length + 1, format, again);
    }
    buffer_added(buffer, (size_t)length);
    va_end(again);
}

void buffer_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    buffer_format_list(buffer, format, arguments);
    va_end(arguments);
}

void buffer_cut(struct buffer *buffer, size_t length)
{
    if (length < buffer->length) {
        buffer->length = length;
        buffer->data[length] = '\0';
    }
}

void buffer_clear(struct buffer *buffer)
{
    buffer_cut(buffer, 0);
}

void buffer_release(struct buffer *buffer)
{
    if (buffer->capacity > 0) {
        free(buffer->data);
    }
    buffer->data = buffer_empty;
    buffer->length = 0;
    buffer->capacity = 0;
}

void buffer_wipe(struct buffer *buffer)
{
    if (buffer->capacity > 0) {
        explicit_bzero(buffer->data, buffer->capacity);
    }
    buffer_release(buffer);
}
