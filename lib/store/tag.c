/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/tag.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/directory.h"
#include "lib/oci/pattern.h"
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

int tag_get_dated(const struct repository *repository, const char *tag, struct digest *out_digest,
                  time_t *out_pushed, struct error *error)
{
    struct path current = layout_tag_current(repository->name, tag);
    struct stat status;
    struct digest digest;
    time_t pushed;
    int found = tag_get(repository, tag, &digest, error);
    int known = found > 0 ? history_find_push(repository, tag, &digest, &pushed, error) : 0;

    if (found <= 0 || known < 0) {
        return known < 0 ? -1 : found;
    }
    if (known == 0) {
        if (fstatat(repository->store->root, current.text, &status, AT_SYMLINK_NOFOLLOW) < 0) {
            return file_is_gone(errno) ? 0 : error_errno(error, "stat '%s'", current.text);
        }
        pushed = status.st_mtime;
    }
    *out_digest = digest;
    *out_pushed = pushed;
    return 1;
}

bool tag_is_immutable(const struct store *store, const char *tag)
{
    return patterns_match(&store->options->immutable_tags, tag, NULL);
}

/* Of a tag that would become something else. */
static int tag_judge_loss(const struct repository_lock *held, const struct tag_change *change,
                          struct error *error)
{
    const struct actor *actor = change->actor;

    if (!(actor && actor->forces) && tag_is_immutable(held->repository->store, change->tag)) {
        /* Clients that are told to put up with it know it by these words of other registries'. */
        return error_set(error, ERROR_TAG_IMMUTABLE,
                         change->to ? "the tag '%s' exists and cannot be overwritten because the "
                                      "tag is immutable. The repository has enabled tag "
                                      "immutability (immutable_tags)"
                                    : "the tag '%s' cannot be deleted because the tag is immutable "
                                      "(immutable_tags)",
                         change->tag);
    }
    if (actor && actor->moves_none && change->to) {
        return error_set(error, ERROR_DENIED, "the tag '%s' is there and must not be moved",
                         change->tag);
    }
    return 0;
}

int tag_judge(const struct repository_lock *held, struct tag_change *change, struct error *error)
{
    struct digest current = {.text = ""};
    int found = tag_get(held->repository, change->tag, &current, error);

    if (found < 0) {
        return -1;
    }
    if (found && !(change->to && digest_equal(&current, change->to)) &&
        tag_judge_loss(held, change, error) < 0) {
        return -1;
    }
    change->judged_held = held;
    change->judged_former = current;
    return 0;
}

static int tag_check_judged(const struct tag_change *change, struct error *error)
{
    return change->judged_held ? 0 : error_set(error, ERROR_INTERNAL, "a tag was changed unjudged");
}

static int tag_write(const struct repository_lock *held, const char *tag,
                     const struct digest *digest, struct sync_set *syncs, struct error *error)
{
    struct path history = layout_tag_history(held->repository->name, tag, digest);
    struct path current = layout_tag_current(held->repository->name, tag);

    if (link_note(held, history.text, digest, error) < 0) {
        return -1;
    }
    return link_overwrite(held, current.text, digest, syncs, error);
}

int tag_set(const struct tag_change *change, struct sync_set *syncs, struct error *error)
{
    return tag_check_judged(change, error) < 0
               ? -1
               : tag_write(change->judged_held, change->tag, change->to, syncs, error);
}

static const char *tag_author(const struct tag_change *change)
{
    return change->actor && change->actor->name ? change->actor->name : "";
}

static void tag_tell(const struct tag_change *change)
{
    if (change->actor && change->actor->changed) {
        change->actor->changed(change->actor->context, change->tag, &change->judged_former);
    }
}

void actor_tell(const struct actor *actor, const struct actor_deed *deed)
{
    if (actor && actor->done) {
        actor->done(actor->context, deed);
    }
}

