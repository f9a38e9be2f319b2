/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_PULLED_H
#define STORE_PULLED_H

/*
 * When a tag was last pulled, and how often: for people who look at it, and for retention.
 *
 * What is a pull: GET of a manifest by tag, and by digest; the latter is credited to all tags that
 * stand for the digest when somebody asks here, since that is how clients pull that have asked for
 * the tag by HEAD before. HEAD by tag is a use, which sets the time and not the number: it is all
 * that somebody sends who has the image already, and what others send in front of their GET. HEAD
 * by digest is neither: those who push ask so.
 *
 * A pull costs no write: each process counts for itself, and looks at the note when that is due, at
 * most once in PULLED_GRAIN seconds. Who finds an older note writes it anew, with what he has
 * counted; so there is at most one write in PULLED_GRAIN seconds for each tag and digest, whoever
 * pulls it on whichever host. Hence:
 * - the time is that of a pull, and the last one was at most PULLED_GRAIN seconds later;
 * - the number is a lower bound: what a process has counted is lost when it ends, or when it has
 *   more to remember than it has room for.
 * A note is a file beside the tag, and goes to the trash and comes back with it. Its time is its
 * mtime, its content the rest. It may be lost in a power cut, or emptied, which leaves the time.
 *
 * When recording began in this store is known, for who must not take what nobody has seen for
 * something that never was.
 *
 * Hosted stores only: a cache has lib/store/use.
 */

#include <time.h>

#include "lib/store/store.h"

enum { PULLED_GRAIN = 3600 }; /* seconds */

/* For tests: as a process that has just begun; as one that has counted on for PULLED_GRAIN. */
void pulled_forget_all(void);
void pulled_age_all(void);

struct pull {
    const char *tag; /* by which it was asked for; NULL: by its digest */
    const struct digest *digest;
    bool is_download; /* it was sent, so that it counts */
};

/* Of a manifest that is there. Nothing depends on it, so that failures are ignored. */
void pulled_note(const struct repository *repository, const struct pull *pull);

/* That a tag was taken back from the trash: it is a use, and is remembered besides. */
void pulled_note_restored(const struct repository_lock *held, const char *tag);

struct pulled {
    uint64_t count;
    time_t last;     /* 0: no pull is known; less: nobody knows when */
    time_t restored; /* when it was last taken back from the trash; 0: never */
};

/* Of a tag, which stands for `digest`, together with the pulls by that. 0, -1. */
int pulled_read(const struct repository *repository, const char *tag, const struct digest *digest,
                struct pulled *out, struct error *error);

/* Of a digest alone. */
int pulled_read_digest(const struct repository *repository, const struct digest *digest,
                       struct pulled *out, struct error *error);

/* Since when pulls are noted. 1; 0 if none ever was; -1. */
int pulled_since(const struct store *store, time_t *out, struct error *error);

/* Begins, if nobody has yet: so that it does not depend on the first pull. As far as that goes. */
void pulled_begin(const struct store *store);

#endif
