/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_FILL_FETCHER_H
#define PROXY_FILL_FETCHER_H

/*
 * A filler that has done its work, or was refused what it asked for, stays for some seconds, with
 * its connections to the registry, the token service and where blobs are sent from, and takes the
 * next blob of the same upstream: one at a time, whichever repository it is for. Whoever starts a
 * fetch looks for one, and hands over what to fetch, and the descriptors of the fetch's lock and of
 * the slot, which it holds from then on. A lock travels only after the other side has said that it
 * is ready. Questions that have short answers (manifests, HEADs, lists) it asks as well, and sends
 * the answer back (fill/errand); for these it holds no slot, since who waits for the answer does.
 *
 * Nothing depends on it. Nobody there, or nobody who answers at once, and a new process is started,
 * as if there were no such thing; one that dies with a fetch leaves it to the next who needs the
 * blob, like any filler. Those that wait hold no slot, but are few: FETCHERS_OF_ONE for an
 * upstream, FETCHERS_OF_ALL for a cache on this host. `ps` shows them as FETCHER_NAME.
 *
 * They find each other by a name that is made of all that has to be the same: user, cache,
 * configuration, program and upstream.
 */

#include "lib/proxy/ask/question.h"
#include "lib/proxy/fill/partial.h"
#include "lib/proxy/fill/slot.h"

enum { FETCHERS_OF_ONE = 16, FETCHERS_OF_ALL = 64 };

#define FETCHER_NAME "berth-idle"

/* From now on fillers that this process or a child of it starts may stay. Not where somebody waits
 * for the end of all that he has started, as of a CGI program. */
void fetcher_allow(void);

/* The same, but they stay no longer than this process: for a command. -1 if that cannot be. */
int fetcher_allow_for_now(struct error *error);

/* What tells those that may stay of our end: a descriptor to be kept in their process, or -1. */
int fetcher_tether(void);

/* A connection to one that waits, and has said that it is ready: it is to be given something at
 * once. -1 if there is none. `is_hasty`: for who cannot wait for one that may be stopped. */
int fetcher_find(const struct upstream *upstream, bool is_hasty);

/*
 * Gives a fetch to the one that was found. False if that has gone; then it is still the caller's.
 * Else the lock and the slot are the other's as soon as the caller lets go of them, and the
 * connection ends with the fetch, or when that turns out to be a long one: see filler_run().
 */
bool fetcher_give(int connection, const struct fill *fill, const struct lock *lock,
                  const struct slot *slot);

/*
 * As question_ask(), for what is read as a whole and not longer than the question's limit: asked by
 * one that waits, or by a new process that will, so that its connections serve for what comes next.
 * The answer is complete when this returns. Where nobody answers it is asked by this process
 * itself. ERROR_CLIENT_GONE.
 */
int fetcher_ask(const struct upstream *upstream, const struct question *question,
                struct answer *out_answer, struct report *report, struct error *error);

/* In a new process, with the fetch's lock and a slot: downloads, perhaps again and again, and
 * ends. */
_Noreturn void fetcher_run(const struct fill *fill, struct lock *lock, struct slot *slot);

#endif
