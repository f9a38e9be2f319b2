/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_OPTIONS_H
#define ACCESS_OPTIONS_H

/* What a configuration says of who may do what. lib/configuration fills it in and frees it. */

#include <stdint.h>

#include "lib/access/rules.h"

enum access_mode {
    ACCESS_NONE,       /* everybody is anonymous */
    ACCESS_HTPASSWD,   /* users of a file, robots */
    ACCESS_WEB_SERVER, /* users that the web server has authenticated, robots */
};

struct access_options {
    enum access_mode mode;
    char *htpasswd;          /* path of the file; never "" with ACCESS_HTPASSWD */
    char *public_url;        /* "" if it is told from the request */
    uint64_t token_lifetime; /* seconds */
    char *directory;         /* of keys and robots, in the store; made on first use */
    char *runtime_directory; /* of this host alone, for failed log-ins; made on first use */
    struct rules rules;      /* not asked in mode ACCESS_NONE, where everybody may */
};

#endif
