/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_LOOKUP_H
#define HTTP_LOOKUP_H

/*
 * Where a URL leads, for requests through a proxy: then it is the proxy that resolves the name and
 * connects, and we see no address to judge.
 */

#include <stdint.h>

enum lookup_result {
    LOOKUP_UNKNOWN, /* no answer here, or none in time */
    LOOKUP_PUBLIC,
    LOOKUP_PRIVATE, /* one of its addresses at least; or it is written as one */
};

/* Asks the resolver, for so long at most. Nothing is connected to. */
enum lookup_result lookup_url(const char *url, uint64_t milliseconds);

#endif
