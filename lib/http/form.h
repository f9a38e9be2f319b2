/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_FORM_H
#define HTTP_FORM_H

/*
 * A body of the type application/x-www-form-urlencoded: what query.h is for queries, but that a '+'
 * is a space. Read fields with query_value(), also those that come several times. A form may hold a
 * password: form_release() wipes it. Pure.
 */

#include "lib/http/query.h"

/* Bytes of a body; room for a token of 16 KiB with each byte escaped. */
enum { FORM_LIMIT = 64 * 1024 };

#define AUTO_FORM AUTO(form_release)

/* Whether a Content-Type means one, whatever its parameters. */
bool form_is_type(const char *content_type);

/* False, and an empty form, if it is too long, or any escape is broken or means a control. */
bool form_parse(struct query *out, const char *body, size_t length);
void form_release(struct query *form);

#endif
