/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_TELL_H
#define FCGI_TELL_H

/*
 * What others are told of a request: events, from what its handler has noted (struct deed) or what
 * the store says was done, and lines of the audit log, also of what was refused. It costs nothing,
 * not a system call, where nobody is to be told.
 */

#include "fcgi/handle/exchange.h"

/*
 * Once the answer is made and before it leaves: then what is to be told is on disk. `error` is why
 * it was refused, or NULL.
 */
void tell_exchange(const struct exchange *exchange, const struct error *error);

/* As a source's `changed` and `done`; `teller` is the exchange. The latter raises what changes a
 * repository at once, while its lock is held: see lib/observe/events. */
void tell_note_change(void *teller, const char *tag, const struct digest *former);
void tell_done(void *teller, const struct actor_deed *deed);

/* Once the client has its answer. Also looks now and then for what was left to be told. */
void tell_afterwards(struct registry *registry, const struct events_options *options);

#endif
