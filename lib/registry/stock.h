/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_STOCK_H
#define REGISTRY_STOCK_H

/*
 * How much there is of everything, for who may see everything: it would tell others of what they
 * may not see. Nothing is walked: what is dear was counted before, and is told with its age.
 */

#include "lib/observe/count/totals.h"
#include "lib/registry/registry.h"
#include "lib/store/census.h"
#include "lib/store/chore.h"

struct stock {
    uint64_t disk; /* bytes of the filesystem that the registry's storage is on; 0: unknown */
    uint64_t free; /* of those, what may still be written */
    bool is_counted;
    struct census census;
    uint64_t counted_ago; /* seconds */
    bool has_collected;
    struct chore_past collected;
    bool has_checked;
    struct chore_past checked;
    bool is_served; /* whether anything was ever counted */
    struct totals_day days[TOTALS_DAYS];
};

/* 1; 0 if this caller may not see everything. The permit is one for PERMISSION_LIST. */
int stock_take(const struct registry *registry, const struct permit *permit, struct stock *out);

#endif
