/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_LINK_H
#define STORE_LINK_H

/*
 * Link files: a digest as text, without a newline. An empty or garbled one, as a power cut leaves
 * behind in other programs' stores, counts as absent; writing it again mends it.
 */

#include "lib/store/store.h"

/* 1; 0 if there is no (good) link; -1. */
int link_read(const struct store *store, const char *path, struct digest *out_target,
              struct error *error);
/* The same of a path below an open directory. */
int link_read_at(int directory, const char *path, struct digest *out_target, struct error *error);

/*
 * The digest of the bytes that the repository has under `digest`: the same one, or, where
 * distribution keeps sha512 as an alias, of another algorithm. One that lies in the collector's
 * trash comes back. 1; 0 if it has none; -1.
 */
int link_follow(const struct repository *repository, enum link_kind kind,
                const struct digest *digest, struct digest *out_target, struct error *error);

/* The two steps of it: one that is in its place; and one that is in the trash, and comes back, with
 * its bytes as touched. */
int link_find(const struct repository *repository, enum link_kind kind, const struct digest *digest,
              struct digest *out_target, struct error *error);
int link_take_back(const struct repository *repository, enum link_kind kind,
                   const struct digest *digest, struct digest *out_target, struct error *error);

/* `path` is one of the locked repository's. Durable once `syncs` is flushed, also if the link was
 * there already. */
int link_write(const struct repository_lock *held, const char *path, const struct digest *target,
               struct sync_set *syncs, struct error *error);

/* The same without looking first: where another host's caches may be behind. */
int link_overwrite(const struct repository_lock *held, const char *path,
                   const struct digest *target, struct sync_set *syncs, struct error *error);

/* Makes one that may be lost by a power cut, or writes the same over one that is there, which is at
 * no moment less than it was; what a cut left of it is absent. */
int link_note(const struct repository_lock *held, const char *path, const struct digest *target,
              struct error *error);

/* Moves a link to the trash of what was deleted, from where it can be restored. 1, 0 if there was
 * none, -1. */
int link_delete(const struct repository_lock *held, const char *path, struct sync_set *syncs,
                struct error *error);

/* Removes a link for good and the directory that holds nothing else. 1, 0 if there was none, -1. */
int link_remove(const struct repository_lock *held, const char *path, struct sync_set *syncs,
                struct error *error);

/*
 * Gives the repository the layer `digest`, whose bytes are those of `target`. Durable once `syncs`
 * is flushed.
 *
 * Locking: none, and must not be called under a repository's lock. A link that is there already
 * may be one that has been found leading nowhere, to be removed in a moment under the lock: so that
 * is taken then, and the link looked at again. Who removes links looks, under the lock, whether the
 * bytes are there: so let them be there before this is called, or look for them afterwards.
 */
int link_add(const struct repository *repository, const struct digest *digest,
             const struct digest *target, struct sync_set *syncs, struct error *error);

#endif
