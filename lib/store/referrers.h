/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_REFERRERS_H
#define STORE_REFERRERS_H

/*
 * Which manifests of a repository name a given one as their subject (distribution-spec, "Listing
 * Referrers"). The descriptors are kept as they will be listed. An entry counts only while the
 * repository has the manifest, so that it may be written before it, and stays when it
 * goes.
 */

#include "lib/oci/manifest.h"
#include "lib/store/tag.h"

/* Bytes of descriptors in one answer, after which the rest is left for the next page. Clients take
 * an index of 4 MiB. */
enum { REFERRERS_PAGE_BYTES = 2 * 1024 * 1024 };

/* How many entries are looked at for one page, and how many bytes are read for it: a type that
 * nobody has, or a fallback tag of large manifests that refer to something else, shall not cost
 * them all. */
enum { REFERRERS_LOOKS = 5000, REFERRERS_LOOK_BYTES = 32 * 1024 * 1024 };

/* A manifest that is in the store, or about to be. */
struct referrer {
    const struct manifest *manifest; /* with a subject */
    struct reference self;           /* its digest and size */
};

/* Durable once `syncs` is flushed. */
int referrers_add(const struct repository_lock *held, const struct referrer *referrer,
                  struct sync_set *syncs, struct error *error);

int referrers_remove(const struct repository_lock *held, const struct referrer *referrer,
                     struct sync_set *syncs, struct error *error);

/* Under which clients keep an index of the referrers where a registry does not: "sha256-" and at
 * most 64 digits ("Referrers Tag Schema"). */
void referrers_fallback_tag(const struct digest *subject, char out_tag[TAG_SIZE]);

/* Whether a tag is one by which clients keep a referrer, or an index of them, with an ending
 * (".sig") or without; whose. The digits of a longer digest are cut: who knows. */
bool referrers_read_fallback_tag(const char *tag, struct digest *out_subject);

struct referrers_query {
    struct digest subject;
    const char *artifact_type; /* NULL: all */
    struct page page;          /* by digest */
    uint64_t *left; /* bytes that may be read, counted down; NULL: REFERRERS_LOOK_BYTES */
};

/*
 * Adds the `manifests` array of an image index, without its brackets. Includes what clients have
 * listed under the fallback tag before ("Referrers Tag Schema"). 1 if there is more, perhaps,
 * behind `out_last`, which is the last that was looked at and need not be listed; 0; -1.
 */
int referrers_list(const struct repository *repository, const struct referrers_query *query,
                   struct buffer *out, struct digest *out_last, struct error *error);

#endif
