/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_COOKIE_H
#define HTTP_COOKIE_H

/*
 * The header Cookie (RFC 6265, 4.2.1): pairs NAME=VALUE with ';' between them. Other programs of
 * the same host name send theirs along, so whatever is no pair of ours is passed over. Pure.
 */

#include <stdbool.h>

#include "lib/base/buffer.h"

enum { COOKIE_FIELD_LIMIT = 32 * 1024, COOKIE_VALUE_LIMIT = 4096 }; /* bytes */

/*
 * Adds the value of the cookie of that name, in quotes or not; it may be a secret. False, with
 * nothing added, if `field` is NULL or too long, or has none or several of that name: one of those
 * was put there by somebody else, and nothing tells which. False as well for a value that no cookie
 * can have.
 */
bool cookie_find(const char *field, const char *name, struct buffer *out);

#endif
