/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_COLLECT_H
#define STORE_COLLECT_H

/*
 * The collector of a hosted store, which runs beside whoever pulls and pushes, on any host:
 *
 * 1. In each repository it deletes the tags that retention does not keep (lib/store/retire), finds
 *    what cannot be reached (lib/store/reach) and moves it to the trash (lib/store/prune). Of what
 *    stays it notes the blobs.
 * 2. Blobs that nobody has a link to, and that nobody has touched for `grace`, go to the trash.
 * 3. What has lain in the trash for `trash_days`, and was put there before this began, and is not
 *    among the blobs noted since, is removed. Nothing else ever is. What is noted comes back.
 *
 * What cannot be read ends no run, and takes nothing that may be needed behind it:
 * - Tags that cannot be judged: retention deletes none of their repository (any more).
 * - What a repository needs cannot be told, since a manifest, tag or link of it cannot be read:
 *   nothing of it goes. Its blobs are those that its links lead to, read or not, in the trash as
 *   well (lib/store/linked): they stay, and so does what lies in the trash of it.
 * - Not even its links can be seen, as in a directory that cannot be listed: no blob goes, and
 *   nothing is removed from the trash; the rest is done.
 * What cannot be looked at for want of room (for a lock, or for what has to come back from the
 * trash) is spared so, too, but is no problem: it counts with what found no room.
 * What is no repository by its name has links all the same.
 *
 * No writer is locked out, and none loses anything: who misses a link or a blob finds it in the
 * trash, durably (lib/store/trash), and who relies on one that is there touches it. It may be ended
 * at any moment, and begun again.
 */

#include "lib/store/retention.h"
#include "lib/store/trash.h"

struct collect_options {
    uint64_t trash_days;
    uint64_t untagged; /* seconds that an untagged manifest stays; 0: for good */
    struct retention retention;
};

/* What goes on staying because of a problem. */
enum collect_spared {
    COLLECT_SPARES_NOTHING,
    COLLECT_SPARES_TAGS,       /* that retention would delete in the repository */
    COLLECT_SPARES_REPOSITORY, /* all of it, and of it in the trash */
    COLLECT_SPARES_BLOBS,      /* all, and what lies in the trash */
};

struct collect_report {
    /* How to go about it. */
    bool dry_run;
    bool empty_trash; /* do not wait for trash_days: of what was collected, for `grace` only */
    /* Called for each thing that goes, with a path below the root, the reason, and its size. */
    void (*found)(void *context, const char *path, const char *why, uint64_t bytes);
    /* Called for what is damaged or foreign, which is left as it is. */
    void (*problem)(void *context, const char *path, const char *what, enum collect_spared spared);
    const struct actor *actor; /* who deletes by retention: see lib/store/retire */
    /* Called for each tag that sections of [retention] are about, once it was judged and, if it
     * goes, has gone; or NULL. */
    void (*judged)(void *context, const struct repository *repository,
                   const struct retention_tag *tag);
    /* Called often: the numbers below have grown. */
    void (*step)(void *context);
    void *context;
    /* What was looked at; bytes are those of the blobs that stay. */
    uint64_t repositories;
    uint64_t manifests;
    uint64_t tags;
    uint64_t blobs;
    uint64_t bytes;
    uint64_t linked_bytes; /* if each repository had its own copy */
    uint64_t problems;
    uint64_t spared_repositories;
    bool spares_blobs;
    uint64_t retention_tags; /* by retention */
    /* What went to the trash: by retention, … */
    uint64_t retired_tags;
    /* … and since nobody can reach it. */
    uint64_t collected_manifests;
    uint64_t collected_tags;
    uint64_t collected_links;
    uint64_t collected_blobs;
    uint64_t collected_bytes;
    uint64_t removed_repositories;
    /* What stayed for want of room: the next run finds what this one has made. */
    struct no_room no_room;
    /* What was removed from it. */
    uint64_t emptied_files;
    uint64_t emptied_bytes;
    /* What is left in each trash. */
    struct collect_trash {
        uint64_t files;
        uint64_t bytes;
    } trash[TRASH_COUNT];
};

/*
 * 1; 0 if another collector is at work, on whichever host; -1. With `dry_run` nothing is changed,
 * and a store that is open to be looked at will do.
 */
int collect_store(struct store *store, const struct collect_options *options,
                  struct collect_report *report, struct error *error);

#endif
