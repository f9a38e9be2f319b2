/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/trash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/directory.h"
#include "lib/store/settle.h"

int trash_has(const struct store *store, enum trash which, const char *path, struct error *error)
{
    struct path there = layout_trash(which, path);
    struct stat status;

    if (fstatat(store->root, there.text, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "stat '%s'", there.text);
    }
    return S_ISREG(status.st_mode);
}

/* What a cache has can be had again: it has no trash, and what it deletes is gone. 1, 0, -1. */
static int trash_remove(const struct store *store, const char *path, struct error *error)
{
    int removed = file_remove(store->root, path, error);

    if (removed > 0) {
        (void)unlinkat(store->root, layout_above(path).text, AT_REMOVEDIR);
    }
    return removed;
}

/* 1; 0 if there is no file `from`; -1. */
static int trash_move(const struct store *store, const char *from, const char *to,
                      struct error *error)
{
    struct stat status;

    if (fstatat(store->root, from, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "stat '%s'", from);
    }
    if (!S_ISREG(status.st_mode)) {
        return 0;
    }
    if (file_publish((struct file_place){store->root, from}, (struct file_place){store->root, to},
                     error) < 0) {
        return file_is_gone(errno) && fstatat(store->root, from, &status, 0) < 0 ? 0 : -1;
    }
    (void)unlinkat(store->root, layout_above(from).text, AT_REMOVEDIR);
    return 1;
}

int trash_put(const struct store *store, enum trash which, const char *path, struct error *error)
{
    struct path there = layout_trash(which, path);
    struct path collected = layout_trash(TRASH_COLLECTED, path);
    int older = 0;
    int moved;

    if (store->options->may_be_lost) {
        return trash_remove(store, path, error);
    }
    if (which == TRASH_DELETED) { /* first: whoever takes it back meanwhile is caught below */
        older = trash_move(store, collected.text, there.text, error);
    }
    moved = older < 0 ? -1 : trash_move(store, path, there.text, error);
    if (moved < 0 && which == TRASH_DELETED && error->code == ERROR_NO_SPACE) {
        int removed = file_remove(store->root, collected.text, error);

        older = removed > older ? removed : older;
        moved = removed < 0 ? -1 : trash_remove(store, path, error);
    }
    return moved == 0 ? older : moved;
}

int trash_collect(const struct store *store, const char *path, uint64_t *no_room,
                  struct error *error)
{
    int moved = trash_put(store, TRASH_COLLECTED, path, error);

    if (moved < 0 && error->code == ERROR_NO_SPACE) {
        (*no_room)++;
        return 0;
    }
    return moved;
}

int trash_take_back(const struct store *store, enum trash which, const char *path,
                    struct error *error)
{
    struct path there = layout_trash(which, path);
    /* Nothing of it is known to be synced: it has been elsewhere. */
    AUTO_SYNC_SET struct sync_set syncs = {.root = store->options->may_be_lost ? -1 : store->root,
                                           .floor = LAYOUT_FIXED_LEVELS,
                                           .in_order = store->keeps_order};
    int found = trash_has(store, which, path, error);

    if (found <= 0) {
        return found;
    }
    if (settle_forget(store, there.text, error) < 0 ||
        file_publish_new((struct file_place){store->root, there.text},
                         (struct file_place){store->root, path}, error) < 0) {
        return -1;
    }
    (void)unlinkat(store->root, layout_above(there.text).text, AT_REMOVEDIR);
    sync_set_add(&syncs, path);
    return sync_set_flush(&syncs, error) < 0 ? -1 : 1;
}

bool trash_is_before(const struct stat *status, const struct timespec *time)
{
    return status->st_ctim.tv_sec != time->tv_sec ? status->st_ctim.tv_sec < time->tv_sec
                                                  : status->st_ctim.tv_nsec < time->tv_nsec;
}

/*
 * Removes the file that was seen, and no other that a repair has put in its place since: there is
 * no way to do that but to move it first to where nobody looks. 1, 0, -1.
 */
static int trash_unlink(const struct store *store, const char *path, const struct stat *seen,
                        struct error *error)
{
    char id[ID_SIZE];
    struct path piece;
    struct stat status;

    id_make(id);
    piece = layout_piece(id);
    if (renameat(store->root, path, store->temporary, piece.text) < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "remove '%s'", path);
    }
    if (fstatat(store->temporary, piece.text, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        status.st_ino != seen->st_ino) {
        return file_publish_new((struct file_place){store->temporary, piece.text},
                                (struct file_place){store->root, path}, error) < 0
                   ? -1
                   : 0;
    }
    return file_remove(store->temporary, piece.text, error);
}

static int trash_empty_file(const struct store *store, const char *path, const char *original,
                            struct trash_emptying *emptying, struct error *error)
{
    bool may_go = !emptying->may_go || emptying->may_go(emptying->context, original);
    struct stat status;
    int removed = 1;

    if (fstatat(store->root, path, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return 0; /* taken back */
    }
    if (!may_go || !trash_is_before(&status, &emptying->before)) {
        emptying->left_files++;
        emptying->left_bytes += (uint64_t)status.st_size;
        return 0;
    }
    if (!emptying->dry_run) {
        removed = trash_unlink(store, path, &status, error);
    }
    if (removed > 0) {
        emptying->files++;
        emptying->bytes += (uint64_t)status.st_size;
    }
    return removed < 0 ? -1 : 0;
}

/* `original` is where `path` was in the store, "" for the top. */
static int trash_empty_tree(const struct store *store, const char *path, const char *original,
                            struct trash_emptying *emptying, struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    int failed = directory_list(store->root, path, &names, error) < 0 ? -1 : 0;

    for (size_t i = 0; i < names.count; i++) {
        AUTO_BUFFER struct buffer child = BUFFER_INIT;
        AUTO_BUFFER struct buffer child_original = BUFFER_INIT;
        struct stat status;

        buffer_format(&child, "%s/%s", path, names.names[i]);
        buffer_format(&child_original, "%s%s%s", original, *original ? "/" : "", names.names[i]);
        if (fstatat(store->root, child.data, &status, AT_SYMLINK_NOFOLLOW) < 0) {
            continue; /* taken back */
        }
        if (S_ISDIR(status.st_mode)) {
            if (trash_empty_tree(store, child.data, child_original.data, emptying, error) < 0) {
                failed = -1;
            }
        } else if (trash_empty_file(store, child.data, child_original.data, emptying, error) < 0) {
            failed = -1;
        }
    }
    if (!emptying->dry_run && *original) {
        (void)unlinkat(store->root, path, AT_REMOVEDIR);
    }
    return failed;
}

int trash_empty(const struct store *store, enum trash which, struct trash_emptying *emptying,
                struct error *error)
{
    return trash_empty_tree(store, layout_trash(which, "").text, "", emptying, error);
}
