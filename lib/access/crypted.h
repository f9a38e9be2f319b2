/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_CRYPTED_H
#define ACCESS_CRYPTED_H

/*
 * A password as it stands in a file: hashed by one of the functions that are named by a known
 * prefix, which are bcrypt ($2a$, $2b$, $2y$), SHA-crypt ($5$, $6$), yescrypt ($y$), scrypt ($7$)
 * and Apache's $apr1$. The prefix is looked at before crypt(3) sees any of it: without one crypt(3)
 * takes a password in plain text for the hash of another by DES.
 */

#include <stddef.h>

#include "lib/base/buffer.h"
#include "lib/base/error.h"

enum { CRYPTED_SIZE = 384, CRYPTED_PASSWORD_LIMIT = 511 }; /* bytes: crypt(3) takes no more */

/* NULL if it is one of them, else what is wrong with it, in words that go behind "is". */
const char *crypted_refusal(const char *crypted);

/* 1; 0 if it is another password; -1. Takes as long as the hash was made to take. */
int crypted_verify(const char *crypted, const char *password, struct error *error);

/* How many characters at its front say how long it takes. */
size_t crypted_cost(const char *crypted);

/* Hashes a new password by bcrypt, which other programs that share the file know too. */
int crypted_make(const char *password, char out[CRYPTED_SIZE], struct error *error);

#endif
