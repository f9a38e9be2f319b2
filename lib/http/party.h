/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_PARTY_H
#define HTTP_PARTY_H

/*
 * Whom a request goes to, as messages call it: "upstream corp (registry.corp.example:443) …" with
 * the name that its section of the configuration has or would have, and the address of the request,
 * which may be that of a token service or of where a redirect leads. Somebody who reads one line of
 * the log knows from it what to look at. Nothing else of a URL is told: its path is long and its
 * query may be a signature; nor is the address that a name resolves to, since clients read messages
 * and may ask for any name.
 */

#include <stdarg.h>

#include "lib/base/error.h"

struct http_party {
    const char *upstream; /* X of [upstream X]; NULL: a server that has no section */
    const char *url;
};

/* As error_set(); `format` goes on after "upstream corp (host:port) " or "the server (…) ". */
int party_fail(const struct http_party *party, struct error *error, enum error_code code,
               const char *format, ...) __attribute__((format(printf, 4, 5)));
int party_fail_list(const struct http_party *party, struct error *error, enum error_code code,
                    const char *format, va_list arguments) __attribute__((format(printf, 4, 0)));

#endif
