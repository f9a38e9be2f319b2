/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_TAG_H
#define STORE_TAG_H

/*
 * The tags of a repository: names for revisions. They change under the repository's lock, so that
 * none can move between looking and acting.
 */

#include "lib/base/names.h"
#include "lib/store/history.h"

/* 1; 0 if there is no such tag; -1. */
int tag_get(const struct repository *repository, const char *tag, struct digest *out_digest,
            struct error *error);

/*
 * And when it was last pushed, or put back: as its history tells, or, where another program has
 * written or the history was lost, when its link was written. Seconds since the epoch.
 */
int tag_get_dated(const struct repository *repository, const char *tag, struct digest *out_digest,
                  time_t *out_pushed, struct error *error);

/* What somebody has done to a repository, for who tells others. */
enum actor_act {
    ACT_PUT,    /* a manifest is there, by a push or since it was taken back; and its tag, if any */
    ACT_DELETE, /* a manifest with its tags, or a tag; or, with neither, all there was */
    ACT_RETIRE, /* the same, by a rule */
};
struct actor_deed {
    enum actor_act act;
    const struct repository *repository;
    const char *tag;             /* NULL: none in particular */
    const struct digest *digest; /* the same; also of a tag alone that is deleted */
};

/* Who changes tags, and how far that one may go. NULL stands for one without a name who may. */
struct actor {
    const char *name; /* as lib/store/history has authors */
    bool moves_none;  /* no tag that stands for another manifest */
    bool forces;      /* even what is immutable: the operator may, and no client */
    /* Is told of each tag that was changed, under the lock, and what it was before: "" if there was
     * none. NULL: nobody is. */
    void (*changed)(void *context, const char *tag, const struct digest *former);
    /* Is told of what was done, once that is durable, and still under the lock: so what is told
     * from there is in the order in which it was done; of what retention deletes before it goes,
     * and again if it did not go then. NULL: nobody is. */
    void (*done)(void *context, const struct actor_deed *deed);
    void *context;
};

/* Tells the actor, if one wants to hear of it. Of a push, and of what comes back, once for each
 * tag. Locking: the repository's lock is held. */
void actor_tell(const struct actor *actor, const struct actor_deed *deed);

/*
 * A change of one tag: there is one door for all of them, which is tag_judge(). It fills in what
 * begins with `judged`, and nobody else does; tag_set() and tag_delete() take nothing without it.
 */
struct tag_change {
    const char *tag;
    const struct digest *to; /* NULL: it goes */
    const struct actor *actor;
    const struct repository_lock *judged_held;
    struct digest judged_former; /* what it stood for; "" if there was no such tag */
};

/*
 * Whether the change may be made: asked before anything is done, and good as long as the lock is
 * held. What is pointed to must outlive the change. ERROR_TAG_IMMUTABLE: the tag is there, and one
 * that is never moved nor deleted. ERROR_DENIED: this actor moves none. To give a tag what it has
 * already is always allowed.
 */
int tag_judge(const struct repository_lock *held, struct tag_change *change, struct error *error);

/* Durable once `syncs` is flushed, but for distribution's history, which nobody's answer relies on;
 * tag_note() then. */
int tag_set(const struct tag_change *change, struct sync_set *syncs, struct error *error);

/* The history of a tag that was set: what happened. */
void tag_note(const struct tag_change *change, enum history_event event);

/* After a tag_set() that did not become durable: as it was, as far as that goes. */
void tag_set_back(const struct tag_change *change, struct sync_set *syncs);

/* The tag, its history and what is known of its pulls go to the trash of what was deleted. 1, 0 if
 * there was none, -1. */
int tag_delete(const struct tag_change *change, struct sync_set *syncs, struct error *error);

/* The same for retention, which takes nothing away that cannot be had back: ERROR_NO_SPACE, and it
 * stays, if there is no room in the trash. Its manifest does not count as touched. Not durable:
 * nobody was told, and a tag that is back is judged again. */
int tag_retire(const struct tag_change *change, struct error *error);

/* Whether the configuration says that tags of this name stay what they are. */
bool tag_is_immutable(const struct store *store, const char *tag);

/* The same, to either trash, unjudged and without a sync: for the collector. */
int tag_put_in_trash(const struct repository_lock *held, enum trash which, const char *tag,
                     struct error *error);

/* A page of a list that is sorted by its bytes. */
struct page {
    const char *last; /* begin behind this one; NULL or "": from the start */
    size_t limit;     /* entries */
};

/* 1 if there are more behind the page; 0; -1. */
int tag_list(const struct repository *repository, const struct page *page, struct names *out,
             struct error *error);

#endif
