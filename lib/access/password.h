/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_PASSWORD_H
#define ACCESS_PASSWORD_H

/*
 * A file as htpasswd makes it: a line "user:hash" for each user, blank lines and lines that begin
 * with '#'. It is read again whenever it has changed. A file that is missing or cannot be read is
 * an error of whoever asks: nobody gets in, known or unknown.
 *
 * A line that is no user's or whose hash is of no known kind (see crypted.h) is of no use: its user
 * does not get in, the others do.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "lib/base/buffer.h"
#include "lib/base/error.h"

/* Bytes of a file. */
enum { PASSWORD_FILE_LIMIT = 8 * 1024 * 1024 };

struct password_user {
    const char *name;    /* "" if the line names nobody: it may be a password */
    const char *crypted; /* "" if the line is of no use */
    const char *refusal; /* and why; NULL if it is */
    unsigned line;
};

struct password_file {
    const char *path;
    struct buffer text; /* cut into names and hashes */
    struct password_user *users;
    size_t count;
    size_t useless;      /* lines */
    const char *typical; /* a hash that costs what most cost; NULL if there is none */
    struct stat status;  /* of what was read */
    bool is_read;
    bool is_settled; /* later changes are sure to show in its times */
};

#define PASSWORD_FILE_INIT(the_path)                                                               \
    {                                                                                              \
        .path = (the_path), .text = BUFFER_INIT                                                    \
    }
#define AUTO_PASSWORD_FILE AUTO(password_file_release)

/*
 * Reads the file if it is not what was read last. 1 if it was read, 0 if it need not be, -1: then
 * there are no users. What has to be said of useless lines is password_file_complaint().
 */
int password_file_refresh(struct password_file *file, struct error *error);
/* Cuts `text` into users, for who has it from elsewhere than a file. */
void password_file_parse(struct password_file *file);
void password_file_release(struct password_file *file);

/* NULL if all lines are of use, else a sentence about the first that is not. */
const char *password_file_complaint(const struct password_file *file, struct error *words);

/* The hash that a user has at the moment; NULL for who has none or is not there. */
const char *password_find(const struct password_file *file, const char *user);

/*
 * Whether this is the user's password, in a time that does not tell whether there is such a user:
 * for who is not there a hash is computed that costs what most cost. 1, 0, -1.
 */
int password_verify(const struct password_file *file, const char *user, const char *password,
                    struct error *error);

#endif
