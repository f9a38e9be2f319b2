/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_RETIRE_H
#define STORE_RETIRE_H

/*
 * Deletes the tags of a repository that lib/store/retention does not keep: they go to the trash of
 * what was deleted, from where they can be restored, with a note that their images have lost their
 * last tag in this way. Such an image is collected as soon as nothing else leads to it (lib/store/
 * reach), also where untagged manifests are kept, and comes back when it is pulled by its digest.
 *
 * What is judged is looked at again under the lock: what was pushed, pulled or restored since stays
 * for this time. The note comes first, and is on disk before the tag goes: a crash leaves nothing
 * that the next run would not do. A tag for which there is no room in the trash stays, and nobody
 * is told of it.
 *
 * Nothing is asked of clocks: `scene` says what now is.
 */

#include "lib/store/retention.h"
#include "lib/store/trash.h"

struct retire_rules {
    const struct retention *retention;
    struct retention_scene scene; /* without the repository */
    bool dry_run;
    struct no_room *no_room;   /* for tags that stay so */
    const struct actor *actor; /* who deletes; NULL: one that tells nobody */
    /* Called for each tag once it was judged and, if it goes, has gone; NULL: never. */
    void (*judged)(void *context, const struct repository *repository,
                   const struct retention_tag *tag);
    void *context;
};

struct retire_report {
    uint64_t judged;
    uint64_t retired; /* tags that went */
};

/*
 * Adds to `report` what was done, and to `out_retired` the tags that went, sorted. A repository
 * that no section is about is not looked at. 0, -1.
 *
 * Locking: takes repository_lock() again and again, for a moment each time; not with `dry_run`.
 */
int retire_tags(const struct repository *repository, const struct retire_rules *rules,
                struct names *out_retired, struct retire_report *report, struct error *error);

/* Whether a manifest has lost its last tag so, and nobody has touched it since. `status` is what
 * its link is. */
bool retire_is_noted(const struct repository *repository, const struct digest *digest,
                     const struct stat *status);

/* Somebody has pushed the manifest again: it is his now. A touch would not do, which one that was
 * pushed or touched lately is not given (lib/store/touch). Durable once `syncs` is flushed. */
int retire_forget(const struct repository_lock *held, const struct digest *digest,
                  struct sync_set *syncs, struct error *error);

#endif
