/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_TAGGED_H
#define STORE_TAGGED_H

/* All tags of a repository with what they stand for and since when, for lists that people look at.
 */

#include "lib/store/tag.h"

struct tagged {
    char tag[TAG_SIZE];
    struct digest digest;
    int64_t moved; /* when it was last pointed to it, in seconds since the epoch */
};

struct tagged_list {
    struct tagged *items; /* in the order of the tags' bytes */
    size_t count;
    size_t capacity;
    bool is_cut; /* there are more */
};

#define TAGGED_LIST_INIT                                                                           \
    {                                                                                              \
        .items = NULL                                                                              \
    }
#define AUTO_TAGGED_LIST AUTO(tagged_list_release)
void tagged_list_release(struct tagged_list *list);

int tagged_list_read(const struct repository *repository, size_t limit, struct tagged_list *out,
                     struct error *error);

/*
 * Calls for each tag, in no order, with what it stands for: each is read once, which for a hundred
 * thousand takes a fraction of what a walk in order does. 0, -1.
 */
int tagged_visit(const struct repository *repository,
                 void (*visit)(void *context, const char *tag, const struct digest *digest),
                 void *context, struct error *error);

/*
 * Whether `one` comes before `other` as people count: runs of digits are numbers, so that 1.9 is
 * before 1.10, and a version is behind its own candidates (1.0-rc1, 1.0). As strcmp().
 */
int tagged_compare(const char *one, const char *other);

#endif
