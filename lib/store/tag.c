/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/tag.h"

#include "lib/store/link.h"
#include "lib/store/walk.h"

int tag_get(const struct repository *repository, const char *tag, struct digest *out_digest,
            struct error *error)
{
    return link_read(repository->store, layout_tag_current(repository->name, tag).text, out_digest,
                     error);
}

int tag_set(const struct repository_lock *held, const char *tag, const struct digest *digest,
            struct sync_set *syncs, struct error *error)
{
    struct path history = layout_tag_history(held->repository->name, tag, digest);
    struct path current = layout_tag_current(held->repository->name, tag);

    if (link_note(held, history.text, digest, error) < 0) {
        return -1;
    }
    return link_overwrite(held, current.text, digest, syncs, error);
}

int tag_delete(const struct repository_lock *held, const char *tag, struct sync_set *syncs,
               struct error *error)
{
    struct store *store = held->repository->store;
    struct path path = layout_tag(held->repository->name, tag);
    struct digest digest;
    int found = tag_get(held->repository, tag, &digest, error);

    if (found < 0) {
        return -1;
    }
    if (store_discard(store, (struct file_place){store->root, path.text}, error) < 0) {
        return -1;
    }
    if (found) {
        sync_set_add(syncs, path.text);
    }
    return found;
}

int tag_list(const struct repository *repository, const struct page *page, struct names *out,
             struct error *error)
{
    AUTO_TAG_WALK struct tag_walk walk = tag_walk_begin(repository, page->last);
    AUTO_NAMES struct names tags = NAMES_INIT;
    const char *tag;
    enum walk_result result;
    int more = 0;

    while (!more && (result = tag_walk_next(&walk, &tag, error)) != WALK_END) {
        struct digest digest;
        int found = result == WALK_FOUND ? tag_get(repository, tag, &digest, error) : 0;

        if (result == WALK_FAILED || found < 0) {
            return -1;
        }
        if (found && tags.count == page->limit) {
            more = 1;
        } else if (found) {
            names_add(&tags, tag);
        }
    }
    *out = tags;
    tags = (struct names)NAMES_INIT;
    return more;
}
