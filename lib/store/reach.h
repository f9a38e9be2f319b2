/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_REACH_H
#define STORE_REACH_H

/*
 * What of a repository can be reached, by somebody who pulls from it:
 * - what a tag stands for; what was touched lately; and, unless untagged manifests are to go after
 *   a time, every manifest;
 * - the children of an index that can be reached, and the referrers (signatures and the like) of a
 *   manifest that can;
 * - a referrer whose subject was never here, as in a repository of signatures only.
 * But a manifest that has lost its last tag to retention (lib/store/retire) cannot be reached as
 * one that is kept untagged. A referrer whose subject was here and lies in the trash cannot be
 * reached by itself, nor can what is only tagged as clients tag referrers: "sha256-DIGITS", with
 * ".sig", ".att", ".sbom" or alike.
 *
 * Looks while others change the repository: what comes of it is to be looked at again, under the
 * lock, before anything is done.
 */

#include <time.h>

#include "lib/base/names.h"
#include "lib/oci/digest_keys.h"
#include "lib/store/store.h"

struct reach_rules {
    struct timespec touched;  /* whatever was touched at this time, or later, can be reached */
    struct timespec untagged; /* the same of manifests that nothing leads to … */
    bool keep_untagged;       /* … or of all of them */
    /* Tags, sorted, that would go to retention before all this; NULL: none, they have gone. */
    const struct names *without;
    /* Called for what cannot be read, with a path below the root and a sentence. */
    void (*problem)(void *context, const char *path, const char *what);
    void *context;
};

struct reach_revision {
    struct digest_key key;
    struct digest digest;
    struct digest_key subject;
    struct timespec touched;
    size_t first_edge; /* of what it names */
    size_t edge_count;
    bool has_subject;
    bool is_orphan;  /* its subject was here, and is in the trash */
    bool is_retired; /* see lib/store/retire */
    bool is_root;
    bool is_live;
    bool is_spared; /* for lib/store/prune: what names it could go, and stays */
    unsigned rank;  /* 0 if nothing leads to it but what lives: see reach_look() */
};

enum { REACH_RANKS = 32 }; /* deeper ones are of the last rank */

/* A tag for referrers, whose subject is in the trash; or what is left of a deleted tag. */
struct reach_tag {
    char *name;
    struct digest digest; /* empty in the latter case */
};

struct reach {
    const struct repository *repository;
    struct reach_revision *revisions; /* sorted by their keys */
    size_t revision_count;
    size_t revision_capacity;
    struct digest_key *edges;
    size_t edge_count;
    size_t edge_capacity;
    struct digest_keys needed; /* what the live ones name, manifests and blobs */
    struct reach_tag *dead_tags;
    size_t dead_tag_count;
    uint64_t tag_count;
    /* A manifest cannot be read, so that nobody knows what it names: nothing is to be taken. */
    bool is_blind;
    bool is_unsettled; /* the same for no other reason than that others were quicker, see recall */
};

#define REACH_INIT                                                                                 \
    {                                                                                              \
        .repository = NULL                                                                         \
    }
#define AUTO_REACH AUTO(reach_release)

/*
 * Looks anew; `repository` must outlive `reach`. What does not live has a rank above that of all
 * that lead to it and do not live either, indexes and subjects: in this order it may go. 1 if a
 * tag's manifest came back from the trash, so that another look is needed, 0, -1. Whoever collects
 * wants recall_reach() instead.
 */
int reach_look(struct reach *reach, const struct repository *repository,
               const struct reach_rules *rules, struct error *error);
void reach_release(struct reach *reach);

/* Whether a tag is one for referrers, and their subject is there now: pushed again, perhaps, since
 * somebody has looked. */
bool reach_tag_is_alive(const struct repository *repository, const char *tag);

/* NULL: the repository has no such manifest. */
struct reach_revision *reach_get(const struct reach *reach, const struct digest_key *key);

#endif
