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

/*
 * The digest of the bytes that the repository has under `digest`: the same one, or, where
 * distribution keeps sha512 as an alias, of another algorithm. 1; 0 if it has none; -1.
 */
int link_follow(const struct repository *repository, enum link_kind kind,
                const struct digest *digest, struct digest *out_target, struct error *error);

/* Durable once `syncs` is flushed, also if the link was there already. */
int link_write(struct store *store, const char *path, const struct digest *target,
               struct sync_set *syncs, struct error *error);

/* The same without looking first: where another host's caches may be behind. */
int link_overwrite(struct store *store, const char *path, const struct digest *target,
                   struct sync_set *syncs, struct error *error);

/* Removes a link and the directory that holds nothing else. 1, 0 if there was none, -1. */
int link_remove(struct store *store, const char *path, struct sync_set *syncs, struct error *error);

#endif
