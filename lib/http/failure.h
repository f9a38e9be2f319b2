/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_FAILURE_H
#define HTTP_FAILURE_H

/*
 * What libcurl says when a transfer fails, as an error that an operator understands, with the
 * remedy where there is one. Pure, but for a look whether this process may still open files.
 *
 * What libcurl adds in its own words is only read, never passed on: it may name an address that is
 * nobody's business. All messages begin as lib/http/party makes them.
 */

#include <stdbool.h>

#include "lib/http/party.h"

struct http_failure {
    struct http_party party;
    int result;          /* a CURLcode */
    const char *details; /* its error buffer */
    long os_errno;       /* of connecting; 0: unknown */
    long verify_result;  /* of the certificate, an X509_V_ERR_… */
    long proxy_status;   /* what a proxy answered to CONNECT; 0: none or nothing */
    bool has_proxy;
    bool has_ca_file;
    bool is_connected; /* to the upstream, TLS included */
};

/*
 * ERROR_UPSTREAM_UNREACHABLE (resolving, connecting, TLS), ERROR_UPSTREAM_TIMEOUT, ERROR_UPSTREAM
 * (what comes over a connection that stands), ERROR_INTERNAL (ours: no descriptors, no memory).
 */
int http_failure_explain(const struct http_failure *failure, struct error *error);

/* Whether libcurl says that TLS was spoken to somebody who does not speak it. */
bool http_failure_is_plain(const char *details);

#endif
