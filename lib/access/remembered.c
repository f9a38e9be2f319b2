/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/remembered.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/memory.h"

static int remembered_tag(struct remembered *remembered, const char *token, struct secret *out,
                          struct error *error)
{
    if (!remembered->entries) {
        if (secret_random(&remembered->key, error) < 0) {
            return -1;
        }
        remembered->entries = memory_allocate(REMEMBERED_ENTRIES, sizeof(*remembered->entries));
    }
    return secret_sign_bytes(&remembered->key, token, strlen(token), out, error);
}

int remembered_find(struct remembered *remembered, const char *token, int64_t now,
                    struct subject *out, struct error *error)
{
    struct secret tag;

    if (remembered_tag(remembered, token, &tag, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < REMEMBERED_ENTRIES; i++) {
        const struct remembered_entry *entry = &remembered->entries[i];

        if (entry->until > clock_milliseconds() && entry->subject.end > now &&
            secret_is_same(&entry->tag, &tag)) {
            *out = entry->subject;
            return 1;
        }
    }
    return 0;
}

/* In the place of the oldest. */
int remembered_add(struct remembered *remembered, const char *token, const struct subject *subject,
                   struct error *error)
{
    struct remembered_entry *oldest;
    struct secret tag;

    if (remembered_tag(remembered, token, &tag, error) < 0) {
        return -1;
    }
    oldest = remembered->entries;
    for (size_t i = 1; i < REMEMBERED_ENTRIES; i++) {
        struct remembered_entry *entry = &remembered->entries[i];

        oldest = entry->until < oldest->until ? entry : oldest;
    }
    oldest->tag = tag;
    oldest->subject = *subject;
    oldest->until = clock_milliseconds() + (int64_t)REMEMBERED_SECONDS * 1000;
    return 0;
}

void remembered_wipe(struct remembered *remembered)
{
    secret_wipe(&remembered->key);
    free(remembered->entries);
    remembered->entries = NULL;
}
