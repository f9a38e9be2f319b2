/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_COMMAND_SETUP_VISIT_H
#define FCGI_COMMAND_SETUP_VISIT_H

/*
 * The part of `berth check --setup` that asks: requests through the web server, with a token that
 * only those know who may write to the store, and the worker's answers.
 *
 *   visit_begin(), visit_ask() as often as needed; after each, visit_is_understood() and, if it is,
 *   visit_told() …; visit_release().
 */

#include "fcgi/command/findings.h"
#include "fcgi/setup.h"
#include "lib/base/id.h"
#include "lib/configuration/configuration.h"
#include "lib/oci/document.h"

struct visit {
    const struct configuration *configuration;
    struct findings *findings;
    struct buffer address; /* of the endpoint */
    const char *url;
    char token[ID_SIZE];
    struct buffer authorization; /* a header, or empty: secret */
    struct buffer body;          /* what is sent */
    struct buffer answer;        /* what came back */
};

#define VISIT_INIT                                                                                 \
    {                                                                                              \
        .address = BUFFER_INIT, .authorization = BUFFER_INIT, .body = BUFFER_INIT,                 \
        .answer = BUFFER_INIT                                                                      \
    }

/* Makes a token, which the caller writes to where the workers look for it. */
void visit_begin(struct visit *visit, const struct configuration *configuration, const char *url,
                 struct findings *findings);
#define AUTO_VISIT AUTO(visit_release)
void visit_release(struct visit *visit);

/* From now on all requests have these credentials, "user:password"; none if that is empty. */
void visit_log_in(struct visit *visit, const struct buffer *credentials);

/* Sends the body, in chunks or with its length. The answer's status, 0 if there was none. */
int visit_ask(struct visit *visit, bool chunked);

/* Whether it is a worker's answer. What it is else, is told. */
bool visit_is_understood(const struct visit *visit, int status);

/* Gets the probe out of a store, "registry" or "proxy", as a blob would be. The status, or 0. */
int visit_fetch(struct visit *visit, const char *name);

/* The answer, and a member of it; "" if there is none. */
struct document visit_document(const struct visit *visit);
void visit_told(const struct visit *visit, const char *name, struct buffer *out);

#endif
