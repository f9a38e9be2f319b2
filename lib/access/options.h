/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_OPTIONS_H
#define ACCESS_OPTIONS_H

/* What a configuration says of who may do what. lib/configuration fills it in and frees it. */

#include <stdint.h>

#include "lib/access/rules.h"

enum access_mode {
    ACCESS_NONE,       /* everybody is anonymous */
    ACCESS_HTPASSWD,   /* users of a file, robots, whom issuers know */
    ACCESS_WEB_SERVER, /* users that the web server has authenticated, robots, whom issuers know */
};

enum issuer_kind {
    ISSUER_OIDC,           /* its tokens are passwords */
    ISSUER_REGISTRY_TOKEN, /* it is a token server for registries, whose tokens are shown as ours */
};

/* A section [issuer NAME]: somebody else whose word is taken for who somebody is. */
struct issuer_options {
    char *name; /* of the section: the user name that its tokens are passwords of */
    enum issuer_kind kind;
    char *url;             /* where it is asked for its keys, and what "iss" says */
    char *audience;        /* what "aud" has to have */
    char *jwks_file;       /* its keys; NULL: it is asked for them */
    char *certificates;    /* the same as certificates; NULL: none */
    char *realm;           /* where clients get its tokens; NULL: from somebody else */
    char *name_claim;      /* the claim that tells who somebody is */
    struct names required; /* "CLAIM=PATTERN, PATTERN": what else has to be so */
    bool allow_private_address;
};

struct access_options {
    enum access_mode mode;
    char *htpasswd;          /* path of the file; never "" with ACCESS_HTPASSWD */
    char *public_url;        /* "" if it is told from the request */
    uint64_t token_lifetime; /* seconds */
    char *directory;         /* of keys and robots, in the store; made on first use */
    char *runtime_directory; /* of this host alone, for failed log-ins; made on first use */
    struct rules rules;      /* not asked in mode ACCESS_NONE, where everybody may */
    struct issuer_options *issuers;
    size_t issuer_count;
    const char *http_proxy; /* for asking issuers; "" for none. Both are somebody else's */
    const char *ca_file;    /* "" for the system's */
};

/* NULL if there is none of that name. */
const struct issuer_options *access_find_issuer(const struct access_options *options,
                                                const char *name);
/* The one whose token server clients are sent to instead of ours; NULL: none. */
const struct issuer_options *access_find_realm(const struct access_options *options);

#endif
