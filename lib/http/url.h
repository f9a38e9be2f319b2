/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_URL_H
#define HTTP_URL_H

/*
 * URLs of http and https (RFC 3986), taken apart by libcurl's own parser: what it would ask is what
 * was judged. Where there is but one way to read it, as in most configurations, libcurl need not be
 * loaded for it (lib/http/library.h). Pure.
 */

#include <stdbool.h>

#include "lib/base/buffer.h"

/* The parts of an absolute http or https URL; false for anything else, or with a user in it. */
struct url {
    char scheme[8];
    char host[256];
    unsigned port;
};
bool url_parse(const char *text, struct url *out);

/* `reference` seen from `base` (RFC 3986, 5). False if it is malformed. */
bool url_resolve(const char *base, const char *reference, struct buffer *out);

#endif
