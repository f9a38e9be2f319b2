/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_ACCOUNT_H
#define FCGI_ACCOUNT_H

/* What is written down of a request when its answer has left: a line in the log, and in the numbers
 * of this host. */

#include "fcgi/handle/exchange.h"

/* As soon as the store is there, and before, if it has been here: shares the numbers with the other
 * processes of this host. What keeps us from that is logged once, where somebody wants them. */
void account_open(const struct registry_options *options);

/* REMOTE_ADDR, of whoever has connected to the web server; NULL if he says that he has passed a
 * request on. Of whom, he could say anything. */
const char *account_address(const struct request *request);

/* An answer that is complete, or broke off with the error. */
void account_answer(const struct exchange *exchange, const struct error *error);

/* Once for a request that failed, if it is anything to the operator. */
void account_failure(const struct request *request, const struct error *error);

#endif
