/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/route.h"

#include <stddef.h>
#include <string.h>

#include "lib/base/text.h"

/* The name is everything in front; it may itself contain words such as "blobs". */
static const struct {
    const char *marker;
    enum route_kind kind;
} endpoints[] = {
    {"/blobs/uploads/", ROUTE_UPLOAD}, {"/blobs/", ROUTE_BLOB}, {"/manifests/", ROUTE_MANIFEST},
    {"/referrers/", ROUTE_REFERRERS},  {"/tags/", ROUTE_TAGS},
};

/* Those that are of no repository, behind /v2. */
static const struct {
    const char *path;
    enum route_kind kind;
} plain[] = {
    {"/_catalog", ROUTE_CATALOG},     {"/_berth/token", ROUTE_TOKEN},
    {"/_berth/setup", ROUTE_SETUP},   {"/_berth/metrics", ROUTE_METRICS},
    {"/_berth/health", ROUTE_HEALTH},
};

/* Whether the text before `end` ends in `marker`, with something in front of it. */
static bool ends_with(const char *begin, const char *end, const char *marker)
{
    size_t length = strlen(marker);

    return (size_t)(end - begin) > length && memcmp(end - length, marker, length) == 0;
}

static bool parse_repository_path(const char *rest, struct route *out)
{
    const char *last = strrchr(rest, '/');

    if (!last) {
        return false;
    }
    last++;
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(*endpoints); i++) {
        const char *marker = endpoints[i].marker;

        if (!ends_with(rest, last, marker)) {
            continue;
        }
        out->kind = endpoints[i].kind;
        (void)text_copy(out->name, sizeof(out->name), rest, (size_t)(last - rest) - strlen(marker));
        (void)text_copy(out->reference, sizeof(out->reference), last, strlen(last));
        if (out->kind == ROUTE_UPLOAD && !*last) {
            out->kind = ROUTE_UPLOADS;
        }
        return out->kind != ROUTE_TAGS || strcmp(last, "list") == 0;
    }
    return false;
}

bool route_parse(const char *path, struct route *out_route)
{
    struct route route = {.kind = ROUTE_BASE};

    if (!text_begins(path, "/v2")) {
        return false;
    }
    path += 3;
    if (*path == '\0' || strcmp(path, "/") == 0) {
        *out_route = route;
        return true;
    }
    for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
        if (strcmp(path, plain[i].path) == 0) {
            route.kind = plain[i].kind;
            *out_route = route;
            return true;
        }
    }
    if (*path != '/') {
        return false;
    }
    /* Some clients post to ".../blobs/uploads". */
    if (ends_with(path + 1, path + strlen(path), "/blobs/uploads")) {
        route.kind = ROUTE_UPLOADS;
        (void)text_copy(route.name, sizeof(route.name), path + 1,
                        strlen(path + 1) - strlen("/blobs/uploads"));
        *out_route = route;
        return true;
    }
    if (!parse_repository_path(path + 1, &route)) {
        return false;
    }
    *out_route = route;
    return true;
}
