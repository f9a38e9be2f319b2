/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

/*
 * The door. A request becomes an identity (which repository is meant), the identity a permit
 * (whether this caller may), the permit a source (where the content is):
 *
 *   identity_find() -> registry_permit() -> registry_find() -> source_…()
 *
 * Nothing is looked up without a permit. The same way go the repositories that a request names
 * besides: the source of a mount, the root of a mirror, each entry of the catalog.
 */

#include "lib/observe/events.h"
#include "lib/registry/source.h"

struct registry {
    const struct registry_options *options;
    struct store hosted;
    struct store cache;
    uint64_t lost; /* files of what is hosted that were deleted for good: see trash_put() */
};

#define REGISTRY_INIT                                                                              \
    {                                                                                              \
        .options = NULL, .hosted = STORE_INIT, .cache = STORE_INIT                                 \
    }

/* `options` must outlive the registry. */
int registry_open(struct registry *registry, const struct registry_options *options,
                  struct error *error);
void registry_close(struct registry *registry);

/* Sees to it that the cache is open: it is not until it is needed. ERROR_NO_SPACE if it cannot be.
 */
int registry_open_cache(struct registry *registry, struct error *error);

/* Shares what is counted with the other processes of this host, see counters_open(). -1 if this one
 * counts for itself. */
int registry_count(const struct registry_options *options, struct error *error);

/* Where a name is looked for. */
enum registry_reach {
    REACH_HOSTED, /* a mirror's names are hosted ones: who pushes has to be told what is here */
    REACH_MIRROR, /* and where nothing is hosted, at the mirror's root */
};

/*
 * Opens what was permitted; it need not exist. The registry must outlive the source. -1, with what
 * identity_mirror() says of a root that cannot be asked.
 */
int registry_find(struct registry *registry, const struct permit *permit, enum registry_reach reach,
                  struct source *out_source, struct error *error);

/*
 * The hosted repositories that this caller may pull, as this caller calls them. The permit is one
 * for PERMISSION_LIST. 1 if there are more behind the page; 0; -1.
 */
int registry_list(struct registry *registry, const struct permit *permit, const struct page *page,
                  struct names *out, struct error *error);

/*
 * The hosted repositories of which something was deleted that this caller may restore, since he may
 * delete there; as he calls them. The permit is one for PERMISSION_LIST. 1 if not all were looked
 * at; 0; -1.
 */
enum { REGISTRY_DELETED_LIMIT = 500, REGISTRY_DELETED_LOOKS = 5000 };
int registry_list_deleted(const struct registry *registry, const struct permit *permit,
                          struct names *out, struct error *error);

/* Of what has happened here, hosted and proxied: see lib/observe/events. */
int registry_raise(struct registry *registry, const struct events_options *options,
                   const struct event *event, struct error *error);
void registry_start_delivery(struct registry *registry, const struct events_options *options);

#endif
