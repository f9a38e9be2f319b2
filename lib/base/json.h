/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

/*
 * Writes JSON into a buffer, in the order in which it is called. The commas and the escapes are
 * taken care of, bytes that are no UTF-8 become U+FFFD, and what could drive a terminal is escaped;
 * that objects and arrays are closed and keys are given is the caller's part.
 */

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "lib/base/buffer.h"

/* `key` is NULL inside an array and at the top. */
void json_open_object(struct buffer *out, const char *key);
void json_close_object(struct buffer *out);
void json_open_array(struct buffer *out, const char *key);
void json_close_array(struct buffer *out);
void json_text(struct buffer *out, const char *key, const char *value);
void json_number(struct buffer *out, const char *key, uint64_t value);
/* As clock_write() has it; null for what is no date. */
void json_date(struct buffer *out, const char *key, time_t date);
/* A value that is JSON already. */
void json_raw(struct buffer *out, const char *key, const char *value);

#endif
