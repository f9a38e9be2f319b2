/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_CONNECTIONS_H
#define HTTP_CONNECTIONS_H

/*
 * Connections that live on when their transfer has ended, for the next one of this process to the
 * same host: for the HTTP client alone. libcurl keeps them, with the addresses that names resolved
 * to, in a multi handle.
 *
 * An address is asked whether it may be connected to when a connection is made, and never again. So
 * there is a multi handle for each policy, and a transfer gets none but connections that were made
 * under its own: what decides about a connection belongs into struct connections_policy.
 *
 * A process that is forked shares the connections of its parent, which nobody may use twice: it
 * forgets them without a word to the other side.
 */

#include <stdbool.h>

struct connections_policy {
    bool allow_private_address;
    bool allow_http;
    const char *proxy;
    const char *ca_file;
};

/* A multi handle of libcurl with what was kept under this policy, to be given back with
 * connections_return() when nothing of the transfer is in it any more; NULL if there is none. */
void *connections_take(const struct connections_policy *policy);
void connections_return(void *multi);

#endif
