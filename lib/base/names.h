/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

/* A list of texts that grows: the names in a directory, tags, descriptors. */

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/cleanup.h"

struct names {
    char **names;
    size_t count;
    size_t capacity;
};

#define NAMES_INIT                                                                                 \
    {                                                                                              \
        .names = NULL, .count = 0                                                                  \
    }
#define AUTO_NAMES AUTO(names_release)

/* Adds a copy. */
void names_add(struct names *names, const char *name);
void names_swap(struct names *names, size_t one, size_t other);
/* A copy of the name in place of the one that is there. */
void names_replace(struct names *names, size_t place, const char *name);
/* Lets go of all but the first of them. */
void names_cut(struct names *names, size_t count);
/* By their bytes. */
void names_sort(struct names *names);
/* Of sorted ones the place of the first that does not come before `text`, as those that begin with
 * it do; `count` if there is none. And whether `name` is one of them. */
size_t names_find(const struct names *names, const char *text);
bool names_sorted_have(const struct names *names, const char *name);
void names_release(struct names *names);

#endif
