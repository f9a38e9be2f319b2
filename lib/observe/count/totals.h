/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COUNT_TOTALS_H
#define COUNT_TOTALS_H

/*
 * What all hosts of a store have counted together, for people: the last days, and what the cache
 * has saved. Only reads, and takes a fraction of a millisecond for each host.
 */

#include "lib/base/error.h"
#include "lib/observe/count/tally.h"

enum { TOTALS_DAYS = 30 };

struct totals_day {
    uint64_t requests;
    uint64_t served; /* bytes to clients */
    uint64_t
        saved; /* of those, the ones that were another registry's and were not fetched that day */
    uint64_t pulls;  /* manifests that were got */
    uint64_t pushes; /* manifests that were put */
};

struct totals_upstream {
    char name[COUNTED_NAME]; /* "": all others */
    uint64_t looks[LOOK_COUNT];
    uint64_t served;  /* bytes to clients */
    uint64_t fetched; /* bytes from there */
    uint64_t saved;   /* bytes that came from the cache instead */
};

struct totals {
    struct totals_day days[TOTALS_DAYS]; /* by UTC; the first is today */
    struct totals_upstream upstreams[COUNTED_UPSTREAMS];
    size_t upstream_count; /* those of which anything was counted */
};

/* `hosts` is the directory in which each host has its own. 1; 0 if nothing was ever counted; -1. */
int totals_read(const char *hosts, struct totals *out, struct error *error);

#endif
