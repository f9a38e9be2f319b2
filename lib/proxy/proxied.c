/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/proxied.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/store/memo.h"

enum { VIA_LIMIT = 400 }; /* bytes of the path that a request may have come */

static int proxied_set_via(struct upstream *upstream, const char *received, struct error *error)
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

int proxied_find(struct proxied *out_proxied, struct store *cache,
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
    if (lookup->may_wait && proxied_set_via(&found.upstream, lookup->via, error) < 0) {
        return -1;
    }
    (void)snprintf(found.name, sizeof(found.name), "%s", there.data);
    (void)snprintf(found.repository.name, sizeof(found.repository.name), "%s", here.data);
    found.repository.store = cache;
    *out_proxied = found;
    return 0;
}
