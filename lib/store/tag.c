/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/tag.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/base/directory.h"
#include "lib/store/link.h"
#include "lib/store/touch.h"
#include "lib/store/trash.h"
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

/* Of one algorithm. Afterwards the directories are empty, unless they hold what is not ours. */
static int tag_put_history(const struct repository_lock *held, enum trash which, const char *tag,
                           enum digest_algorithm algorithm, struct error *error)
{
    const struct store *store = held->repository->store;
    struct path directory = layout_tag_histories(held->repository->name, tag, algorithm);
    AUTO_NAMES struct names names = NAMES_INIT;

    if (directory_list(store->root, directory.text, &names, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count; i++) {
        struct path entry = layout_below(directory.text, names.names[i]);

        if (trash_put(store, which, layout_below(entry.text, "link").text, error) < 0) {
            return -1;
        }
    }
    (void)unlinkat(store->root, directory.text, AT_REMOVEDIR);
    return 0;
}

int tag_put_in_trash(const struct repository_lock *held, enum trash which, const char *tag,
                     struct error *error)
{
    const struct store *store = held->repository->store;
    const char *name = held->repository->name;
    struct path current = layout_tag_current(name, tag);
    /* First what the tag is: whatever comes of the rest, it is gone. */
    int moved = trash_put(store, which, current.text, error);
    struct path history = layout_tag_histories(name, tag, DIGEST_SHA256);

    for (int i = 0; i < DIGEST_ALGORITHM_COUNT && moved >= 0; i++) {
        if (tag_put_history(held, which, tag, (enum digest_algorithm)i, error) < 0) {
            moved = -1;
        }
    }
    if (moved >= 0 && trash_put(store, which, layout_pulled_tag(name, tag).text, error) < 0) {
        moved = -1;
    }
    (void)unlinkat(store->root, layout_above(history.text).text, AT_REMOVEDIR);
    (void)unlinkat(store->root, layout_above(current.text).text, AT_REMOVEDIR);
    (void)unlinkat(store->root, layout_tag(name, tag).text, AT_REMOVEDIR);
    return moved;
}

int tag_delete(const struct repository_lock *held, const char *tag, struct sync_set *syncs,
               struct error *error)
{
    const char *name = held->repository->name;
    struct path current = layout_tag_current(name, tag);
    struct digest digest;
    int found = tag_get(held->repository, tag, &digest, error);

    if (found < 0 || tag_put_in_trash(held, TRASH_DELETED, tag, error) < 0) {
        return -1;
    }
    if (found) {
        sync_set_add(syncs, current.text);
        sync_set_add(syncs, layout_trash(TRASH_DELETED, current.text).text);
        /* Untagged since now: see lib/store/reach. */
        touch_always(held->repository->store, layout_link(name, LINK_REVISION, &digest).text);
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
