/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_ACCESS_H
#define ACCESS_ACCESS_H

/*
 * Who asks. A worker opens this once and asks it for every request; what was read (the password
 * file, keys, robots) is read again when it changes, and passwords that were right are remembered
 * for some minutes, so that a request costs no hash.
 *
 * Each of these functions answers with a subject or refuses:
 *   ERROR_UNAUTHORIZED       the credentials are wrong, expired or forged; the message says which
 *                            as far as a stranger may know
 *   ERROR_TOO_MANY_REQUESTS  too many failed log-ins; access_retry_after() says when to come again
 *   ERROR_WOULD_WAIT         an issuer has to be asked for its keys: in a process that may wait,
 *                            see access_let_wait(). What is wrong with it then: ERROR_UPSTREAM…
 *   ERROR_INTERNAL           passwords or keys cannot be read: nobody gets in
 * A failed log-in is logged here, in the one form that a fail2ban filter knows.
 */

#include <stdint.h>

#include "lib/access/form_token.h"
#include "lib/access/options.h"
#include "lib/access/subject.h"
#include "lib/base/buffer.h"
#include "lib/base/error.h"

struct access;

/* Reads nothing yet. The options have to stay. */
struct access *access_open(const struct access_options *options);
void access_close(struct access *access);

/* From now on, issuers are asked: nobody else waits for this process. */
void access_let_wait(struct access *access);
/* A place for such a process, which is held by the lock. 1; 0 if there are too many; -1. */
struct lock;
int access_take_place(const struct access *access, struct lock *out, struct error *error);

/* What a request says of its sender. */
struct attempt {
    const char *authorization; /* the header, or NULL */
    const char *remote_user;   /* whom the web server has authenticated, or NULL; believed in mode
                                  web-server only */
    const char *address;       /* REMOTE_ADDR, or NULL */
    const char *service;       /* audience of tokens: the host name that the client used */
    int64_t began;             /* when the request began, in seconds since the epoch */
};

/* By what stands in its head: Basic or Bearer, or neither, which is the anonymous subject. */
int access_identify(struct access *access, const struct attempt *attempt, struct subject *out,
                    struct error *error);

/* By user name and password of a form; an empty name and password are nobody. */
struct login {
    const char *user;
    const char *password;
};
int access_log_in(struct access *access, const struct attempt *attempt, const struct login *login,
                  struct subject *out, struct error *error);

/* A refresh token is exchanged for who it was made for; `authorization` is not looked at. */
int access_exchange(struct access *access, const struct attempt *attempt, const char *refresh_token,
                    struct subject *out, struct error *error);

/* Adds an access token to `out_token`, also for nobody. ERROR_UNAUTHORIZED for who has shown an
 * access token himself: it would have no end. */
int access_token(struct access *access, const struct attempt *attempt,
                 const struct subject *subject, struct buffer *out_token, struct error *error);
/*
 * Seconds that it will live, whoever it is for. Tokens of others end after a few minutes, and are
 * exchanged for ours because a push takes longer.
 */
uint64_t access_token_lifetime(const struct access *access);

/*
 * Adds a refresh token, which has no end but that of the password it rests on. 1; 0, and nothing
 * added, for who cannot have one: whoever has not shown a password of ours; -1. Who exchanges one
 * keeps it: it never changes.
 */
int access_refresh_token(struct access *access, const struct attempt *attempt,
                         const struct subject *subject, struct buffer *out_token,
                         struct error *error);

/*
 * A log-in by a browser: adds a session to `out_session`, for a cookie. It is good for
 * access_resume_session() alone, neither as a password nor as a token, and ends after
 * ACCESS_SESSION_SECONDS, or as soon as the user's line in the password file is another one.
 * Users of that file only: the secret of a robot and the token of an issuer are for programs, and
 * refused as unknown users are. Nobody's is refused as well.
 */
enum { ACCESS_SESSION_SECONDS = 12 * 60 * 60 };
int access_begin_session(struct access *access, const struct attempt *attempt,
                         const struct login *login, struct buffer *out_session,
                         struct error *error);
int access_resume_session(struct access *access, const struct attempt *attempt, const char *session,
                          struct subject *out, struct error *error);

/*
 * The token that a form carries, see form_token.h: what comes back without it was sent from
 * elsewhere. Also in mode ACCESS_NONE. ERROR_DENIED if it is not for this form.
 */
int access_sign_form(struct access *access, const struct attempt *attempt, const struct form *form,
                     struct buffer *out_token, struct error *error);
int access_check_form(struct access *access, const struct attempt *attempt, const struct form *form,
                      const char *token, struct error *error);

/* Whether passwords and keys can be read, as for a log-in. */
int access_check(struct access *access, struct error *error);

/* After ERROR_TOO_MANY_REQUESTS: seconds until another log-in is tried. */
unsigned access_retry_after(const struct access *access);

#endif
