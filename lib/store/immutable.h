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

/*
 * The same for who goes through the tags anyway:
 *
 *   AUTO_IMMUTABLES struct immutables immutables = IMMUTABLES_INIT(&lock, LINK_REVISION, &digest);
 *
 *   … immutables_add(&immutables, tag, &its_digest) for each of them …
 *   immutables_judge(&immutables, actor, error)
 */
struct immutables {
    const struct repository_lock *held;
    enum link_kind kind;
    const struct digest *wanted;
    struct names tags;      /* of the repository, that are immutable, … */
    struct digest *digests; /* … and what each stands for */
    size_t capacity;
};

#define IMMUTABLES_INIT(a_held, a_kind, a_digest)                                                  \
    {                                                                                              \
        .held = (a_held), .kind = (a_kind), .wanted = (a_digest)                                   \
    }
#define AUTO_IMMUTABLES AUTO(immutables_release)
void immutables_release(struct immutables *immutables);

/* A tag, which need not be one of those. */
void immutables_add(struct immutables *immutables, const char *tag, const struct digest *digest);

int immutables_judge(const struct immutables *immutables, const struct actor *actor,
                     struct error *error);

#endif
