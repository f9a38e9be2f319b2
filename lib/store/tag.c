/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/tag.h"

#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/directory.h"
#include "lib/store/link.h"

int repository_lock(const struct repository *repository, struct lock *lock, struct error *error)
{
    struct path path = layout_repository_lock(repository->name);
    struct file_place place = {repository->store->root, path.text};

    return lock_take_or_make(lock, place, LOCK_WAIT, error) == LOCK_TAKEN ? 0 : -1;
}

int tag_get(const struct repository *repository, const char *tag, struct digest *out_digest,
            struct error *error)
{
    return link_read(repository->store, layout_tag_current(repository->name, tag).text, out_digest,
                     error);
}

int tag_set(const struct repository *repository, const char *tag, const struct digest *digest,
            struct sync_set *syncs, struct error *error)
{
    struct path history = layout_tag_history(repository->name, tag, digest);
    struct path current = layout_tag_current(repository->name, tag);

    if (link_write(repository->store, history.text, digest, syncs, error) < 0) {
        return -1;
    }
    return link_overwrite(repository->store, current.text, digest, syncs, error);
}

int tag_delete(const struct repository *repository, const char *tag, struct sync_set *syncs,
               struct error *error)
{
    struct store *store = repository->store;
    struct path path = layout_tag(repository->name, tag);
    struct digest digest;
    int found = tag_get(repository, tag, &digest, error);

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
    AUTO_NAMES struct names all = NAMES_INIT;
    AUTO_NAMES struct names tags = NAMES_INIT;
    struct path path = layout_tags(repository->name);
    int more = 0;

    if (directory_list(repository->store->root, path.text, &all, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < all.count && !more; i++) {
        struct digest digest;
        int found;

        if (!tag_is_valid(all.names[i]) || (page->last && strcmp(all.names[i], page->last) <= 0)) {
            continue;
        }
        found = tag_get(repository, all.names[i], &digest, error);
        if (found < 0) {
            return -1;
        }
        if (found && tags.count == page->limit) {
            more = 1;
        } else if (found) {
            names_add(&tags, all.names[i]);
        }
    }
    *out = tags;
    tags = (struct names)NAMES_INIT;
    return more;
}
