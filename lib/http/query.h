/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_QUERY_H
#define HTTP_QUERY_H

/*
 * The query of a request: name=value pairs between '&', escaped with %XX (RFC 3986, 3.4). It is
 * taken apart once; a '+' is a '+', as digests, tags and media types have it. Pure.
 */

#include <stdbool.h>

#include "lib/base/buffer.h"

struct query {
    struct buffer pairs; /* decoded: name, NUL, value, NUL, and so on */
};

#define QUERY_INIT                                                                                 \
    {                                                                                              \
        .pairs = BUFFER_INIT                                                                       \
    }
#define AUTO_QUERY AUTO(query_release)

/*
 * Reads what stands behind the '?'. A part without '=' says nothing and is left out. False, and an
 * empty query, if any escape is broken or means a control character.
 */
bool query_parse(struct query *out, const char *text);
void query_release(struct query *query);

/* The n-th value of that name, from 0; NULL if there is none. It lives as long as the query. */
const char *query_value(const struct query *query, const char *name, unsigned n);

#endif
