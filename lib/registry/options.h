/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_OPTIONS_H
#define REGISTRY_OPTIONS_H

/* What a configuration says about what is served, hosted and proxied. */

#include "lib/access/options.h"
#include "lib/proxy/ask/options.h"
#include "lib/store/collect.h"

/* Who may read the numbers that are counted, and where those are. */
struct metrics_options {
    bool enabled;
    struct names access; /* addresses and networks, see lib/http/network */
    char *directory;     /* of this host alone; made on first use */
    char *hosts;         /* in which each host has its own */
};

struct registry_options {
    struct store_options hosted;
    struct collect_options collect;
    bool read_only;
    uint64_t maximum_manifest_size; /* bytes */
    struct proxy_options proxy;
    struct access_options access;
    struct metrics_options metrics;
};

#endif
