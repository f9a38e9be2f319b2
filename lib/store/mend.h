/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_MEND_H
#define STORE_MEND_H

/*
 * Mends what lib/store/shape finds, and links, without losing anything: what is in the way is moved
 * to where damaged things are kept (LAYOUT_DAMAGED, below an id of its own and the path that it
 * had), and what its name alone tells is written anew:
 * - a link, if the blob of that digest is there: that the repository had it, the name says;
 * - what distribution keeps of a tag, a referrer's entry, when something was last pulled.
 * A tag cannot be told from its name. What its history says is told, for who wants to put it back.
 *
 * Links and tags that lead nowhere are moved to the same place: what they lead to may only not be
 * seen from here, or come back from a backup, and then they can be put back.
 */

#include "lib/base/buffer.h"
#include "lib/store/shape.h"

/*
 * Adds to `out` what has become of it. 1; 0 if there is nothing to be mended any more; -1: it is as
 * it was, or out of the way and not written anew.
 *
 * Locking: takes repository_lock().
 */
int mend_shape(const struct repository *repository, const struct shape_fault *fault,
               struct buffer *out, struct error *error);

/* What is wrong with a link; NULL for nothing. */
struct link_fault {
    const char *what;
    bool leads_somewhere; /* to bytes that are not there: of `target` */
    struct digest target;
};

/* Only looks, and in the place of the link alone: one that the collector has taken is not missed.
 * 0, -1. */
int mend_judge_link(const struct repository *repository, enum link_kind kind,
                    const struct digest *digest, struct link_fault *out, struct error *error);

/*
 * Mends such a link: writes it anew, if it is garbled and the blob is there, or moves it to where
 * damaged things are kept, all of this process below one id. Adds to `out` what was wrong, and what
 * has become of it. 1; 0 if there is nothing to be mended any more; -1.
 *
 * Locking: takes repository_lock().
 */
int mend_bad_link(const struct repository *repository, enum link_kind kind,
                  const struct digest *digest, struct buffer *out, struct error *error);

/* Moves a directory that stands in place of a blob to where damaged things are kept, below an id of
 * its own, since no push can replace it, and nothing else, since a push may just have. 1, 0, -1.
 * Needs no lock. */
int mend_blob(struct store *store, const struct digest *digest, struct buffer *out,
              struct error *error);

#define MEND_NO_MANIFEST "a tag whose manifest is not there"

/* Whether a tag has a manifest, if it is there (any more). 1, 0, -1. */
int mend_judge_tag(const struct repository *repository, const char *tag, struct error *error);

/* Moves a tag that has none away, as mend_bad_link(), and says what it stood for. */
int mend_bad_tag(const struct repository *repository, const char *tag, struct buffer *out,
                 struct error *error);

#endif
