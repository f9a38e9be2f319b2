/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/verified.h"

#include <string.h>

#include "lib/base/clock.h"

static int verified_tag(struct verified *verified, const struct claim *claim, struct secret *out,
                        struct error *error)
{
    const char *texts[] = {claim->user, claim->crypted, claim->password};

    if (!verified->has_key && secret_random(&verified->key, error) < 0) {
        return -1;
    }
    verified->has_key = true;
    return secret_sign(&verified->key, texts, sizeof(texts) / sizeof(*texts), out, error);
}

int verified_knows(struct verified *verified, const struct claim *claim, struct error *error)
{
    AUTO_SECRET struct secret tag;
    int64_t now = clock_milliseconds();
    int known = 0;

    if (verified_tag(verified, claim, &tag, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < VERIFIED_ENTRIES; i++) {
        struct verified_entry *entry = &verified->entries[i];

        if (entry->until != 0 && entry->until <= now) {
            *entry = (struct verified_entry){.until = 0};
        }
        known |= secret_is_same(&entry->tag, &tag) && entry->until != 0;
    }
    return known;
}

int verified_add(struct verified *verified, const struct claim *claim, struct error *error)
{
    struct verified_entry *oldest = &verified->entries[0];

    for (size_t i = 1; i < VERIFIED_ENTRIES; i++) {
        oldest = verified->entries[i].until < oldest->until ? &verified->entries[i] : oldest;
    }
    if (verified_tag(verified, claim, &oldest->tag, error) < 0) {
        oldest->until = 0;
        return -1;
    }
    oldest->until = clock_milliseconds() + (int64_t)VERIFIED_MINUTES * 60 * 1000;
    return 0;
}

void verified_wipe(struct verified *verified)
{
    explicit_bzero(verified, sizeof(*verified));
}
