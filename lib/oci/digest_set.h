/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_DIGEST_SET_H
#define OCI_DIGEST_SET_H

/* Which digests will do, as somebody has said it: some, or any. */

#include "lib/oci/digest.h"

struct digest_set {
    bool any; /* whatever there is */
    struct digest *digests;
    size_t count;
};

#define DIGEST_SET_INIT                                                                            \
    {                                                                                              \
        .any = false, .digests = NULL, .count = 0                                                  \
    }
#define AUTO_DIGEST_SET AUTO(digest_set_release)

void digest_set_add(struct digest_set *set, const struct digest *digest);

/* `digest` is NULL for what does not exist, which not even `any` is. */
bool digest_set_has(const struct digest_set *set, const struct digest *digest);

void digest_set_release(struct digest_set *set);

#endif
