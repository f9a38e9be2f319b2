/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_COMMAND_SETUP_ADDRESS_H
#define FCGI_COMMAND_SETUP_ADDRESS_H

/*
 * The address that `berth check --setup` is given: what is refused, what it means without a scheme,
 * and which one would have been right if http is spoken to a port of TLS or the other way round.
 */

#include "fcgi/command/findings.h"
#include "lib/base/buffer.h"
#include "lib/configuration/configuration.h"
#include "lib/http/client.h"

/* A limit of each step of a request, in milliseconds. */
enum { SETUP_CONNECT_TIMEOUT = 10000, SETUP_STALL_TIMEOUT = 30000 };

/*
 * Whether this is the URL of a server, or one without its scheme: HOST:PORT, or a name with a dot,
 * since a word alone is a slip more often than a server. Whether a name or password is in it.
 */
bool setup_url_is_valid(const char *url);
bool setup_url_has_user(const char *url);

/*
 * Adds the URL with a scheme, and tells what was taken: https if TLS is spoken there, else http,
 * but never if there is a password to send: false.
 */
bool setup_url_complete(const struct configuration *configuration, const char *url,
                        bool has_password, struct findings *findings, struct buffer *out);

/* Tells that the other of http and https is spoken there; false if it is not so. */
bool setup_url_tell_language(const struct configuration *configuration, const char *url,
                             struct findings *findings);

#endif
