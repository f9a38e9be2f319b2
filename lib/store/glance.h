/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_GLANCE_H
#define STORE_GLANCE_H

/*
 * What can be told of a repository without reading anything in it, for lists of thousands: two or
 * three calls each. It is for people's eyes: what has just been removed may still be counted.
 */

#include "lib/store/store.h"

struct glance {
    bool has_manifests; /* or it is as if it were not there */
    int64_t changed;    /* when a manifest last came or went, in seconds since the epoch */
};

void glance_take(const struct repository *repository, struct glance *out);

/*
 * Goes through the repositories below a name ("": all), those below one another next to each other
 * but in no other order, and tells `found` of those that have manifests: a walk for lists, which
 * opens each directory once and looks at what is in it from there. What cannot be read is passed
 * over. False if there are more than `limit` names.
 */
struct glance_visitor {
    void (*found)(void *context, const char *name, const struct glance *glance);
    void *context;
    size_t limit;
};
bool glance_walk(const struct store *store, const char *prefix,
                 const struct glance_visitor *visitor);

/* How many tags it has. */
uint64_t glance_count_tags(const struct repository *repository);

#endif
