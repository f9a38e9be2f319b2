/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_LINKED_H
#define STORE_LINKED_H

/*
 * What a repository may lead to that could not be looked at: for a collector that must not take it,
 * and whose other work is not to wait for somebody who mends the repository.
 *
 * These are the blobs of all its links, whether they are good or not, in their places and in either
 * trash, from where one may be taken back. A link that cannot be read has a name, and one by
 * sha256 has the digest of its blob as its name: only others are aliases, as distribution makes
 * them.
 */

#include "lib/oci/digest_keys.h"
#include "lib/store/store.h"

/* Adds them to `marked`, and those that links in the trash lead to to `held`, each once. False if
 * there may be more: not all links can be seen, or told by their names. */
bool linked_mark(const struct repository *repository, struct digest_keys *marked,
                 struct digest_keys *held);

#endif
