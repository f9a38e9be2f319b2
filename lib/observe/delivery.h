/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBSERVE_DELIVERY_H
#define OBSERVE_DELIVERY_H

/*
 * Delivering to one receiver, by one process at a time on all hosts: whoever holds the lock of its
 * spool.
 *
 * Of each repository only the oldest event is tried. A receiver that answers, but does not take an
 * event, gets those of other repositories; one that cannot be reached, or has refused several in a
 * row, is left alone as a whole. The pause grows with the age of the event that was tried: as long
 * again as it has waited.
 *
 * Only a 2xx is a yes. Redirects are not followed: the address is the one that was configured,
 * under the rules of upstreams. Nothing of an answer is read but its status.
 */

#include "lib/observe/options.h"
#include "lib/observe/spool.h"

struct delivery {
    struct spool spool;
    const struct webhook_options *webhook;
    const struct events_options *options;
    uint64_t delivered;   /* so far */
    int64_t (*now)(void); /* milliseconds, by which a pass ends; NULL: clock_milliseconds() */
};

/* Seconds until something can be delivered: 0 is now; UINT64_MAX if nothing waits. */
uint64_t delivery_delay(const struct delivery *delivery);

/* Delivers what is due now, for a minute, so that a slow receiver does not keep `berth gc`. 0,
 * whatever the receiver says; -1: the spool cannot be read. */
int delivery_pass(struct delivery *delivery, const struct lock *held, struct error *error);

/* A process' whole work: ends when nothing is due within a minute, or somebody else goes on. */
void delivery_run(struct delivery *delivery, struct lock *held);

#endif
