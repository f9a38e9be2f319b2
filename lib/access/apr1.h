/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_APR1_H
#define ACCESS_APR1_H

/*
 * The MD5-based password hash of Apache, which `htpasswd` makes unless it is told otherwise, and
 * which crypt(3) does not know: that of FreeBSD with another prefix.
 */

#include "lib/base/error.h"

#define APR1_PREFIX "$apr1$"
enum { APR1_SIZE = 6 + 8 + 1 + 22 + 1 };

/* Hashes with the salt that stands behind the prefix of `setting`, up to eight characters or '$'.
 */
int apr1_hash(const char *password, const char *setting, char out[APR1_SIZE], struct error *error);

#endif
