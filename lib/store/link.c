/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/link.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/store/touch.h"
#include "lib/store/trash.h"

int link_read(const struct store *store, const char *path, struct digest *out_target,
              struct error *error)
{
    return link_read_at(store->root, path, out_target, error);
}

int link_read_at(int directory, const char *path, struct digest *out_target, struct error *error)
{
    char text[DIGEST_TEXT_SIZE + 8];
    struct error ignored;
    ssize_t length = file_read_head(directory, path, text, sizeof(text) - 1, error);

    if (length < 0) {
        return length == FILE_GONE ? 0 : -1;
    }
    text[length] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    return digest_parse(out_target, text, &ignored) == 0;
}

/* Whether a link, if there is one, is right under its name. */
static int link_judge(int found, const struct digest *digest, const struct digest *target)
{
    return found > 0 && target->algorithm == digest->algorithm ? digest_equal(target, digest)
                                                               : found;
}

int link_find(const struct repository *repository, enum link_kind kind, const struct digest *digest,
              struct digest *out_target, struct error *error)
{
    struct path path = layout_link(repository->name, kind, digest);

    return link_judge(link_read(repository->store, path.text, out_target, error), digest,
                      out_target);
}

int link_take_back(const struct repository *repository, enum link_kind kind,
                   const struct digest *digest, struct digest *out_target, struct error *error)
{
    const struct store *store = repository->store;
    struct path path = layout_link(repository->name, kind, digest);
    int came_back = 1;
    int found = 0;

    if (store->options->may_be_lost) {
        return 0; /* a cache's links can be had again */
    }
    if (store->only_looks) {
        found = link_read(store, layout_trash(TRASH_COLLECTED, path.text).text, out_target, error);
        return found == 0 ? link_find(repository, kind, digest, out_target, error)
                          : link_judge(found, digest, out_target);
    }
    /* Also where the trash has none: somebody else may have taken it back between two looks. */
    for (int i = 0; i < TRASH_TRIES && found == 0 && came_back > 0; i++) {
        came_back = trash_take_back(store, TRASH_COLLECTED, path.text, error);
        found = came_back < 0 ? -1 : link_read(store, path.text, out_target, error);
    }
    if (found > 0) { /* somebody refers to them */
        touch_blob(store, out_target);
    }
    return link_judge(found, digest, out_target);
}

int link_follow(const struct repository *repository, enum link_kind kind,
                const struct digest *digest, struct digest *out_target, struct error *error)
{
    int found = link_find(repository, kind, digest, out_target, error);

    return found == 0 ? link_take_back(repository, kind, digest, out_target, error) : found;
}

static int link_replace(struct store *store, const char *path, const struct digest *target,
                        struct sync_set *syncs, struct error *error)
{
    AUTO_BUFFER struct buffer content = BUFFER_INIT;

    buffer_add_text(&content, target->text);
    if (store->options->may_be_lost) { /* a link that is empty after a power cut is absent */
        return store_replace(store, (struct file_place){store->root, path}, &content,
                             REPLACE_SHARED, error);
    }
    return store_write(store, path, &content, syncs, error);
}

int link_overwrite(const struct repository_lock *held, const char *path,
                   const struct digest *target, struct sync_set *syncs, struct error *error)
{
    return link_replace(held->repository->store, path, target, syncs, error);
}

int link_write(const struct repository_lock *held, const char *path, const struct digest *target,
               struct sync_set *syncs, struct error *error)
{
    struct digest present;
    int found = link_read(held->repository->store, path, &present, error);

    if (found < 0) {
        return -1;
    }
    if (found && digest_equal(&present, target)) {
        touch_file(held->repository->store, path, NULL);
        sync_set_add(syncs, path);
        return 0;
    }
    return link_overwrite(held, path, target, syncs, error);
}

int link_note(const struct repository_lock *held, const char *path, const struct digest *target,
              struct error *error)
{
    struct store *store = held->repository->store;
    AUTO_CLOSE int descriptor = -1;
    size_t length = strlen(target->text);
    struct stat status;

    if (file_make_parents(store->root, path, error) < 0) {
        return -1;
    }
    /* What is there is the same, as a rule: written over, it is at no moment less than that. */
    descriptor =
        openat(store->root, path, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor < 0 || fstat(descriptor, &status) < 0) {
        return error_errno(error, "create '%s'", path);
    }
    if (file_write_at(descriptor, 0, target->text, length, error) < 0) {
        return -1;
    }
    return status.st_size > (off_t)length && ftruncate(descriptor, (off_t)length) < 0
               ? error_errno(error, "cut '%s'", path)
               : 0;
}

int link_delete(const struct repository_lock *held, const char *path, struct sync_set *syncs,
                struct error *error)
{
    int moved = trash_put(held->repository->store, TRASH_DELETED, path, error);

    if (moved > 0) {
        sync_set_add(syncs, path);
        sync_set_add(syncs, layout_trash(TRASH_DELETED, path).text);
    }
    return moved;
}

int link_remove(const struct repository_lock *held, const char *path, struct sync_set *syncs,
                struct error *error)
{
    struct store *store = held->repository->store;
    int removed = file_remove(store->root, path, error);

    if (removed <= 0) {
        return removed;
    }
    sync_set_add(syncs, path);
    (void)unlinkat(store->root, layout_above(path).text, AT_REMOVEDIR);
    return 1;
}

int link_add(const struct repository *repository, const struct digest *digest,
             const struct digest *target, struct sync_set *syncs, struct error *error)
{
    struct path path = layout_link(repository->name, LINK_LAYER, digest);
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    struct stat status;

    if (fstatat(repository->store->root, path.text, &status, 0) < 0 && file_is_gone(errno)) {
        return link_replace(repository->store, path.text, target, syncs, error);
    }
    if (repository_lock(repository, &lock, error) < 0) {
        return -1;
    }
    return link_write(&lock, path.text, target, syncs, error);
}
