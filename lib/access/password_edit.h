/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_PASSWORD_EDIT_H
#define ACCESS_PASSWORD_EDIT_H

/*
 * Changes one user of a password file and keeps the rest: comments, order, mode and owner. The file
 * is replaced as a whole, so that who reads it meanwhile sees the old one or the new one.
 *
 * Locking: of the file itself, against others who edit it in this way; fails where these do not let
 * go of it for 20 seconds.
 */

#include <sys/types.h>

#include "lib/base/error.h"

struct password_edit {
    const char *path;
    const char *user;
    const char *crypted; /* the new hash; NULL: the user goes */
    gid_t group;         /* of a file that is made, for the workers to read it */
};

/* 1: the user was there and is another, or gone; 0: was not there, and is added if there is a hash;
 * -1. */
int password_edit(const struct password_edit *edit, struct error *error);

#endif