void tag_note(const struct tag_change *change, enum history_event event)
{
    tag_tell(change);
    history_add(change->judged_held, change->tag, event, tag_author(change), change->to);
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

/* What it has stood for. */
static int tag_put_index(const struct repository_lock *held, enum trash which, const char *tag,
                         struct error *error)
{
    const struct store *store = held->repository->store;
    struct path index = layout_tag_index(held->repository->name, tag);

    if (trash_put_tree(store, which, index.text)) {
        return 0;
    }
    for (int i = 0; i < DIGEST_ALGORITHM_COUNT; i++) {
        if (tag_put_history(held, which, tag, (enum digest_algorithm)i, error) < 0) {
            return -1;
        }
    }
    (void)unlinkat(store->root, index.text, AT_REMOVEDIR);
    return 0;
}

/* `deletion` is what its history has to tell of, or NULL. */
static int tag_put(const struct repository_lock *held, enum trash which, const char *tag,
                   const struct tag_change *deletion, struct error *error)
{
    const struct store *store = held->repository->store;
    const char *name = held->repository->name;
    struct path current = layout_tag_current(name, tag);
    /* First what the tag is: whatever comes of the rest, it is gone. */
    int moved = trash_put(store, which, current.text, error);

    if (moved > 0 && deletion) {
        history_add(held, tag, HISTORY_DELETED, tag_author(deletion), &deletion->judged_former);
    }
    if (moved >= 0 && (tag_put_index(held, which, tag, error) < 0 ||
                       trash_put(store, which, layout_pulled_tag(name, tag).text, error) < 0 ||
                       history_put_in_trash(held, which, tag, error) < 0)) {
        moved = -1;
    }
    if (unlinkat(store->root, layout_tag(name, tag).text, AT_REMOVEDIR) < 0) {
        /* There was no link, and so its directory has not gone with it. */
        (void)unlinkat(store->root, layout_above(current.text).text, AT_REMOVEDIR);
        (void)unlinkat(store->root, layout_tag(name, tag).text, AT_REMOVEDIR);
    }
    return moved;
}

int tag_put_in_trash(const struct repository_lock *held, enum trash which, const char *tag,
                     struct error *error)
{
    return tag_put(held, which, tag, NULL, error);
}

/* The tag is in the trash of what was deleted by now. */
static void tag_sync_deletion(const struct repository_lock *held, const char *tag,
                              const struct digest *former, struct sync_set *syncs)
{
    const char *name = held->repository->name;
    struct path current = layout_tag_current(name, tag);

    sync_set_add(syncs, current.text);
    sync_set_add(syncs, layout_trash(TRASH_DELETED, current.text).text);
    /* Untagged since now: see lib/store/reach. */
    touch_always(held->repository->store, layout_link(name, LINK_REVISION, former).text);
}

/* What it was to become need not be in the past of a tag that did not: on a disk without an inode
 * left that is what makes room for the way back. */
static void tag_forget_new(const struct tag_change *change)
{
    const struct repository *repository = change->judged_held->repository;
    struct path note = layout_tag_history(repository->name, change->tag, change->to);

    if (!digest_equal(&change->judged_former, change->to)) {
        (void)unlinkat(repository->store->root, note.text, 0);
        (void)unlinkat(repository->store->root, layout_above(note.text).text, AT_REMOVEDIR);
    }
}

void tag_set_back(const struct tag_change *change, struct sync_set *syncs)
{
    const struct repository_lock *held = change->judged_held;
    struct error ignored;

    if (change->judged_former.text[0]) {
        if (tag_write(held, change->tag, &change->judged_former, syncs, &ignored) < 0) {
            tag_forget_new(change);
            (void)tag_write(held, change->tag, &change->judged_former, syncs, &ignored);
        }
    } else if (tag_put_in_trash(held, TRASH_DELETED, change->tag, &ignored) > 0) {
        tag_sync_deletion(held, change->tag, change->to, syncs);
    }
}

int tag_delete(const struct tag_change *change, struct sync_set *syncs, struct error *error)
{
    const struct repository_lock *held = change->judged_held;
    const struct digest *former = &change->judged_former;
    bool is_there = former->text[0] != '\0';

    if (tag_check_judged(change, error) < 0 ||
        tag_put(held, TRASH_DELETED, change->tag, is_there ? change : NULL, error) < 0) {
        return -1;
    }
    if (is_there) {
        tag_sync_deletion(held, change->tag, former, syncs);
        tag_tell(change);
    }
    return is_there;
}

int tag_retire(const struct tag_change *change, struct error *error)
{
    return tag_check_judged(change, error) < 0
               ? -1
               : tag_put(change->judged_held, TRASH_RETIRED, change->tag, change, error);
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
