/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_CACHED_H
#define REGISTRY_CACHED_H

/*
 * What the cache has and does, for people to look at: as much of it as is about repositories that
 * this caller may pull, and sums for who may pull all that they can be of. No upstream is asked,
 * and nothing is counted that is not known already.
 */

#include "lib/observe/count/totals.h"
#include "lib/proxy/ask/health.h"
#include "lib/proxy/evict/usage.h"
#include "lib/proxy/fill/space.h"
#include "lib/registry/shelf.h"

/* Another registry, of which something is cached that he may pull. */
struct cached_upstream {
    const char *name;      /* as this caller calls what is below it: "proxy/docker.io" */
    uint64_t repositories; /* of which something is cached, and */
    int64_t changed;       /* when something came last, in seconds since the epoch */
    bool is_bad;           /* it is not asked now, because of */
    struct buffer trouble;
    uint64_t asked_again; /* in so many seconds */
    bool has_limit;       /* of requests, as it said last */
    struct health_limit limit;
    /* Something of it was asked for since it is counted, and he may know how much: */
    bool is_measured;
    struct totals_upstream traffic;
};

/* A blob on its way. */
struct cached_fetch {
    char name[NAME_SIZE]; /* of the repository that it is for, as this caller calls it */
    struct digest digest;
    uint64_t bytes; /* that came, of */
    uint64_t total; /* or 0: nobody knows yet */
};

/* An image that stays. */
struct cached_image {
    char name[NAME_SIZE];
    char reference[DIGEST_TEXT_SIZE];
};

enum { CACHED_UPSTREAMS = 200, CACHED_FETCHES = 100, CACHED_IMAGES = 500 };

struct cached {
    struct shelf shelf; /* what `upstreams` names */
    struct cached_upstream upstreams[CACHED_UPSTREAMS];
    size_t upstream_count;
    struct cached_fetch fetches[CACHED_FETCHES];
    size_t fetch_count;
    struct cached_image images[CACHED_IMAGES];
    size_t image_count;
    bool is_counted; /* how much is stored: only where it is limited, and he may know */
    bool is_hidden;  /* he may not */
    struct usage usage;
};

/* Counts how large its repositories are (lib/store/sizes): what each would be given without a
 * question to its upstream, and not whether something that it only names is here for others. */
int cached_count_sizes(const struct proxy_options *options, struct store *cache,
                       struct error *error);

/* Of 100 looks, how many the cache has answered by itself; of something that was measured. */
unsigned cached_hits(const struct totals_upstream *traffic);

void cached_release(struct cached **cached);
#define AUTO_CACHED AUTO(cached_release)

/* The permit is one for PERMISSION_LIST. ERROR_NOT_FOUND where nothing is cached, or this virtual
 * host does not reach the names of the cache. */
int cached_find(struct registry *registry, const struct permit *permit, struct cached **out,
                struct error *error);

/*
 * What may be done to one image of the cache, if the source's permit is one for PERMISSION_DELETE:
 * keep it, let it go again, and ask for its tag now; and, for whoever looks, whether it is kept. 1;
 * 0 if it is not there, or not kept; -1, ERROR_WOULD_WAIT where the upstream has to be asked.
 */
int cached_keep(const struct source *source, const char *reference, struct error *error);
int cached_drop(const struct source *source, const char *reference, struct error *error);
int cached_is_kept(const struct source *source, const char *reference, struct error *error);
int cached_refresh(struct source *source, const char *tag, struct error *error);

#endif
