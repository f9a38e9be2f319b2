/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/proxied.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"
#include "lib/store/memo.h"

enum { VIA_LIMIT = 400 }; /* bytes of the path that a request may have come */

void proxied_open(struct proxied *proxied, const struct upstream *upstream, const char *name,
                  struct store *cache, struct report *report)
{
    AUTO_BUFFER struct buffer here = BUFFER_INIT;

    *proxied = (struct proxied){.upstream = *upstream, .report = report};
    proxied->upstream.store = cache;
    proxied->repository.store = cache;
    (void)snprintf(proxied->name, sizeof(proxied->name), "%s", name);
    buffer_format(&here, "%s/%s", upstream->name, name);
    (void)text_copy(proxied->repository.name, NAME_SIZE, here.data, here.length);
}

int proxied_set_via(struct proxied *proxied, const char *via, struct error *error)
{
    struct upstream *upstream = &proxied->upstream;
    AUTO_BUFFER struct buffer id = BUFFER_INIT;
    struct error ignored;
    uint64_t age;

    /* Who cannot read his own name does not know a loop, until its path is too long. */
    (void)memo_read((struct file_place){upstream->store->root, LAYOUT_INSTANCE}, &id, &age,
                    &ignored);
    if (via && ((id.length > 0 && strstr(via, id.data)) || strlen(via) > VIA_LIMIT ||
                strpbrk(via, "\r\n"))) {
        return error_set(error, ERROR_UPSTREAM, "this request has come here before: a loop");
    }
    (void)snprintf(upstream->via, sizeof(upstream->via), "%s%s1.1 %s", via ? via : "",
                   via ? ", " : "", id.length > 0 ? id.data : "berth");
    return 0;
}

int proxied_let_wait(struct proxied *proxied, const char *via, struct error *error)
{
    if (proxied_set_via(proxied, via, error) < 0) {
        return -1;
    }
    proxied->may_wait = true;
    return 0;
}
