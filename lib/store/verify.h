/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_VERIFY_H
#define STORE_VERIFY_H

/*
 * Looks whether a store keeps its promises, while it is in use: every blob has its digest, every
 * link leads to a blob, every tag to a manifest, every manifest to what it names, and all that is
 * in a repository is what its place says (lib/store/shape).
 *
 * A repair beside writers loses nothing that they have been told is stored:
 * - A link or tag is taken away under the repository's lock, when it is still wrong there, and
 *   kept where it can be put back from (lib/store/mend). Publishers bring the bytes first and,
 *   where they find a link, look again under that lock (link_add()).
 * - What should be a file and is none, or cannot be read, is moved aside under that lock, and a
 *   link that is of no use is written anew there, if its blob is there. A directory in place of a
 *   blob is moved aside, too; anything else there is replaced by the next push.
 * - A damaged blob is moved aside, the file that was read and no other: one that a push has put in
 *   its place in that moment is put back, by this process or by the next that misses it. If the
 *   collector's trash has a good one, that takes its place.
 *
 * A failure to read is no damage: what cannot be read is opened and read once more, and if it fails
 * still it is told, with the reason, and stays. EIO alone, twice, from a filesystem of this machine
 * is the end of the bytes: such a blob is moved aside as a damaged one (in a cache from wherever it
 * is: it can be had again). A network filesystem says EIO when its server is away, and a repair in
 * that moment must not empty the store.
 *
 * Without `repair` nothing changes but what is noted of the run (`remembers`); nor does what the
 * collector has put into the trash come back.
 *
 * Locking: with `repair`, one repair at a time; takes repository_lock() for each link and tag that
 * is wrong.
 */

#include "lib/store/store.h"

struct verify_report {
    /* Called for each problem with a path below the root and a sentence. */
    void (*problem)(void *context, const char *path, const char *what);
    /* Called for each tag that cannot be pulled whole, with what is damaged or missing; or NULL. */
    void (*hurt)(void *context, const char *repository, const char *tag,
                 const struct digest *culprit);
    /* Called after each piece that was read, see blob_check(): false ends the run; or NULL. */
    bool (*read)(void *context, uint64_t bytes);
    void *context;
    bool repair;       /* move damaged things aside, mend links or take them away */
    bool skip_content; /* do not read the blobs */
    bool is_cache;     /* its links and tags may be lost or lead nowhere: only bytes matter */
    bool measures;     /* look first how much is to be read: due_bytes */
    bool remembers;    /* note what was verified (lib/store/verified), and do not read … */
    time_t since;      /* … what was verified then or later */
    uint64_t due_bytes;
    uint64_t blobs; /* counted on the way */
    uint64_t bytes;
    uint64_t read_blobs; /* of these, what was read */
    uint64_t read_bytes;
    uint64_t manifests;
    uint64_t tags;
    uint64_t hurt_tags;
    uint64_t problems;
    bool is_stopped; /* by read() */
};

/* -1 if it could not go on; problems are no failure, what cannot be looked at among them, nor is
 * having been stopped. */
int verify_store(struct store *store, struct verify_report *report, struct error *error);

#endif
