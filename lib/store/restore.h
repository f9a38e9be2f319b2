/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_RESTORE_H
#define STORE_RESTORE_H

/*
 * Takes back what somebody has deleted, as it was: a manifest with its tags, and all that it needs
 * to be pulled, whether that was deleted or collected: children, layers, and the referrers that
 * were collected because it was gone. What was deleted by itself stays so unless it is needed.
 *
 * What comes first is what is pointed at: a manifest is back when all that it names is, and a tag
 * when everything behind it is. What a manifest names and is nowhere any more is told, and it comes
 * back without that. Each step is durable, and may be done again.
 */

#include "lib/store/restoration.h"

/*
 * All return 1; 0 if there is no such thing, neither in the trash nor in its place; -1.
 *
 * Locking: they take repository_lock().
 */

/* The manifest without its tags. */
int restore_untagged(struct restoration *restoration, const struct digest *digest,
                     struct error *error);

/* The manifest, and all tags in the trash that stood for it: those that were deleted with it, by
 * themselves or before. A tag that cannot be read is told, and the others come back. */
int restore_manifest(struct restoration *restoration, const struct digest *digest,
                     struct error *error);

/* A tag alone, or what one that is there needs. ERROR_PRECONDITION: it is there, and stands for
 * another manifest. */
int restore_tag(struct restoration *restoration, const char *tag, struct error *error);

/* All that was deleted in the repository. What cannot be brought back is told, and the rest is. */
int restore_repository(struct restoration *restoration, struct error *error);

#endif
