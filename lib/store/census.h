/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_CENSUS_H
#define STORE_CENSUS_H

/*
 * What a store holds, as it was last counted by who has looked at everything anyway: to count takes
 * long, to read this does not.
 */

#include "lib/store/store.h"

struct census {
    uint64_t repositories;
    uint64_t tags;
    uint64_t manifests;
    uint64_t blobs;
    uint64_t bytes;        /* of the blobs */
    uint64_t linked_bytes; /* if each repository had its own copies */
    struct census_trash {
        uint64_t files;
        uint64_t bytes;
    } trash[TRASH_COUNT];
};

int census_write(struct store *store, const struct census *census, struct error *error);

/* 1 and how many seconds ago it was counted; 0 if it never was; -1. */
int census_read(const struct store *store, struct census *out_census, uint64_t *out_age,
                struct error *error);

/* Upload sessions that there are, and those that somebody is writing to in this moment. */
struct census_uploads {
    uint64_t sessions;
    uint64_t active;
};
int census_count_uploads(const struct store *store, struct census_uploads *out,
                         struct error *error);

#endif
