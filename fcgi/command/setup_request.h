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

struct setup_target {
    const char *url;                  /* setup_url_is_valid() */
    const struct buffer *credentials; /* "user:password", or empty */
    struct store *hosted;
    struct store *cache; /* or NULL */
};

/* EXIT_FINE, whatever it found, or EXIT_FAILED if nothing can be asked. */
int setup_request(const struct configuration *configuration, const struct setup_target *target,
                  struct findings *findings);

#endif
