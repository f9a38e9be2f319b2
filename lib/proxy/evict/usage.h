/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_EVICT_USAGE_H
#define PROXY_EVICT_USAGE_H

/*
 * How full a cache is, known without looking at everything: a memo that whoever stores something
 * brings up to date, and whoever has counted everything puts right. Blobs and manifests count, with
 * the blocks that they take. Nobody keeps it where [proxy] maximum_size says nothing.
 *
 * Where it cannot be written it is forgotten, so that the next one who needs it counts. What a
 * crash or somebody's hand makes wrong of it is put right when room is made, or after a day.
 */

#include "lib/proxy/ask/options.h"

struct usage {
    uint64_t used;   /* bytes */
    uint64_t added;  /* bytes that ever came: also while somebody counts */
    uint64_t fixed;  /* of those used: what must not go */
    uint64_t inodes; /* that come free if all goes that may, or about that; UINT64_MAX: unknown */
};

/*
 * LAYOUT_SPACE_LOCK: who counts, or asks for room, sees what others have just done. It only makes
 * the numbers better: whoever is stopped while he has it, or hangs, is done without after some
 * seconds. LOCK_BUSY: so many want it that it is better to go on.
 */
enum lock_result usage_lock(const struct store *store, struct lock *lock, struct error *error);

/* 1; 0 if nobody has counted yet; -1. */
int usage_read(const struct store *store, struct usage *out_usage, struct error *error);

/* So many bytes were stored. Locking: takes LAYOUT_SPACE_LOCK. */
void usage_add(const struct proxy_options *options, struct store *store, uint64_t bytes);

/*
 * Everything was counted, beginning when usage_read() said `before`. What came meanwhile counts
 * once more, until the next time. Locking: takes LAYOUT_SPACE_LOCK.
 */
void usage_correct(struct store *store, const struct usage *before, const struct usage *counted);

#endif
