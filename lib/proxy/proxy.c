/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/proxy.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"
#include "lib/store/memo.h"

/* Who we are for the registries that we ask: a name that comes back in a Via header is a loop. */
static int proxy_make_instance(struct store *cache, struct error *error)
{
    struct file_place place = {cache->root, LAYOUT_INSTANCE};
    AUTO_BUFFER struct buffer id = BUFFER_INIT;
    char fresh[ID_SIZE];
    struct error reason;
    uint64_t age;
    int found = memo_read(place, &id, &age, error);

    if (found != 0) {
        return found < 0 ? -1 : 0;
    }
    id_make(fresh);
    buffer_format(&id, "berth-%s", fresh);
    /* Where nothing can be written, what is there can still be had, and the rest passed on. */
    return memo_write(cache, place, &id, &reason) < 0 && !error_is_ours(&reason)
               ? error_set(error, reason.code, "%s", reason.message)
               : 0;
}

int proxy_open(struct store *cache, const struct proxy_options *options, struct error *error)
{
    if (store_open(cache, &options->store, error) < 0) {
        return -1;
    }
    if (proxy_make_instance(cache, error) < 0) {
        store_close(cache);
        return -1;
    }
    return 0;
}
