/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_VERIFIED_H
#define STORE_VERIFIED_H

/*
 * When each blob was last read and found good. One note for all blobs that begin with the same two
 * digits, so that what is in memory and what is written at once stays small, and a blob itself is
 * not changed: its times belong to web servers, collectors and caches.
 *
 *   AUTO_VERIFIED struct verified verified = VERIFIED_INIT(store);
 *
 *   (for each blob, in the order of blob_walk_next())
 *   verified_turn_to(&verified, &digest);
 *   if (!verified_is_since(&verified, &digest, size, time)) {
 *       … read it; verified_note(&verified, &digest, size) or verified_forget(&verified, &digest)
 *   }
 *   verified_finish(&verified);
 *
 * What is noted is on disk some seconds later, and at verified_finish(): a run that is killed
 * leaves nearly all that it has done to the next. Notes may be lost, then blobs are read again; and
 * so they are where another program, or a power cut, has written nonsense. Where nothing can be
 * written nothing is remembered, which is no failure.
 */

#include <time.h>

#include "lib/oci/digest_keys.h"
#include "lib/store/store.h"

struct verified_blob {
    struct digest_key key;
    time_t when;
    uint64_t size;
    bool is_seen; /* in this run: the rest is forgotten with the last blob of a note */
};

struct verified {
    struct store *store;
    enum digest_algorithm algorithm;
    char prefix[3]; /* whose note is in memory; "" for none */
    struct verified_blob *blobs;
    size_t count;
    size_t capacity;
    size_t sorted; /* so many, from the first on: those that were read */
    bool is_changed;
    int64_t written; /* milliseconds */
};

#define VERIFIED_INIT(a_store)                                                                     \
    {                                                                                              \
        .store = (a_store), .blobs = NULL                                                          \
    }
#define AUTO_VERIFIED AUTO(verified_release)
void verified_release(struct verified *verified);

/* Before anything is asked or said of the blob. */
void verified_turn_to(struct verified *verified, const struct digest *digest);

/* Whether it was verified then or later, with this size; a date that is ahead of us says nothing.
 */
bool verified_is_since(struct verified *verified, const struct digest *digest, uint64_t size,
                       time_t time);

void verified_note(struct verified *verified, const struct digest *digest, uint64_t size);
/* At once: a run that is killed must not leave a damaged blob unread for a month. */
void verified_forget(struct verified *verified, const struct digest *digest);

/* Everything was seen: writes the last note, and forgets blobs that are not there any more. */
void verified_finish(struct verified *verified);
/* The run ends here: writes what was noted, and keeps what was not seen. */
void verified_stop(struct verified *verified);

#endif
