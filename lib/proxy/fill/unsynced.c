/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/fill/unsynced.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/store/blob.h"

enum { UNSYNCED_LIMIT = 64 };

static struct unsynced {
    struct store *store;
    struct digest digest;
    int descriptor;
} unsynced[UNSYNCED_LIMIT];
static size_t unsynced_count;

void unsynced_add(struct store *store, const struct digest *digest, int descriptor)
{
    if (unsynced_count == UNSYNCED_LIMIT) {
        unsynced_settle();
    }
    unsynced[unsynced_count++] =
        (struct unsynced){.store = store, .digest = *digest, .descriptor = descriptor};
}

bool unsynced_has_any(void)
{
    return unsynced_count > 0;
}

void unsynced_settle(void)
{
    /* All are given to the disk before the first one is waited for. */
    for (size_t i = 0; i < unsynced_count; i++) {
        (void)sync_file_range(unsynced[i].descriptor, 0, 0, SYNC_FILE_RANGE_WRITE);
    }
    for (size_t i = 0; i < unsynced_count; i++) {
        struct error error;

        if (blob_settle(unsynced[i].store, &unsynced[i].digest, unsynced[i].descriptor, &error) <
            0) {
            log_warning("%s is fetched again when it is wanted: %s", unsynced[i].digest.text,
                        error.message);
        }
        (void)close(unsynced[i].descriptor);
    }
    unsynced_count = 0;
}
