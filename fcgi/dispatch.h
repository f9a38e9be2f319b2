/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_DISPATCH_H
#define FCGI_DISPATCH_H

/*
 * From a request to its answer: find the endpoint, check the method, call the handler, send what it
 * made, write the access line. Never exits and never fails: whatever goes wrong becomes an answer
 * or, if the client has gone, a line in the log.
 */

#include "fcgi/request.h"
#include "lib/configuration.h"

/* What a worker keeps from one request to the next. */
struct service {
    struct configuration configuration;
    struct registry registry;
    bool is_open;             /* the registry */
    char document_root[4096]; /* the last one that was found harmless */
};

#define SERVICE_INIT                                                                               \
    {                                                                                              \
        .configuration = CONFIGURATION_INIT, .registry = REGISTRY_INIT                             \
    }

void dispatch(struct service *service, struct request *request);

#endif
