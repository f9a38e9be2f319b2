/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

/*
 * Strict readings of small texts: whatever is not entirely of the expected form is refused, and
 * numbers that do not fit are refused, not clipped.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buffer.h"

/* Digits only; false for anything else and above INT64_MAX. */
bool text_number(const char *text, size_t length, uint64_t *out_number);

bool text_begins(const char *text, const char *prefix);

/* Copies a part of a text into `size` bytes. False, with `out` untouched, if it does not fit. */
bool text_copy(char *out, size_t size, const char *part, size_t length);

/* The letters are lower case only, as digests want them. */
bool text_is_hex(const char *text, size_t length);
/* `out` takes 2 * length characters and a NUL. */
void text_hex(const unsigned char *bytes, size_t length, char *out);
/* Reads 2 * length lower-case digits. */
bool text_unhex(const char *hex, size_t length, unsigned char *out);

/*
 * Adds the decoded form of `length` bytes with %XX escapes. False, with part of the output added,
 * for a broken escape, an encoded NUL, or any control character.
 */
bool text_percent_decode(const char *text, size_t length, struct buffer *out);
/* Adds the text with everything escaped that is not unreserved in RFC 3986 (or ':' or '/'). */
void text_percent_encode(const char *text, struct buffer *out);

/*
 * Steps through a list with separators ("a, b,,c"): stores the next item without white space
 * around it and moves *cursor behind it. False at the end. Empty items are skipped.
 */
bool text_next_item(const char **cursor, char separator, const char **out_item, size_t *out_length);

/*
 * Amounts with a unit, as configurations have them: 512, 4K, 1M, 2G, 1T (bytes, powers of 1024);
 * 4KB, 4KiB, 4 KiB are the same as 4K.
 */
bool text_bytes(const char *text, uint64_t *out_bytes);
/* The other way round, for people: "512 B", "1.5 GiB". */
void text_add_bytes(uint64_t bytes, struct buffer *out);
/* Of a time, for people, what matters: "40 s", "12 min", "5 h", "3 d". */
void text_add_seconds(uint64_t seconds, struct buffer *out);
/*
 * How many letters have to be put in, left out, exchanged for another one or with their neighbour
 * to make one word of the other; for words of up to 63 letters, SIZE_MAX beyond.
 */
size_t text_distance(const char *one, const char *other);

/* 90, 90s, 15m, 12h, 30d (seconds). */
bool text_seconds(const char *text, uint64_t *out_seconds);

#endif
