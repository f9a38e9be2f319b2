/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_WORKER_H
#define FCGI_WORKER_H

#include "fcgi/dispatch.h"

/*
 * Serves one request after the other from the listening socket on descriptor 0, until SIGTERM: then
 * the request in hand is finished first. Returns the exit status.
 */
int worker_run(struct service *service);

/* Serves the single request of a CGI process. */
int worker_run_cgi(struct service *service);

#endif
