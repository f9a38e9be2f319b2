/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_DIRECTORY_H
#define BASE_DIRECTORY_H

/*
 * The entries of a directory one after the other, for directories of any size: nothing is kept in
 * memory and nothing is sorted; directory_list() does both. What others add or remove meanwhile may
 * or may not be among them.
 *
 * Declare it `AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;`, then directory_open()
 * once and directory_next() until it does not return 1.
 */

#include <dirent.h>

#include "lib/base/cleanup.h"
#include "lib/base/error.h"
#include "lib/base/names.h"

struct directory {
    DIR *stream;
};

#define DIRECTORY_INIT                                                                             \
    {                                                                                              \
        .stream = NULL                                                                             \
    }
#define AUTO_DIRECTORY AUTO(directory_close)

/* 1; 0 if there is no such directory; -1. Does not follow a link in the last component. */
int directory_open(struct directory *directory, int above, const char *path, struct error *error);

/* 1 and the next name, neither "." nor ".."; 0 at the end; -1. The name is good until the next
 * call. */
int directory_next(struct directory *directory, const char **out_name, struct error *error);

/*
 * The names of the directories in a directory and of what else is there, apart, in the order in
 * which they come: for who goes through a tree. One call of the system for many of them, unless the
 * filesystem does not tell what is what at once. 0, -1.
 */
int directory_split(struct directory *directory, struct names *out_directories,
                    struct names *out_others, struct error *error);

/* The descriptor, for calls that are relative to the directory. */
int directory_descriptor(const struct directory *directory);

void directory_close(struct directory *directory);

/* The names in a directory, sorted. 1; 0 if there is no such directory; -1. */
int directory_list(int above, const char *path, struct names *out, struct error *error);

/*
 * At most `limit` of the names in a directory, by chance which and in which order: for work that is
 * done in portions, without a note of where the last one has ended. 1; 0; -1.
 */
int directory_sample(int above, const char *path, size_t limit, struct names *out,
                     struct error *error);

/* Makes a directory that only its owner may look into, and the one above it, which a fresh store
 * does not have yet; not what is above that. Whether it worked shows when it is used. */
void directory_make(const char *path);

/* Removes the directories below and at `path` that hold nothing but such; files stay. */
void directory_prune(int above, const char *path);

/* Removes a directory or file and what is in it, without following links. Absence is fine. */
int directory_remove(int above, const char *path, struct error *error);

#endif
