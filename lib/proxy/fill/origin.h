/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_FILL_ORIGIN_H
#define PROXY_FILL_ORIGIN_H

/*
 * How the bytes of a cached blob were come by, which decides who may have them without asking. A
 * repository that names a blob (has a link to it) is shown it at once if one of these is on record:
 *   anybody   they came without an account from a public address
 *   upstream  the repository's upstream gave or confirmed them without an account
 *   section   it gave or confirmed them to the account that is for this repository
 * Whoever is left asks the upstream (HEAD) with what is his own, and is on record from then on.
 *
 * Each is a file in the cache, named by the hash of what it says. The names that earlier versions
 * gave (an upstream, "anybody") are not looked at: those did not tell accounts from each other, nor
 * private addresses from public ones.
 */

#include "lib/proxy/ask/upstream.h"

/* What an upstream has done for a repository. */
enum origin_act {
    ORIGIN_CONFIRMED, /* said that it has the blob */
    ORIGIN_GIVEN,     /* sent it, asking for no account */
    ORIGIN_GIVEN_TO_ACCOUNT,
};

/* `name` is that of the repository at the upstream, here and below. */
int origin_record(const struct upstream *upstream, const char *name, const struct digest *digest,
                  enum origin_act act, struct error *error);

/* Whether a repository that names the blob may be shown it without asking. */
bool origin_allows(const struct upstream *upstream, const char *name, const struct digest *digest);

/* Whose account is used for a repository, as one line that differs from all others'; "" for none.
 */
void origin_account(const struct upstream *upstream, const char *name, struct buffer *out);

#endif
