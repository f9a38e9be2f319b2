/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_INDEX_H
#define OCI_INDEX_H

/*
 * What an image index says about its children besides their digests: the platforms that they are
 * for (image-index.md, "platform").
 */

#include "lib/oci/digest.h"
#include "lib/oci/document.h"

struct platform {
    char os[32];
    char architecture[32];
    char variant[32]; /* may be empty */
};

/* "linux/arm64" or "linux/arm64/v8". */
bool platform_parse(struct platform *out_platform, const char *text);

/*
 * Whether what is for `has` is meant by `wanted`. Without a variant, any is meant; arm64 without a
 * variant is v8, arm is v7.
 */
bool platform_matches(const struct platform *wanted, const struct platform *has);

struct index_child {
    struct digest digest;
    bool has_platform; /* else nobody knows what it is for: an artifact, or another index */
    struct platform platform;
};

struct index {
    struct index_child *children;
    size_t count;
};

#define INDEX_INIT                                                                                 \
    {                                                                                              \
        .children = NULL, .count = 0                                                               \
    }
#define AUTO_INDEX AUTO(index_release)

/* Also for a manifest that is no index: it has no children. ERROR_MANIFEST_INVALID. */
int index_parse(struct index *out_index, const struct document *document, struct error *error);
void index_release(struct index *index);

#endif
