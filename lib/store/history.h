/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

/*
 * What has happened to a tag: which manifest it was given or lost, when, and by whom. A file for
 * each tag beside what distribution keeps (for each digest that the tag has stood for, a link),
 * from which the rest is told where another program has written: a digest and a time, and nobody's
 * name.
 *
 * An entry is made after what it tells of, under the same lock, by who changes the tag
 * (lib/store/tag): a crash between the two, or a power cut soon after, costs the entry and nothing
 * else, since nobody's answer relies on it, and it costs no sync. So does a write that fails. A
 * file holds the newest HISTORY_SIZE bytes, some hundred entries; then the older half is dropped.
 *
 * It goes to the trash with its tag, and comes back with it; and when a tag of the same name is
 * pushed again, which thus goes on where the deleted one ended. No manifest lives by it: what no
 * tag stands for any more is collected like anything else, and is found in the trash only as long
 * as it lies there.
 */

#include <time.h>

#include "lib/store/store.h"

enum {
    HISTORY_SIZE = 64 * 1024,    /* bytes of a file, at most, before one more entry */
    HISTORY_AUTHOR_SIZE = 512,   /* bytes, with a NUL */
    HISTORY_INDEX_LIMIT = 10000, /* of distribution's links, if it has more, some are left out */
};

enum history_event {
    HISTORY_PUSHED,
    HISTORY_DELETED,
    HISTORY_RESTORED, /* with what it was when it was deleted */
    HISTORY_PUT_BACK, /* to what it was before */
};

/* One word for each: "pushed", "deleted", "restored", "put-back". */
const char *history_event_word(enum history_event event);

struct history_entry {
    time_t time;
    enum history_event event;
    struct digest digest; /* what the tag stood for afterwards, or, if it was deleted, before */
    /* As access rules call it, "" for anonymous; "@berth" and the like, which nobody can be called,
     * for what was not asked for by a client. NULL: another program has written it. */
    char *author;
};

/* The newest first. */
struct history {
    struct history_entry *entries;
    size_t count;
    size_t capacity;
};

#define HISTORY_INIT                                                                               \
    {                                                                                              \
        .entries = NULL, .count = 0, .capacity = 0                                                 \
    }
#define AUTO_HISTORY AUTO(history_release)
void history_release(struct history *history);

/* Adds an entry of now. Failures are ignored. Nothing is noted in a cache. */
void history_add(const struct repository_lock *held, const char *tag, enum history_event event,
                 const char *author, const struct digest *digest);

/*
 * The newest `limit` entries, also of a tag that was deleted, as long as its history is in the
 * trash. What cannot be understood is passed over. `out` must be empty. 1; 0 if there are none; -1.
 */
int history_read(const struct repository *repository, const char *tag, size_t limit,
                 struct history *out, struct error *error);

/*
 * When a tag came to stand for `digest`, by a push or by being put back, if that is the last that
 * is known to have happened to it. 1; 0 if it is not known; -1.
 */
int history_find_push(const struct repository *repository, const char *tag,
                      const struct digest *digest, time_t *out_time, struct error *error);

/* Moves it to a trash, or back. 1, 0 if there was none, -1. */
int history_put_in_trash(const struct repository_lock *held, enum trash which, const char *tag,
                         struct error *error);
void history_take_back(const struct repository_lock *held, const char *tag);

#endif
