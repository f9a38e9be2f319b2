/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_OWNER_H
#define BASE_OWNER_H

/*
 * Whose store it is. A command that root runs must not leave files behind that the workers cannot
 * change, so it goes on as the user to whom the store belongs.
 */

#include <sys/types.h>

#include "lib/base/error.h"

/*
 * If we are root and the directory is somebody else's, becomes that user for good. If it is not
 * there, the nearest directory above it that is tells whose it is going to be.
 */
int owner_become(const char *directory, struct error *error);

/* The names of a user and of a group; the number if there is none. */
enum { OWNER_NAME_SIZE = 64 };
struct owner_name {
    char text[OWNER_NAME_SIZE];
};
struct owner_name owner_user(uid_t user);
struct owner_name owner_group(gid_t group);

#endif
