/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_AUTHORIZATION_H
#define HTTP_AUTHORIZATION_H

/*
 * The header Authorization (RFC 9110, 11.6.2): Basic (RFC 7617) and Bearer (RFC 6750). What it
 * holds is secret: it is in memory once, and wiped when released. Pure.
 */

#include <stdbool.h>

#include "lib/base/buffer.h"

enum authorization_scheme {
    AUTHORIZATION_NONE,
    AUTHORIZATION_BASIC,
    AUTHORIZATION_BEARER,
};

struct authorization {
    enum authorization_scheme scheme;
    const char *user;     /* Basic: */
    const char *password; /* may be empty */
    const char *token;    /* Bearer: a token68 */
    struct buffer text;   /* what these point into */
};

#define AUTHORIZATION_INIT                                                                         \
    {                                                                                              \
        .scheme = AUTHORIZATION_NONE, .text = BUFFER_INIT                                          \
    }
#define AUTO_AUTHORIZATION AUTO(authorization_release)

/* Bytes; room for a token of 16 KiB as the password. */
enum { AUTHORIZATION_LIMIT = 24 * 1024 };

/*
 * Reads a field into an empty value; NULL and "" are none, and so is Basic with neither user nor
 * password ("Og=="), as podman sends it for nobody. False, with `out` empty, for whatever else is
 * not understood: another scheme, two headers that were joined, control characters.
 */
bool authorization_parse(struct authorization *out, const char *field);
void authorization_release(struct authorization *authorization);

#endif
