/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_COMMAND_SETUP_REQUEST_H
#define FCGI_COMMAND_SETUP_REQUEST_H

/*
 * The part of `berth check --setup` that asks: a request through the web server, with a token that
 * only those know who may write to the store, and what the worker says about it
 * (fcgi/handle/setup).
 */

#include "fcgi/command/findings.h"
#include "lib/configuration/configuration.h"

/* Whether this is the URL of a server. */
bool setup_url_is_valid(const char *url);

/* EXIT_FINE, whatever it found, or EXIT_FAILED if nothing can be asked. `cache` may be NULL. */
int setup_request(const struct configuration *configuration, struct store *hosted,
                  struct store *cache, const char *url, struct findings *findings);

#endif
