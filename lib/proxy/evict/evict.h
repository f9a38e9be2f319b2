/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_EVICT_EVICT_H
#define PROXY_EVICT_EVICT_H

/*
 * Makes room in a cache, for good: what was evicted can be had again.
 *
 * What nobody has used for [proxy] maximum_age goes, and what no repository has; then blobs, the
 * least recently used first, until what is left takes no more than it may, and the disk has inodes
 * again; then manifests, which are small, and dear when the upstream cannot be reached. Images that
 * are kept (kept.h) never go. With a blob go the links that repositories have to it, and what is
 * known of how it came; with a manifest its tags; and repositories that have nothing any more.
 *
 * No pull is cut: what is open stays readable; a blob is condemned first, and pardoned if somebody
 * uses it in the seconds that a web server may take to open a path that a worker has just told it
 * (lib/store/use). Whoever comes later finds nothing, and fetches it again.
 *
 * A crash at any point leaves bytes that no repository has, or links without bytes, which are as if
 * they were not there; the next run removes both.
 */

#include "lib/proxy/ask/options.h"
#include "lib/proxy/evict/inventory.h"

struct evict_wish {
    uint64_t room;       /* bytes that what is left may take; UINT64_MAX: any */
    uint64_t inodes;     /* that have to come free at least */
    uint64_t spare;      /* bytes less than room, once something has to go */
    int64_t patience;    /* milliseconds between condemning and removing */
    enum lock_wait wait; /* for another run */
    bool is_trial;       /* only says what would go */
};

enum { EVICT_PATIENCE = 1000 };

struct evict_report {
    uint64_t blobs; /* that went */
    uint64_t manifests;
    uint64_t bytes; /* of both */
    uint64_t links; /* that led nowhere */
    uint64_t repositories;
    uint64_t used;   /* bytes that are left */
    uint64_t fixed;  /* of these, of images that are kept */
    uint64_t inodes; /* that come free if all goes that is left and may go */
    uint64_t images; /* that are kept */
    struct passed passed;
};

/*
 * 1; 0 if another run is under way and was not to be waited for, or has made the room meanwhile;
 * -1. Who waits does so for at most a minute (ERROR_NO_SPACE), and does without a run that has
 * shown no sign of life for as long. Locking: takes LAYOUT_EVICT_LOCK, and in it repository_lock()
 * and others.
 */
int evict_run(const struct proxy_options *options, struct store *store,
              const struct evict_wish *wish, struct evict_report *out_report, struct error *error);

/* Adds to a report what went in an earlier run. */
void evict_report_add(struct evict_report *report, const struct evict_report *before);

/* The same in a process of its own, which nobody waits for. */
void evict_start(const struct proxy_options *options, struct store *store,
                 const struct evict_wish *wish);

/* Starts one, now and then, for what goes by its age, and to count anew. */
void evict_when_due(const struct proxy_options *options, struct store *store);

#endif
