/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/proxy.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"
#include "lib/proxy/memo.h"

enum { VIA_LIMIT = 400 }; /* bytes of the path that a request may have come */

/* Who we are for the registries that we ask: a name that comes back in a Via header is a loop. */
static int make_instance(struct store *cache, struct error *error)
{
    struct file_place place = {cache->root, LAYOUT_INSTANCE};
    AUTO_BUFFER struct buffer id = BUFFER_INIT;
    char fresh[ID_SIZE];
    time_t written;
    int found = memo_read(place, &id, &written, error);

    if (found != 0) {
        return found < 0 ? -1 : 0;
    }
    id_make(fresh);
    buffer_format(&id, "berth-%s", fresh);
    return memo_write(cache, place, &id, error);
}

int proxy_open(struct store *cache, const struct proxy_options *options, struct error *error)
{
    if (store_open(cache, &options->store, error) < 0) {
        return -1;
    }
    if (make_instance(cache, error) < 0) {
        store_close(cache);
        return -1;
    }
    return 0;
}

static int set_via(struct upstream *upstream, const char *received, struct error *error)
{
    AUTO_BUFFER struct buffer id = BUFFER_INIT;
    time_t written;

    if (memo_read((struct file_place){upstream->store->root, LAYOUT_INSTANCE}, &id, &written,
                  error) < 0) {
        return -1;
    }
    if (received && ((id.length > 0 && strstr(received, id.data)) || strlen(received) > VIA_LIMIT ||
                     strpbrk(received, "\r\n"))) {
        return error_set(error, ERROR_UPSTREAM, "this request has come here before: a loop");
    }
    (void)snprintf(upstream->via, sizeof(upstream->via), "%s%s1.1 %s", received ? received : "",
                   received ? ", " : "", id.data);
    return 0;
}

int proxy_find(struct proxied *out_proxied, struct store *cache,
               const struct proxy_options *options, const struct proxy_lookup *lookup,
               struct error *error)
{
    struct proxied found = {.may_wait = lookup->may_wait};
    AUTO_BUFFER struct buffer there = BUFFER_INIT;
    AUTO_BUFFER struct buffer here = BUFFER_INIT;

    if (upstream_find(&found.upstream, options, lookup->host, error) < 0) {
        return -1;
    }
    found.upstream.store = cache;
    upstream_repository(&found.upstream, lookup->name, &there);
    buffer_format(&here, "%s/%s", found.upstream.name, there.data);
    if (!name_is_valid(there.data) || !name_is_valid(here.data)) {
        return error_set(error, ERROR_NAME_INVALID, "this is not a repository name");
    }
    if (lookup->may_wait && set_via(&found.upstream, lookup->via, error) < 0) {
        return -1;
    }
    (void)snprintf(found.name, sizeof(found.name), "%s", there.data);
    (void)snprintf(found.repository.name, sizeof(found.repository.name), "%s", here.data);
    found.repository.store = cache;
    *out_proxied = found;
    return 0;
}
