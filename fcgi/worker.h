/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_WORKER_H
#define FCGI_WORKER_H

#include "fcgi/dispatch.h"

/*
 * Serves one request after the other from the listening socket on descriptor 0, until SIGTERM: then
 * the request in hand is finished first. Returns the exit status.
 */
int worker_run(struct service *service);

/* Serves the single request of a CGI process, which outlives SIGTERM by some seconds at most. */
int worker_run_cgi(struct service *service);

/*
 * For a program that cannot serve at all, and will end: answers those who are waiting already with
 * the error, so that nobody hangs while one worker after the other fails to start. Logs the reason.
 */
void worker_refuse(struct error *reason);
void worker_refuse_cgi(struct error *reason);

#endif
