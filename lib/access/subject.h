/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_SUBJECT_H
#define ACCESS_SUBJECT_H

/*
 * Who somebody is: what credentials and tokens come to, and what rules are asked about. The kinds
 * have disjoint names by construction: a user's has no '/', a robot's begins with "robot/", an
 * issuer's with the name of its section and '/'. Only lib/access makes one that is somebody.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/access/right.h"

enum subject_kind { SUBJECT_ANONYMOUS, SUBJECT_USER, SUBJECT_ROBOT, SUBJECT_ISSUER };

enum { SUBJECT_NAME_SIZE = 512, SUBJECT_NAMES_SIZE = 1024, SUBJECT_SCOPES_SIZE = 2048 };

/* What stands before a robot's name. */
#define SUBJECT_ROBOT_PREFIX "robot/"

/* By what it was told who somebody is. */
enum subject_proof {
    PROOF_NONE,    /* by nothing: nobody */
    PROOF_SERVER,  /* the web server's word */
    PROOF_SECRET,  /* a password */
    PROOF_REFRESH, /* a refresh token */
    PROOF_TOKEN,   /* an access token, which is good for no other token */
    PROOF_SESSION, /* a browser's cookie, which is good for none either */
};

struct subject {
    enum subject_kind kind;
    char name[SUBJECT_NAME_SIZE];            /* as rules call it: "alice", "robot/ci",
                                                "github/repo:x/y"; "" if anonymous */
    unsigned narrowed_rights;                /* of enum right: what it may have at most */
    char narrowed_names[SUBJECT_NAMES_SIZE]; /* patterns of repositories, comma separated, that it
                                                may reach at most; "" for no limit */
    bool is_scoped;                          /* it may have at most what `scopes` says: */
    char scopes[SUBJECT_SCOPES_SIZE];        /* "RIGHTS NAME\n" each, of enum right in decimal and
                                                a repository as the client calls it */
    enum subject_proof proof;
    int64_t end; /* when what it was told by ends, in seconds since the epoch; 0: not by itself */
};

/* For logs: "user"; "password". */
const char *subject_kind_word(enum subject_kind kind);
const char *subject_proof_word(enum subject_proof proof);

/* Nobody, to whom rules give what they give to everybody. */
struct subject subject_anonymous(void);

/*
 * Whether its scopes, if it has any, give a right; is_repository() says whether a name means the
 * repository that is asked about.
 */
bool subject_scopes_have(const struct subject *subject, enum right right,
                         bool (*is_repository)(void *context, const char *name), void *context);
/* False, with nothing added, if there is no more room. */
bool subject_add_scope(struct subject *subject, unsigned rights, const char *name);

/* Whether a user is to be called so from now on: not if a password file would take it for a
 * comment, nor if it could not be shown as it is. Who is called so already may still log in. */
bool subject_user_is_valid(const char *name);

/*
 * Somebody, without any narrowing. False, with `out` untouched, for a name that its kind cannot
 * have: empty, too long, with control characters, or of another kind's form. A user's has no '/',
 * no ':' and no '@' at the front.
 */
bool subject_make(enum subject_kind kind, const char *name, struct subject *out);

#endif
