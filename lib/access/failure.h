/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_FAILURE_H
#define ACCESS_FAILURE_H

/*
 * What the operator is told of log-ins, whatever becomes of the request: the line by which fail2ban
 * knows who guesses passwords (deploy/fail2ban/filter.d/berth.conf), lines of a password file that
 * are of no use, and issuers that do not answer.
 */

#include "lib/access/password.h"

/* Adds "log-in failed for USER from ADDRESS: REASON". Nothing in a user's name can pass for what
 * follows it: it is escaped, and cut if it is long. NULL and "" are "-". */
void failure_add_line(const char *user, const char *address, const char *reason,
                      struct buffer *out);
void failure_log(const char *user, const char *address, const char *reason);

/* That a token server's token was refused. Clients show old ones every day: it is no failed log-in,
 * for which somebody could be banned. */
void failure_log_token(const char *issuer, const char *address, const char *reason);

/* That an issuer does not tell its keys, though those from before may do. */
void failure_log_issuer(const char *issuer, const char *reason);

/* Once it was read. */
void failure_log_useless_lines(const struct password_file *file);

#endif
