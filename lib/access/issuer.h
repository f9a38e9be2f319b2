/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_ISSUER_H
#define ACCESS_ISSUER_H

/*
 * Who somebody is by the word of somebody else: a token of an issuer that the configuration trusts
 * (OpenID Connect: GitHub, GitLab, Kubernetes, …). It is believed if its signature is by a key of
 * that issuer, if it is for us, now, and if all is so that the section requires.
 *
 * The token of a token server for registries (distribution's "Token Authentication Specification")
 * says besides what it is for: its holder may have that at most. A token of nobody is anonymous.
 */

#include "lib/access/issuer_keys.h"
#include "lib/access/subject.h"

/*
 * "SECTION/VALUE", which ends when the token does. ERROR_UNAUTHORIZED, with which check failed;
 * otherwise see issuer_keys_find().
 */
int issuer_identify(const struct issuer_trust *trust, const char *token, struct subject *out,
                    struct error *error);

/* The token server that a token says to be of, believing nothing. NULL: none. */
const struct issuer_options *issuer_find_server(const struct access_options *options,
                                                const char *token);

/* What can stand behind `require.`, and as its value. */
bool issuer_claim_is_valid(const char *claim);
bool issuer_pattern_is_valid(const char *pattern);
bool issuer_name_is_valid(const char *name);

#endif
