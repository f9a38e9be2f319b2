/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_HANDLE_METRICS_H
#define FCGI_HANDLE_METRICS_H

/* The families of /v2/_berth/metrics. What was counted is in memory; the rest is looked up: nothing
 * that takes longer for a larger store. */

#include "fcgi/handle/exchange.h"
#include "lib/observe/count/exposition.h"

/* gauges.c: how full the stores are, what is in them, what is on its way. */
void gauges_add_hosted(struct exposition *exposition, struct registry *registry);
/* Of events that wait for receivers. */
struct events_options;
void gauges_add_events(struct exposition *exposition, struct registry *registry,
                       const struct events_options *options);
/* Of other registries: each that is configured. */
void gauges_add_cache(struct exposition *exposition, struct registry *registry);

#endif
