/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_PORTRAIT_H
#define STORE_PORTRAIT_H

/*
 * What people want to see of a manifest that a repository has: what it says itself, how large all
 * of it is, and what others say about it. Only what lies here is read, and of that no more than the
 * limits below: of each thing, and of all that is read through one gallery, which is one page's.
 * Otherwise whoever pushes a few indexes of the same large manifests makes everybody who looks at
 * them read gigabytes.
 */

#include "lib/oci/description.h"
#include "lib/store/store.h"

enum {
    PORTRAIT_MANIFEST_LIMIT = 1024 * 1024, /* bytes of a manifest that is read */
    PORTRAIT_CONFIG_LIMIT = 1024 * 1024,   /* and of a configuration */
    PORTRAIT_CHILDREN = 32,                /* of an index that are added up */
    PORTRAIT_REFERRERS = 100,
    GALLERY_LIMIT = 16 * 1024 * 1024, /* bytes of all that is read for one page */
};

/* The portraits of a repository that one page shows. What is behind the limit is as what is too
 * long. */
struct gallery {
    const struct repository *repository;
    uint64_t left; /* bytes that may still be read */
};
struct gallery gallery_make(const struct repository *repository);

struct portrait {
    struct digest digest;
    uint64_t manifest_size;
    bool is_readable; /* else it is too long, or nothing that is understood */
    struct description description;
    uint64_t size; /* bytes: of manifests, configurations and layers, of all platforms */
};

#define PORTRAIT_INIT                                                                              \
    {                                                                                              \
        .description = DESCRIPTION_INIT                                                            \
    }
#define AUTO_PORTRAIT AUTO(portrait_release)
void portrait_release(struct portrait *portrait);

/* 1; 0 if the repository has no such manifest; -1. */
int portrait_read(struct gallery *gallery, const struct digest *digest, struct portrait *out,
                  struct error *error);
/* The same, but for what the children of an index add to its size. */
int portrait_read_alone(struct gallery *gallery, const struct digest *digest, struct portrait *out,
                        struct error *error);

/* The configuration, if the repository may show it: its link and its bytes are here, and it is not
 * too long. 1, 0. */
int portrait_read_config(struct gallery *gallery, const struct description *description,
                         struct image_config *out);

/* What refers to it. The parts are as those of an index. */
int portrait_read_referrers(struct gallery *gallery, const struct digest *digest,
                            struct description *out, struct error *error);

/* The kinds of what refers to it, a bit for each: 1 << KIND_SIGNATURE; also what cosign keeps under
 * tags of its own. */
unsigned portrait_marks(struct gallery *gallery, const struct digest *digest);

/* Whether a tag is one of those that tools make of a digest ("sha256-…", with ".sig" and the like).
 */
bool portrait_tag_is_mark(const char *tag);

#endif
