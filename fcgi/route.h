/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_ROUTE_H
#define FCGI_ROUTE_H

/* From the path of a request to what it is about (distribution-spec, "Endpoints"). Pure. */

#include <stdbool.h>

#include "lib/oci/name.h"

enum route_kind {
    ROUTE_BASE,      /* /v2/ */
    ROUTE_CATALOG,   /* /v2/_catalog */
    ROUTE_TOKEN,     /* /v2/_berth/token */
    ROUTE_SETUP,     /* /v2/_berth/setup, for `berth check --setup` */
    ROUTE_METRICS,   /* /v2/_berth/metrics, for Prometheus */
    ROUTE_HEALTH,    /* /v2/_berth/health */
    ROUTE_BLOB,      /* /v2/<name>/blobs/<digest> */
    ROUTE_UPLOADS,   /* /v2/<name>/blobs/uploads/ */
    ROUTE_UPLOAD,    /* /v2/<name>/blobs/uploads/<id> */
    ROUTE_MANIFEST,  /* /v2/<name>/manifests/<tag or digest> */
    ROUTE_TAGS,      /* /v2/<name>/tags/list */
    ROUTE_REFERRERS, /* /v2/<name>/referrers/<digest> */
};

struct route {
    enum route_kind kind;
    char name[NAME_SIZE]; /* as it came, not checked; empty when there is none or it is too long */
    char reference[192];  /* digest, tag or id, not checked; empty when it was too long for one */
};

/* `path` is decoded. False if no endpoint looks like this. */
bool route_parse(const char *path, struct route *out_route);

#endif
