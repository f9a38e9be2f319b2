/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/oci/digest_set.h"

#include <stdlib.h>

#include "lib/base/memory.h"

void digest_set_add(struct digest_set *set, const struct digest *digest)
{
    set->digests = memory_resize(set->digests, set->count + 1, sizeof(*set->digests));
    set->digests[set->count++] = *digest;
}

bool digest_set_has(const struct digest_set *set, const struct digest *digest)
{
    if (!digest || set->any) {
        return digest != NULL;
    }
    for (size_t i = 0; i < set->count; i++) {
        if (digest_equal(&set->digests[i], digest)) {
            return true;
        }
    }
    return false;
}

void digest_set_release(struct digest_set *set)
{
    free(set->digests);
    *set = (struct digest_set)DIGEST_SET_INIT;
}
