/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_TELL_H
#define FCGI_TELL_H

/*
 * What others are told of a request: events, from what its handler has noted (struct deed), and
 * lines of the audit log, also of what was refused. It costs nothing, not a system call, where
 * nobody is to be told.
 */

#include "fcgi/handle/exchange.h"

/*
 * Once the answer is made and before it leaves: then what is to be told is on disk. `error` is why
 * it was refused, or NULL.
 */
void tell_exchange(const struct exchange *exchange, const struct error *error);

/* As a source's `changed`; `deed` is a struct deed. */
void tell_note_change(void *deed, const char *tag, const struct digest *former);

/* Once the client has its answer. Also looks now and then for what was left to be told. */
void tell_afterwards(struct registry *registry, const struct events_options *options);

#endif
