/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_SIZES_H
#define STORE_SIZES_H

/*
 * How large the repositories of a store are, as they were last counted: what each has links to,
 * also if others have it as well. A sum tells whether there is what it is of, and so may be of
 * nothing that the repository itself is not given. To count takes a look at every link, and is for
 * who has looked at everything anyway; to read takes a millisecond for thousands. Of very many
 * repositories the first are known, as far as MEMO_LIMIT goes.
 *
 *   AUTO_SIZES struct sizes sizes = SIZES_INIT;
 *   if (sizes_read(store, &sizes, &age, &error) > 0 && sizes_find(&sizes, "team/app", &bytes)) …
 */

#include "lib/store/store.h"

struct sizes {
    struct buffer memo;
    const char **lines; /* within it: "NAME BYTES", in the order of their bytes */
    size_t count;
};

#define SIZES_INIT                                                                                 \
    {                                                                                              \
        .memo = BUFFER_INIT                                                                        \
    }
#define AUTO_SIZES AUTO(sizes_release)
void sizes_release(struct sizes *sizes);

/* Of what a repository has a link to, what is shown to it. */
struct sizes_judge {
    bool (*shows)(void *context, const char *repository, const struct digest *blob);
    void *context;
};

/* Counts anew. What cannot be read is left out, and so are blobs that the judge does not show;
 * NULL where a link is all that is needed. */
int sizes_count(struct store *store, const struct sizes_judge *judge, struct error *error);

/* 1 and how many seconds ago they were counted; 0 if they never were; -1. */
int sizes_read(const struct store *store, struct sizes *out, uint64_t *out_age,
               struct error *error);

/* False if it was not there then. */
bool sizes_find(const struct sizes *sizes, const char *name, uint64_t *out_bytes);

#endif
