/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_RECALL_H
#define STORE_RECALL_H

/*
 * What can be reached (lib/store/reach) when what tags and live manifests need has come back from
 * the collector's trash: children, layers, and the referrers that went with a subject which is here
 * again, with the tags by which clients keep them. Where somebody only looks nothing comes back,
 * and who would need it is blind.
 */

#include "lib/store/reach.h"

/* 0, -1. */
int recall_reach(struct reach *reach, const struct repository *repository,
                 const struct reach_rules *rules, struct error *error);

#endif
