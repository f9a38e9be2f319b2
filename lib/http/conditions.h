/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_CONDITIONS_H
#define HTTP_CONDITIONS_H

/*
 * If-Match and If-None-Match (RFC 9110, 13.1). Our entity tags are digests in quotes, so that a
 * field is a set of digests: what is none of ours matches nothing. Weak ones count as strong ones,
 * since a digest is never weak; those without quotes are understood, because clients send them.
 */

#include "lib/oci/digest_set.h"

/* Reads one field into an empty set. Pure. */
void conditions_parse(const char *field, struct digest_set *out);

#endif
