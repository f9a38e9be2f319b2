/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_DISPATCH_H
#define FCGI_DISPATCH_H

/*
 * From a request to its answer: find the endpoint, check the method, call the handler, send what it
 * made, write the access line. Never exits and never fails: whatever goes wrong becomes an answer
 * or, if the client has gone, a line in the log.
 *
 * A request that has to wait for another registry is not for a worker: dispatch() then has sent
 * nothing, and is to be called again in a process of its own, which holds the slot.
 */

#include "fcgi/document_root.h"
#include "fcgi/request.h"
#include "lib/access/access.h"
#include "lib/configuration/configuration.h"
#include "lib/proxy/fill/slot.h"

/* What a worker keeps from one request to the next. */
struct service {
    struct configuration configuration;
    struct registry registry;
    bool is_open;                           /* the registry */
    struct access *access;                  /* opened with the first request */
    char document_root[DOCUMENT_ROOT_SIZE]; /* the last one that was found harmless */
};

#define SERVICE_INIT                                                                               \
    {                                                                                              \
        .configuration = CONFIGURATION_INIT, .registry = REGISTRY_INIT                             \
    }

enum dispatch_result {
    DISPATCH_DONE,
    DISPATCH_MUST_WAIT,
};

enum dispatch_patience {
    PATIENCE_NONE,      /* other clients are waiting for this process */
    PATIENCE_UNLIMITED, /* it is this client's own */
};

/* Fills in `out_slot` for DISPATCH_MUST_WAIT. */
enum dispatch_result dispatch(struct service *service, struct request *request,
                              enum dispatch_patience patience, struct slot *out_slot);

/* Answers with this error, whatever was asked for. */
void dispatch_refuse(struct request *request, struct error *reason);

#endif
