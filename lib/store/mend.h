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

/* Writes a link anew that is empty, garbled or not there; 0 if its blob is not there. 1, 0, -1.
 * Durable once `syncs` is flushed. */
int mend_link(const struct repository_lock *held, enum link_kind kind, const struct digest *digest,
              struct sync_set *syncs, struct error *error);

/* Says of a tag that cannot be read, and goes, what it was: that manifest is kept for as long as
 * one that has just lost its tag. */
void mend_tell_tag(const struct repository_lock *held, const char *tag, struct buffer *out);

#endif
