/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "fcgi/route.h"

/* The path that a route stands for. */
static void build_path(const struct route *route, char *out, size_t size)
{
    switch (route->kind) {
    case ROUTE_BASE:
        (void)snprintf(out, size, "/v2/");
        return;
    case ROUTE_CATALOG:
        (void)snprintf(out, size, "/v2/_catalog");
        return;
    case ROUTE_TOKEN:
        (void)snprintf(out, size, "/v2/_berth/token");
        return;
    case ROUTE_SETUP:
        (void)snprintf(out, size, "/v2/_berth/setup");
        return;
    case ROUTE_METRICS:
        (void)snprintf(out, size, "/v2/_berth/metrics");
        return;
    case ROUTE_HEALTH:
        (void)snprintf(out, size, "/v2/_berth/health");
        return;
    case ROUTE_BLOB:
        (void)snprintf(out, size, "/v2/%s/blobs/%s", route->name, route->reference);
        return;
    case ROUTE_UPLOADS:
    case ROUTE_UPLOAD:
        (void)snprintf(out, size, "/v2/%s/blobs/uploads/%s", route->name, route->reference);
        return;
    case ROUTE_MANIFEST:
        (void)snprintf(out, size, "/v2/%s/manifests/%s", route->name, route->reference);
        return;
    case ROUTE_TAGS:
        (void)snprintf(out, size, "/v2/%s/tags/%s", route->name, route->reference);
        return;
    case ROUTE_REFERRERS:
        (void)snprintf(out, size, "/v2/%s/referrers/%s", route->name, route->reference);
        return;
    }
    abort(); /* a kind that there is not */
}

static void check_route(const char *path, const struct route *route)
{
    struct route again;
    char built[1024];
    bool has_name = *route->name != '\0';

    CHECK(strncmp(path, "/v2", 3) == 0);
    CHECK(strnlen(route->name, sizeof(route->name)) < sizeof(route->name));
    CHECK(strnlen(route->reference, sizeof(route->reference)) < sizeof(route->reference));
    CHECK(!strchr(route->reference, '/'));
    build_path(route, built, sizeof(built));
    if (route->kind >= ROUTE_BLOB && !has_name) {
        CHECK(strlen(path) > NAME_SIZE); /* the only reason for a name to be empty */
        return;
    }
    if (route->kind >= ROUTE_BLOB && route->kind != ROUTE_UPLOADS && !*route->reference &&
        path[strlen(path) - 1] != '/') {
        CHECK(strlen(path) > sizeof(route->reference)); /* as with the name */
        return;
    }
    /* What was too long for one of the two is empty and can be no name, digest or tag. */
    if (strlen(path) < sizeof(route->reference)) {
        bool short_form = strcmp(path, "/v2") == 0 ||
                          (route->kind == ROUTE_UPLOADS && path[strlen(path) - 1] != '/');

        CHECK(short_form ? strncmp(built, path, strlen(path)) == 0 : strcmp(built, path) == 0);
    }
    CHECK(route_parse(built, &again));
    CHECK(again.kind == route->kind && strcmp(again.name, route->name) == 0 &&
          strcmp(again.reference, route->reference) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct route route = {.kind = ROUTE_BASE, .name = "untouched"};
    char *path;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    path = copy_text(data, size);
    if (route_parse(path, &route)) {
        check_route(path, &route);
    } else {
        CHECK(strcmp(route.name, "untouched") == 0);
    }
    free(path);
    return 0;
}
