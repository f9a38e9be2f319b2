/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/trash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/directory.h"
#include "lib/base/memory.h"
#include "lib/store/settle.h"

static bool trash_is_earlier(const struct timespec *one, const struct timespec *other)
{
    return one->tv_sec != other->tv_sec ? one->tv_sec < other->tv_sec
                                        : one->tv_nsec < other->tv_nsec;
}

struct timespec trash_now(const struct store *store)
{
    enum { SECOND = 1000000000 };
    int64_t ours = clock_date_nanoseconds();
    struct timespec now = {.tv_sec = ours / SECOND, .tv_nsec = ours % SECOND};
    struct stat status;
    struct error ignored;
    char id[ID_SIZE];
    struct path piece;
    AUTO_CLOSE int descriptor = -1;

    if (store->only_looks) {
        return now;
    }
    id_make(id);
    piece = layout_piece(id);
    descriptor = file_create(store->temporary, piece.text, &ignored);
    if (descriptor >= 0 && fstat(descriptor, &status) == 0) {
        now = status.st_ctim;
    }
    if (descriptor >= 0) {
        (void)unlinkat(store->temporary, piece.text, 0);
    }
    return now;
}

void trash_wait_past(const struct store *store, const struct timespec *time)
{
    enum { TRIES = 100, PAUSE = 1 };

    for (int i = 0; i < TRIES; i++) {
        struct timespec now = trash_now(store);

        if (trash_is_earlier(time, &now)) {
            return;
        }
        clock_pause(PAUSE);
    }
}

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

/* What came back by half: a crash leaves that where a move is a second name and the end of the
 * first (file_publish_new()), and to rename one to the other does nothing. */
