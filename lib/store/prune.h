/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_PRUNE_H
#define STORE_PRUNE_H

/*
 * Takes out of one repository what cannot be reached in it, and moves it to the trash of the
 * collector: manifests, tags of what is gone, links to layers, what was kept beside them; and the
 * repository itself when nothing is left of it. What names others goes before them, and if it stays
 * after all, so do they: whatever comes back from the trash finds there what it needs.
 *
 * Each thing is looked at once more under the lock: what somebody has touched since stays. A
 * manifest is pushed under the same lock, and touches what it names (lib/store/touch).
 */

#include "lib/store/reach.h"
#include "lib/store/trash.h"

struct prune_rules {
    struct timespec before;  /* what was touched at this time, or later, stays */
    bool dry_run;            /* counts and tells only */
    struct no_room *no_room; /* for what stays so: see trash_collect() */
    /* Called for each thing that goes, with a path below the root and the reason. */
    void (*found)(void *context, const char *path, const char *why);
    /* Called for what is damaged. */
    void (*problem)(void *context, const char *path, const char *what);
    void *context;
};

struct prune_report {
    uint64_t manifests;
    uint64_t tags;
    uint64_t links;
    uint64_t repositories;
};

/*
 * Adds to `marked` what the links lead to that stay, and to `report` what went. 0, -1.
 *
 * Locking: takes repository_lock() again and again, for a moment each time.
 */
int prune_repository(struct reach *reach, const struct prune_rules *rules,
                     struct digest_keys *marked, struct prune_report *report, struct error *error);

#endif
