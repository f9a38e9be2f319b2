/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_IMMUTABLE_H
#define STORE_IMMUTABLE_H

/*
 * What tags that must not be moved (immutable_tags) need: a tag that is there and cannot be pulled
 * whole is worse than one that has moved. It is all that their manifests name, to any depth,
 * manifests and blobs; not what refers to them.
 */

#include "lib/store/tag.h"

/*
 * Whether a manifest or a blob may be taken from the repository: the link of that kind. 0; -1,
 * ERROR_TAG_IMMUTABLE if such a tag needs it, unless the actor forces it. Reads the manifests of
 * all such tags, each once; nothing where there are none, or where the link is not there either.
 * What cannot be read is a reason to refuse, and the error says which tag's it is.
 *
 * Locking: needs repository_lock(), so that no tag comes between asking and deleting.
 */
int immutable_judge(const struct repository_lock *held, enum link_kind kind,
                    const struct digest *digest, const struct actor *actor, struct error *error);

#endif
