/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_SITE_H
#define FCGI_SITE_H

/*
 * Where the client is, as it sees it: what it is to be told when it has to log in, and for whom its
 * tokens are. It depends on the host name that the client used and on nothing else of the request,
 * since some clients compare it with the first one that they were told.
 */

#include "fcgi/request.h"
#include "fcgi/response.h"
#include "lib/access/access.h"

enum { SITE_SIZE = 320 };

struct site {
    char url[SITE_SIZE];  /* "https://registry.example.org:5000" */
    bool knows_scheme;    /* else "http" is a guess: TLS may end where nobody says so */
    const char *realm;    /* of a token server that is not ours, or NULL */
    const char *audience; /* what that calls us */
};

/*
 * `public_url` wins, unless it is "" or NULL. A web server in front of ours may say that the client
 * came by https, never that it did not: it is the client alone who is misled by a lie.
 */
void site_find(struct site *out, const struct request *request, const char *public_url);

/* Host and port: the audience of tokens, the `service` of challenges. */
const char *site_service(const struct site *site);

/*
 * Whether an Origin (RFC 6454, 7) is ours: the host by which the caller calls us, or that of
 * `public_url`, with its port; and the scheme, where that is known. Else who can put himself
 * between a browser and http:// would send forms to https://.
 */
bool site_is_origin(const struct site *site, const struct request *request, const char *origin);

/* What the request says of its sender. It points into both. */
struct attempt site_attempt(const struct site *site, const struct request *request);

/* Whether an attempt shows a token. */
bool attempt_has_token(const struct attempt *attempt);

/*
 * The one challenge of an answer (RFC 6750, 3; the token protocol of Docker): `scope` and `error`
 * are left out where they are NULL, since an empty value ends what some clients read. Both must be
 * free of quotes.
 */
void site_challenge(const struct site *site, const char *scope, const char *error,
                    struct response *response);

#endif
