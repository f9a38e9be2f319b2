/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBSERVE_EVENTS_H
#define OBSERVE_EVENTS_H

/*
 * Word to others: the facade of spool and delivery. What has happened is raised after it was
 * committed and before it is acknowledged, and what changes a repository under the lock of that
 * (see struct actor), so that the order of events is the order of what they tell; delivering is
 * begun when the client has its answer.
 *
 * A receiver gets each event at least once, and under one id, so that it can tell; those of one
 * repository in their order, each only when it has taken the one before. What it does not take is
 * tried again after growing pauses for three days, then kept among the failed ones for thirty.
 * Receivers do not wait for each other, and a request for none.
 */

#include "lib/observe/options.h"
#include "lib/observe/spool.h"
#include "lib/store/tag.h"

/* Whether anybody wants to hear of it. No system call. */
bool events_are_wanted(const struct events_options *options, enum event_kind kind,
                       const char *repository);

/* What event a deed is. */
enum event_kind events_kind(const struct actor_deed *deed);

/* Begins one, and says in it what there is to say of the deed: all but the repository, which may be
 * called otherwise where it is asked for, and who has done it. */
void events_describe(struct event *event, const struct actor_deed *deed);

/*
 * Keeps the event for every receiver that wants it: on disk, on return, unless it is of a pull or a
 * fill, which only no kill can lose. What a receiver has no room
 * for any more is logged and not kept.
 */
int events_raise(struct store *store, const struct events_options *options,
                 const struct event *event, struct error *error);

/*
 * Starts a process for each receiver that something can be delivered to now, unless one is at work.
 * It outlives this one; it tries again while the next try is due within a minute. What comes to it
 * only later, a later call finds.
 */
void events_start(struct store *store, const struct events_options *options);

/* What is delivered now, in this process, and what is left then. */
struct events_report {
    uint64_t delivered;
    uint64_t waiting;
    uint64_t failed;
};
int events_deliver(struct store *store, const struct events_options *options,
                   struct events_report *report, struct error *error);

/*
 * Lets events be tried at once: those of this id, for whichever receivers they are, or for NULL all
 * that were given up. Receivers that could not be reached are tried again, too. -1 after those of
 * all others, where somebody who delivers does not let go of a receiver.
 */
int events_resend(struct store *store, const char *id, uint64_t *out_count, struct error *error);

#endif
