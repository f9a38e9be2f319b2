/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_CHALLENGE_H
#define HTTP_CHALLENGE_H

/* WWW-Authenticate (RFC 9110, 11.6.1), as registries use it. Pure. */

#include <stdbool.h>

#include "lib/base/buffer.h"

enum challenge_scheme {
    CHALLENGE_NONE,
    CHALLENGE_BASIC,
    CHALLENGE_BEARER,
};

struct challenge {
    enum challenge_scheme scheme;
    struct buffer realm;
    struct buffer service;
    struct buffer scope;
};

#define CHALLENGE_INIT                                                                             \
    {                                                                                              \
        .scheme = CHALLENGE_NONE, .realm = BUFFER_INIT, .service = BUFFER_INIT,                    \
        .scope = BUFFER_INIT                                                                       \
    }
#define AUTO_CHALLENGE AUTO(challenge_release)

/* Reads one field; Bearer wins where there are several challenges. False if none is understood. */
bool challenge_parse(struct challenge *out, const char *field);
void challenge_release(struct challenge *challenge);

#endif
