/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_ROBOT_H
#define ACCESS_ROBOT_H

/*
 * Credentials for programs: a name and a random secret, kept in the store as SHA-256, a file each
 * in the vault (vault.h). Random bits need no slow hash. A robot gets its rights from the rules,
 * where it is "robot/NAME"; what it was made with only narrows them.
 *
 *     berth robot 1
 *     secret <64 digits>
 *     rights 3
 *     repositories team/x, a/b        (patterns, commas between them; may be none)
 *     made 1764000000
 *     expires 0                 (0: never)
 *
 * The time of the file is that of the last use, to the hour; 0 until then.
 */

#include <stdint.h>

#include "lib/access/secret.h"
#include "lib/access/subject.h"
#include "lib/access/vault.h"
#include "lib/base/names.h"

#define ROBOT_SECRET_PREFIX "berth_s_"

enum { ROBOT_NAME_SIZE = 64 };

struct robot {
    char name[ROBOT_NAME_SIZE]; /* without "robot/" */
    struct secret hash;
    unsigned rights; /* of enum right: at most these */
    char repositories[SUBJECT_NAMES_SIZE];
    uint64_t made;
    uint64_t expires;
    uint64_t last_use; /* 0: not yet */
};

/* Lower-case letters, digits, and inside '.', '_', '-': nothing that a shell expands. */
bool robot_name_is_valid(const char *name);

/*
 * Keeps a new robot, of which name, rights, repositories and expiry are given, and adds its secret
 * to `out_secret`, for the only time. 1; 0 if there is one of that name; -1.
 */
int robot_add(const char *directory, const struct robot *robot, struct buffer *out_secret,
              struct error *error);
/* 1, 0 if there was none, -1. */
int robot_remove(const char *directory, const char *name, struct error *error);
/* Adds the names of all, sorted. */
int robot_list(const char *directory, struct names *out, struct error *error);
/* 1, 0 if there is none, -1. */
int robot_read(const char *directory, const char *name, struct robot *out, struct error *error);

bool robot_has_secret(const struct robot *robot, const char *secret);
bool robot_has_expired(const struct robot *robot, int64_t now);

/* At most once an hour; that it fails is nobody's trouble. */
void robot_used(const char *directory, const struct robot *robot);

/* Whom it is for the rules, with its narrowing. */
void robot_subject(const struct robot *robot, struct subject *out);

/* Takes the text of a file apart; false for what is not entirely one. The name stays. */
bool robot_parse(struct robot *out, const char *text);

#endif
