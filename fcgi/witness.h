/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_WITNESS_H
#define FCGI_WITNESS_H

#include "fcgi/handle/exchange.h"

/*
 * A line of the audit log, if the request has changed something, was a log-in, or was refused
 * (`error`, else NULL). That somebody who has shown nothing has to log in before he reads is a
 * question, and no refusal.
 */
void witness_exchange(const struct exchange *exchange, const struct error *error);

#endif