static void trash_part(const struct store *store, const char *from, const struct stat *moved)
{
    struct stat status;

    if (fstatat(store->root, from, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        status.st_ino == moved->st_ino) {
        (void)unlinkat(store->root, from, 0);
    }
}

/* 1; 0 if there is no file `from`; -1. Where `is_locked`, nobody is about to end its other name. */
static int trash_move(const struct store *store, const char *from, const char *to, bool is_locked,
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
    if (is_locked && status.st_nlink > 1) {
        trash_part(store, from, &status);
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
        older = trash_move(store, collected.text, there.text, false, error);
    }
    moved = older < 0 ? -1 : trash_move(store, path, there.text, which != TRASH_COLLECTED, error);
    if (moved < 0 && which == TRASH_DELETED && error->code == ERROR_NO_SPACE) {
        int removed = file_remove(store->root, collected.text, error);

        older = removed > older ? removed : older;
        moved = removed < 0 ? -1 : trash_remove(store, path, error);
        if (store->lost && (moved > 0 || older > 0)) {
            (*store->lost)++;
        }
    }
    return moved == 0 ? older : moved;
}

bool trash_put_tree(const struct store *store, enum trash which, const char *path)
{
    struct path there = layout_trash(which, path);
    struct path collected = layout_trash(TRASH_COLLECTED, path);
    struct error ignored;
    struct stat status;

    if (store->options->may_be_lost || !file_is_local(store->root) ||
        fstatat(store->root, collected.text, &status, AT_SYMLINK_NOFOLLOW) == 0 ||
        fstatat(store->root, path, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(status.st_mode)) {
        return false;
    }
    /* It replaces no directory that holds something. */
    return file_publish((struct file_place){store->root, path},
                        (struct file_place){store->root, there.text}, &ignored) == 0;
}

int trash_make_room(const struct store *store, enum trash which, const char *path,
                    struct error *error)
{
    return file_make_parents(store->root, layout_trash(which, path).text, error);
}

void no_room_add(struct no_room *no_room, const struct error *why)
{
    if (no_room->count++ == 0) {
        no_room->why = *why;
    }
}

int trash_collect(const struct store *store, const char *path, struct no_room *no_room,
                  struct error *error)
{
    int moved = trash_put(store, TRASH_COLLECTED, path, error);

    if (moved < 0 && error->code == ERROR_NO_SPACE) {
        no_room_add(no_room, error);
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
    return trash_is_earlier(&status->st_ctim, time);
}

/* Where trash_empty() is. */
struct trash_walk {
    const struct store *store;
    struct trash_emptying *emptying;
    struct buffer *path; /* below the root */
    size_t top;          /* bytes of it that lead to the tree, with the slash */
    struct timespec put; /* when a directory that came as a whole was put here, in that; else 0 */
};

/*
 * Removes the file that was seen, and no other that a repair has put in its place since: there is
 * no way to do that but to move it first to where nobody looks. 1, 0, -1.
 */
static int trash_unlink(const struct trash_walk *walk, struct file_place place,
                        const struct stat *seen, struct error *error)
{
    const struct store *store = walk->store;
    char id[ID_SIZE];
    struct path piece;
    struct stat status;

    id_make(id);
    piece = layout_piece(id);
    if (renameat(place.directory, place.path, store->temporary, piece.text) < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "remove '%s'", walk->path->data);
    }
    if (fstatat(store->temporary, piece.text, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        status.st_ino != seen->st_ino) {
        return file_publish_new((struct file_place){store->temporary, piece.text},
                                (struct file_place){store->root, walk->path->data}, error) < 0
                   ? -1
                   : 0;
    }
    return file_remove(store->temporary, piece.text, error);
}

/* 1 if it is not there any more, 0, -1. */
static int trash_empty_file(const struct trash_walk *walk, struct file_place place,
                            struct error *error)
{
    struct trash_emptying *emptying = walk->emptying;
    bool may_go =
        !emptying->may_go || emptying->may_go(emptying->context, walk->path->data + walk->top);
    struct stat status;
    int removed = 1;

    if (fstatat(place.directory, place.path, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return 1; /* taken back */
    }
    if (!may_go || !trash_is_before(&status, &emptying->before) ||
        !trash_is_earlier(&walk->put, &emptying->before)) {
        emptying->left_files++;
        emptying->left_bytes += (uint64_t)status.st_size;
        return 0;
    }
    if (!emptying->dry_run) {
        removed = trash_unlink(walk, place, &status, error);
    }
    if (removed > 0) {
        emptying->files++;
        emptying->bytes += (uint64_t)status.st_size;
    }
    return removed;
}

static int trash_empty_tree(const struct trash_walk *walk, struct file_place place,
                            struct error *error);

/*
 * The names in an open directory, which are directories or files, from the last to the first. So
 * what names something goes before that: "repositories" before "blobs", "_manifests" before
 * "_layers", and in there "tags" before "revisions". 1 if they are all gone, 0, -1.
 */
static int trash_empty_names(const struct trash_walk *walk, int directory,
                             const struct names *names,
                             int (*empty)(const struct trash_walk *walk, struct file_place place,
                                          struct error *error),
                             struct error *error)
{
    size_t length = walk->path->length;
    int result = 1;

    for (size_t i = names->count; i > 0; i--) {
        const char *name = names->names[i - 1];
        int gone;

        buffer_format(walk->path, "/%s", name);
        gone = empty(walk, (struct file_place){directory, name}, error);
        buffer_cut(walk->path, length);
        result = gone < result ? gone : result;
    }
    return result;
}

/* A manifest's directory, and when its link was put here. */
struct trash_revision {
    struct timespec put;
    char *name;
};

static int trash_revision_compare(const void *left, const void *right)
{
    const struct trash_revision *one = left;
    const struct trash_revision *other = right;

    return trash_is_earlier(&other->put, &one->put) - trash_is_earlier(&one->put, &other->put);
}

/* Those that came first go first, which are the last in `names`: an index is put here before its
 * children (lib/store/prune). */
static void trash_sort_revisions(int directory, struct names *names)
{
    AUTO_FREE struct trash_revision *revisions =
        memory_allocate(names->count + 1, sizeof(*revisions));

    for (size_t i = 0; i < names->count; i++) {
        struct stat status = {.st_size = 0};
        struct path link = layout_below(names->names[i], "link");

        (void)fstatat(directory, link.text, &status, AT_SYMLINK_NOFOLLOW);
        revisions[i] = (struct trash_revision){status.st_ctim, names->names[i]};
    }
    if (names->count > 1) {
        qsort(revisions, names->count, sizeof(*revisions), trash_revision_compare);
    }
    for (size_t i = 0; i < names->count; i++) {
        names->names[i] = revisions[names->count - 1 - i].name;
    }
}

static int trash_empty_open(const struct trash_walk *walk, struct directory *directory,
                            struct error *error)
{
    AUTO_NAMES struct names directories = NAMES_INIT;
    AUTO_NAMES struct names files = NAMES_INIT;
    int descriptor = directory_descriptor(directory);
    int below;
    int here;

    if (directory_split(directory, &directories, &files, error) < 0) {
        return error_errno(error, "list '%s'", walk->path->data);
    }
    names_sort(&directories);
    if (layout_is_revisions(walk->path->data)) {
        trash_sort_revisions(descriptor, &directories);
    }
    below = trash_empty_names(walk, descriptor, &directories, trash_empty_tree, error);
    here = trash_empty_names(walk, descriptor, &files, trash_empty_file, error);
    return below < here ? below : here;
}

/*
 * 1 if it is not there any more, 0, -1; what cannot be looked at keeps nothing else from going.
 * Everything is looked at from the directory that it is in: a path from the root costs several
 * times as much, and of what was deleted there are as many as of tags. And it is the directory that
 * was dated, whatever is put in its place meanwhile.
 */
static int trash_empty_tree(const struct trash_walk *walk, struct file_place place,
                            struct error *error)
{
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    struct trash_walk inner = *walk;
    struct stat status;
    int gone = directory_open(&directory, place.directory, place.path, error);

    if (gone <= 0) {
        return gone < 0 ? error_errno(error, "open '%s'", walk->path->data) : 1;
    }
    if (layout_is_tag_index(walk->path->data) &&
        fstat(directory_descriptor(&directory), &status) == 0) {
        inner.put = status.st_ctim; /* before it changes, since things go from it */
    }
    gone = trash_empty_open(&inner, &directory, error);
    if (gone > 0 && !walk->emptying->dry_run && walk->path->length >= walk->top) {
        (void)unlinkat(place.directory, place.path, AT_REMOVEDIR);
    }
    return gone;
}

int trash_empty(const struct store *store, enum trash which, struct trash_emptying *emptying,
                struct error *error)
{
    struct path top = layout_trash(which, "");
    AUTO_BUFFER struct buffer path = BUFFER_INIT;
    const struct trash_walk walk = {
        .store = store, .emptying = emptying, .path = &path, .top = strlen(top.text) + strlen("/")};

    buffer_add_text(&path, top.text);
    return trash_empty_tree(&walk, (struct file_place){store->root, top.text}, error) < 0 ? -1 : 0;
}
