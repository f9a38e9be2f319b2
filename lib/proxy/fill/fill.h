/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_FILL_FILL_H
#define PROXY_FILL_FILL_H

/*
 * One download of a blob, for everybody who waits for it (its place in a blob's life: see
 * lib/proxy/proxy.h). The filler is a process of its own,
 * without a client: nobody can slow it down or end it by leaving. It writes a file that grows; all
 * others, in other processes and on other hosts, read from that file.
 *
 * A fetch is a directory in the cache's temporary storage, for an upstream and a digest:
 *   lock    held by the filler as long as it lives; in it is written for which repository, with
 *           whose account, the last filler has asked, how many bytes it has found, and how many it
 *           will be, once the upstream has said so
 *   data    the bytes so far
 *   failed  why it gave up; told to that repository only
 * Whoever needs the blob and gets the lock starts the next filler, which goes on where the last one
 * stopped. What is on disk then is hashed again from its beginning, and the digest of the whole
 * decides: it is the only thing that is trusted.
 *
 * Who knows a digest need not have the blob. So a fetch is joined, taken over, or told the size of,
 * only for the repository that it is for; for one that names the blob and has the same account; or
 * for one that names it and whose upstream has confirmed it to its own account (origin_record()
 * with ORIGIN_CONFIRMED, and a link).
 *
 * The file becomes the blob by a rename, so that readers who have it open need not notice. Until
 * then they hold back the last block: no response is complete before the digest is verified. If it
 * is and the rename fails, they get the rest and the cache nothing (partial_give_away()). Fetches
 * of the same blob from two upstreams know nothing of each other: whichever comes last has the
 * name, and the readers of both go on to their end. Who reads what comes to nothing, or had to
 * start over, goes on in another file that begins alike (lib/proxy/fill/successor).
 */

#include "lib/base/watch.h"
#include "lib/proxy/fill/partial.h"

enum { FILL_HELD_BACK = 64 * 1024 }; /* bytes at the end, until the digest is verified */

/* A reader of a fetch. */
struct fill_view {
    struct fill fill;
    int descriptor;     /* of the data */
    struct watch watch; /* over its directory */
    uint64_t size;      /* bytes that it will have */
    bool complete;      /* the digest is verified */
    bool is_part;       /* the reader wants a part only: set it before the first read */
    uint64_t found;     /* bytes that this fetch has not got from the upstream, but found */
    bool has_waited;    /* from now on, what fails has failed for this reader */
    bool is_reading;    /* it has been let in */
    bool is_overtaken;  /* another upstream's fetch has brought the blob meanwhile */
    bool is_local;      /* bytes are there as soon as the size says so */
    int fetcher;        /* one that has its fetch, or will: see fill_hurry(); -1 */
    unsigned restarts;  /* fillers that this reader has started */
    bool is_stuck;      /* nobody goes on with it: see fill_read() */
    uint64_t life;      /* partial_life_number() */
    int64_t alive;      /* when that was another one, in milliseconds */
    uint64_t earlier;   /* number of the failure that was there when this reader came */
    unsigned blind;     /* looks of this reader that the disk has failed */
    int64_t looked;     /* when it last looked whether the filler lives, in milliseconds */
};

#define FILL_VIEW_INIT                                                                             \
    {                                                                                              \
        .descriptor = -1, .watch = WATCH_INIT, .fetcher = -1                                       \
    }

enum fill_result {
    FILL_FAILED = -1,
    FILL_ABSENT,  /* the upstream has no such blob */
    FILL_FOREIGN, /* it is being fetched for another repository: ask the upstream, then come again
                   */
    FILL_GROWING,
    FILL_STORED, /* the blob is in the cache now */
    FILL_LATE,   /* it does not come in time: who may wait has to join it (fill_hurry()), or to ask
                    the upstream himself (fill_join()) */
};

/*
 * Joins a fetch, or starts it, and waits until its size is known. ERROR_NO_SPACE: it cannot be
 * kept; ERROR_TOO_MANY_REQUESTS: too many fetches are under way; ERROR_CLIENT_GONE. `fill` has to
 * outlive the view, which is to be closed if it is growing.
 */
enum fill_result fill_join(struct fill_view *out_view, const struct fill *fill,
                           struct report *report, struct error *error);

/*
 * For a process that others wait for too: has the blob fetched, if somebody is at hand who does
 * that at once, and waits for a moment; no longer when there is no idle worker left on this host,
 * or none that takes the clients who come meanwhile.
 * FILL_GROWING: it has begun, and is larger than FILL_SMALL. FILL_LATE, and *out_in_vain if it has
 * waited to no avail, as for an upstream that is slow.
 */
enum fill_result fill_hurry(const struct fill *fill, bool *out_in_vain, struct report *report,
                            struct error *error);

/* Sees to it that somebody is at work on a fetch, if that can be, and waits for nothing: for who
 * will join it later. */
void fill_start(const struct fill *fill);

/* The size of a fetch that is under way, for who may join it. False if it is not known. */
bool fill_size(const struct fill *fill, uint64_t *out_size);

/*
 * See stream_read(). The last bytes of the whole come when its digest is verified. Of a part, so do
 * those that the filler has found: a power cut may have left anything in their place.
 *
 * -1 and is_stuck: nobody goes on with it. Its filler has shown no sign of life for longer than any
 * step may take it, having been stopped, or waiting for a disk; or it has died, and for as long no
 * other could be started, or those died as well; or it could not go on here, as on a full disk.
 * What there is may be read on, the rest is for the reader to get.
 */
ssize_t fill_read(struct fill_view *view, uint64_t offset, void *bytes, size_t size,
                  struct error *error);

/* How many bytes there are to read at `offset`, as fill_read() would: waits until there are some.
 */
ssize_t fill_wait_for(struct fill_view *view, uint64_t offset, struct error *error);

/* How many bytes there are already. */
uint64_t fill_available(const struct fill_view *view);

/*
 * For who would rather have the file than what comes of it: waits a little if the end is near. That
 * is so of what is small; and of what others have begun to fetch and which comes fast, since a file
 * that the web server sends to a crowd is less work than as many streams. True if the blob is in
 * the cache now.
 */
bool fill_wait_for_end(struct fill_view *view);

void fill_close(struct fill_view *view);

#endif
