/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/process.h"
#include "lib/store/link.h"
#include "lib/store/settle.h"
#include "lib/store/touch.h"
#include "lib/store/trash.h"
#include "lib/store/use.h"

/* Opens what is there, or only looks where `out_descriptor` is NULL. 1, 0, -1. */
static int blob_look(const struct store *store, const char *path, int *out_descriptor,
                     struct stat *out_status, struct error *error)
{
    if (out_descriptor) {
        int descriptor = file_open(store->root, path, out_status, error);

        if (descriptor < 0) {
            return descriptor == FILE_GONE ? 0 : -1;
        }
        *out_descriptor = descriptor;
    } else if (fstatat(store->root, path, out_status, 0) < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "stat '%s'", path);
    }
    return 1;
}

/* For who changes nothing. */
static int blob_look_everywhere(const struct store *store, const struct path *path,
                                int *out_descriptor, struct stat *out_status, struct error *error)
{
    int found = blob_look(store, layout_trash(TRASH_COLLECTED, path->text).text, out_descriptor,
                          out_status, error);

    return found == 0 ? blob_look(store, path->text, out_descriptor, out_status, error) : found;
}

/*
 * The one way to a blob: who misses it here misses it everywhere. As blob_look(). It is looked for
 * in its place once more, also where the trash has none: somebody else may have taken it back
 * between the two looks.
 */
static int blob_locate(const struct store *store, const struct digest *digest, int *out_descriptor,
                       struct stat *out_status, struct error *error)
{
    struct path path = layout_blob(digest);
    int found = blob_look(store, path.text, out_descriptor, out_status, error);
    int came_back = 1;

    if (found != 0 || store->options->may_be_lost) { /* a cache's can be had again */
        return found;
    }
    if (store->only_looks) {
        return blob_look_everywhere(store, &path, out_descriptor, out_status, error);
    }
    for (int i = 0; i < TRASH_TRIES && found == 0 && came_back > 0; i++) {
        came_back = trash_take_back(store, TRASH_COLLECTED, path.text, error);
        found = came_back < 0 ? -1 : blob_look(store, path.text, out_descriptor, out_status, error);
    }
    return found;
}

int blob_is_stored(const struct store *store, const struct digest *digest, uint64_t *out_size,
                   struct error *error)
{
    struct stat status;
    int found = blob_locate(store, digest, NULL, &status, error);

    if (found > 0) {
        *out_size = (uint64_t)status.st_size;
        return S_ISREG(status.st_mode);
    }
    return found;
}

int blob_is_untouched(const struct store *store, const struct digest *digest,
                      const struct timespec *since, uint64_t *out_size, struct error *error)
{
    struct stat status;
    int found = blob_look(store, layout_blob(digest).text, NULL, &status, error);

    if (found <= 0 || !S_ISREG(status.st_mode)) {
        return found < 0 ? -1 : 0;
    }
    *out_size = (uint64_t)status.st_size;
    return trash_is_before(&status, since);
}

bool blob_is_in_place(const struct store *store, const struct digest *digest)
{
    struct stat status;
    struct error ignored;

    return blob_look(store, layout_blob(digest).text, NULL, &status, &ignored) != 0;
}

int blob_collect(const struct store *store, const struct digest *digest, struct no_room *no_room,
                 struct error *error)
{
    return trash_collect(store, layout_blob(digest).text, no_room, error);
}

bool blob_sweep(const struct store *store, const struct digest *digest)
{
    return unlinkat(store->root, layout_above(layout_blob(digest).text).text, AT_REMOVEDIR) == 0;
}

int blob_find(const struct repository *repository, const struct digest *digest,
              struct blob *out_blob, struct error *error)
{
    struct blob blob = {.digest = *digest};
    struct stat status;
    int found = link_follow(repository, LINK_LAYER, digest, &blob.target, error);

    if (found > 0) {
        found = blob_locate(repository->store, &blob.target, NULL, &status, error);
    }
    if (found <= 0 || !S_ISREG(status.st_mode)) {
        return found < 0 ? -1 : 0;
    }
    if (use_is_due(repository->store, &status) &&
        !use_note(repository->store, blob_path(&blob).text)) {
        return 0; /* somebody has just made room */
    }
    blob.size = (uint64_t)status.st_size;
    blob.is_settled = settle_is_done(&status);
    *out_blob = blob;
    return 1;
}

void blob_touch(const struct repository *repository, const struct blob *blob)
{
    touch_file(repository->store, layout_link(repository->name, LINK_LAYER, &blob->digest).text,
               NULL);
}

int blob_open(const struct repository *repository, const struct blob *blob, struct error *error)
{
    struct stat status;
    int descriptor;
    int found = blob_locate(repository->store, &blob->target, &descriptor, &status, error);

    if (found == 0) {
        return error_set(error, ERROR_BLOB_UNKNOWN, "blob unknown to the repository");
    }
    return found < 0 ? -1 : descriptor;
}

struct path blob_path(const struct blob *blob)
{
    return layout_blob(&blob->target);
}

int blob_open_stored(const struct store *store, const struct digest *digest,
                     struct blob_file *out_file, struct error *error)
{
    struct stat status;
    int found = blob_locate(store, digest, &out_file->descriptor, &status, error);

    if (found > 0) {
        out_file->size = (uint64_t)status.st_size;
        out_file->is_file = S_ISREG(status.st_mode);
        out_file->use_is_due = use_is_due(store, &status);
    }
    if (found > 0 && store->only_looks && store->options->may_be_lost) {
        (void)fcntl(out_file->descriptor, F_SETFL, O_NOATIME);
    }
    return found;
}

void blob_file_close(struct blob_file *file)
{
    cleanup_close(&file->descriptor);
    file->descriptor = -1;
}

/* One try of blob_read(); sets errno for a failure, to 0 if it is for good. */
static int blob_read_once(const struct store *store, const struct digest *digest, size_t limit,
                          struct buffer *out, struct error *error)
{
    AUTO_BLOB_FILE struct blob_file file = BLOB_FILE_INIT;
    int found = blob_open_stored(store, digest, &file, error);
    ssize_t got;

    if (found <= 0) {
        return found;
    }
    if (file.use_is_due) {
        use_note_open(file.descriptor);
    }
    if (file.size > limit) {
        errno = 0;
        return error_set(error, ERROR_INTERNAL, "the blob %s has more than %zu bytes", digest->text,
                         limit);
    }
    got = file_read_at(file.descriptor, 0, buffer_reserve(out, (size_t)file.size),
                       (size_t)file.size, error);
    if (got < 0) {
        return -1;
    }
    buffer_added(out, (size_t)got);
    return 1;
}

int blob_read(const struct store *store, const struct digest *digest, size_t limit,
              struct buffer *out, struct error *error)
{
    int tries = 0;
    int found;

    do {
        found = blob_read_once(store, digest, limit, out, error);
    } while (found < 0 && file_is_worth_another_try(++tries));
    return found;
}

enum blob_soundness blob_check(const struct blob_file *file, const struct digest *digest,
                               const struct blob_reader *reader, struct error *error)
{
    enum { PIECE = 1024 * 1024 };
    struct digest actual;
    struct hash hash;
    uint64_t offset = 0;
    uint64_t before;

    hash_begin(&hash, digest->algorithm);
    do {
        before = offset;
        if (hash_update_from(&hash, file->descriptor, &offset, offset + PIECE, error) < 0) {
            return errno == EIO ? BLOB_UNREADABLE : BLOB_CHECK_FAILED;
        }
        if (reader->read && !reader->read(reader->context, offset - before)) {
            return BLOB_UNREAD;
        }
    } while (offset == before + PIECE);
    hash_finish(&hash, &actual);
    return digest_equal(&actual, digest) ? BLOB_SOUND : BLOB_DAMAGED;
}

/* In a cache nobody misses what was put in its place at this moment. */
static void blob_forget(struct store *store, const struct digest *digest, int descriptor)
{
    struct path path = layout_blob(digest);
    struct error ignored;

    if (file_is_same(descriptor, (struct file_place){store->root, path.text}, &ignored) > 0) {
        (void)file_remove(store->root, path.text, &ignored);
    }
}

int blob_settle(struct store *store, const struct digest *digest, int descriptor,
                struct error *error)
{
    struct stat status;

    if (fstat(descriptor, &status) == 0 && settle_is_done(&status)) {
        return 0;
    }
    if (file_sync(descriptor, digest->text, error) < 0) {
        blob_forget(store, digest, descriptor);
        return -1;
    }
    settle_own(store, descriptor);
    return 0;
}

bool blob_is_believed(const struct store *store, const struct blob *blob)
{
    AUTO_BLOB_FILE struct blob_file file = BLOB_FILE_INIT;
    struct error ignored;

    return blob->is_settled || !store->options->may_be_lost || store->keeps_no_marks ||
           (blob_open_stored(store, &blob->target, &file, &ignored) > 0 &&
            settle_is_believed(store, file.descriptor));
}

static bool blob_is_wanted(void *context, uint64_t bytes)
{
    (void)context;
    (void)bytes;
    return !process_is_deserted();
}

/* Whether what we have read is on a disk. Behind a network filesystem it may be in the memory of
 * the host that shares its own disk: who has written it there syncs it soon, and his claim we
 * cannot see. */
static bool blob_is_on_disk(const struct store *store, int descriptor)
{
    enum { LONG_AGO = 3600 }; /* seconds; no filler lives that long without a sync */
    struct stat status;

    return store->puts_off_syncs ||
           (fstat(descriptor, &status) == 0 && clock_age(status.st_mtime) >= LONG_AGO);
}

/* What the disk has is read, not what the kernel shows: whoever wrote it may have died over a sync
 * that failed. */
int blob_prove(struct store *store, const struct digest *digest, struct error *error)
{
    static const struct blob_reader reader = {.read = blob_is_wanted};
    AUTO_BLOB_FILE struct blob_file file = BLOB_FILE_INIT;
    int good = blob_open_stored(store, digest, &file, error);

    if (good <= 0 || settle_is_believed(store, file.descriptor)) {
        return good;
    }
    if (file_sync(file.descriptor, digest->text, error) < 0) {
        blob_forget(store, digest, file.descriptor);
        return 0;
    }
    (void)posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_DONTNEED);
    switch (blob_check(&file, digest, &reader, error)) {
    case BLOB_SOUND:
        if (blob_is_on_disk(store, file.descriptor)) {
            settle_own(store, file.descriptor);
        }
        return 1;
    case BLOB_DAMAGED:
    case BLOB_UNREADABLE: /* it can be had again */
        blob_forget(store, digest, file.descriptor);
        return 0;
    case BLOB_UNREAD:
        return error_set(error, ERROR_CLIENT_GONE, "the client has gone");
    case BLOB_CHECK_FAILED:
        break;
    }
    return -1;
}

/*
 * What the collector has taken away takes the place of a damaged blob, if it is good itself. Should
 * somebody have pushed the blob meanwhile, it is the same bytes that replace his. 1; 0 if the trash
 * has no good one; -1.
 */
static int blob_replace_from_trash(struct store *store, const struct digest *digest,
                                   struct file_place kept, struct error *error)
{
    static const struct blob_reader reader = {.read = NULL};
    AUTO_BLOB_FILE struct blob_file file = BLOB_FILE_INIT;
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(store);
    struct path path = layout_blob(digest);
    struct stat status;
    int found = blob_look(store, kept.path, &file.descriptor, &status, error);
    enum blob_soundness soundness;

    if (found <= 0) {
        return found;
    }
    soundness = blob_check(&file, digest, &reader, error);
    if (soundness != BLOB_SOUND) {
        return soundness == BLOB_DAMAGED ? 0 : -1; /* who cannot say destroys nothing */
    }
    if (settle_forget(store, kept.path, error) < 0) {
        return -1;
    }
    if (file_publish(kept, (struct file_place){store->root, path.text}, error) < 0) {
        return file_is_gone(errno) ? 0 : -1; /* it has just been removed, or taken back */
    }
    sync_set_add(&syncs, path.text);
    return sync_set_flush(&syncs, error) < 0 ? -1 : 1;
}

/*
 * There is no way to move a file only if it is still the one that was read. So it goes first to
 * where everybody who misses it takes it back, whatever becomes of this process, and on from there
 * when it is known which it is: somebody may have pushed the blob in between, has told so, and his
 * must not be missing even after a power cut.
 */
static int blob_move_aside(struct store *store, const struct digest *digest,
                           const struct blob_file *file, struct file_place kept,
                           struct error *error)
{
    struct path path = layout_blob(digest);
    struct path aside = layout_damaged(digest);
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(store);
    int is_it;

    if (file_publish((struct file_place){store->root, path.text}, kept, error) < 0) {
        return -1;
    }
    is_it = file_is_same(file->descriptor, kept, error);
    if (is_it > 0 && file_publish(kept, (struct file_place){store->root, aside.text}, error) < 0) {
        /* Or it has just been taken back: the next repair finds it again. */
        is_it = file_is_same(file->descriptor, kept, error) == 0 ? 0 : -1;
    }
    if (is_it < 0 ||
        (is_it == 0 && trash_take_back(store, TRASH_COLLECTED, path.text, error) < 0)) {
        return -1;
    }
    sync_set_add(&syncs, path.text);
    return sync_set_flush(&syncs, error) < 0 ? -1 : is_it;
}

enum blob_aside blob_set_aside(struct store *store, const struct digest *digest,
                               const struct blob_file *file, struct error *error)
{
    struct path path = layout_blob(digest);
    struct path kept = layout_trash(TRASH_COLLECTED, path.text);
    struct file_place place = {store->root, path.text};
    struct file_place kept_place = {store->root, kept.text};
    int moved = file_is_same(file->descriptor, place, error);

    if (moved <= 0) {
        return moved < 0 ? BLOB_ASIDE_FAILED : BLOB_ASIDE_OTHER;
    }
    /* What came back by half has both names: to rename one to the other does nothing. */
    if (file_is_same(file->descriptor, kept_place, error) > 0 &&
        file_remove(store->root, kept.text, error) < 0) {
        return BLOB_ASIDE_FAILED;
    }
    moved = blob_replace_from_trash(store, digest, kept_place, error);
    if (moved != 0) {
        return moved < 0 ? BLOB_ASIDE_FAILED : BLOB_ASIDE_REPLACED;
    }
    moved = blob_move_aside(store, digest, file, kept_place, error);
    return moved < 0 ? BLOB_ASIDE_FAILED : moved > 0 ? BLOB_ASIDE_MOVED : BLOB_ASIDE_OTHER;
}

enum blob_match blob_match(const struct store *store, const struct digest *digest, int descriptor,
                           struct error *error)
{
    struct stat stored;
    struct stat held;
    int found = blob_locate(store, digest, NULL, &stored, error);

    if (found <= 0) {
        return found < 0 ? BLOB_MATCH_FAILED : BLOB_ABSENT;
    }
    if (fstat(descriptor, &held) < 0) {
        (void)error_errno(error, "stat what may have become the blob %s", digest->text);
        return BLOB_MATCH_FAILED;
    }
    return held.st_ino == stored.st_ino && held.st_dev == stored.st_dev ? BLOB_SAME : BLOB_OTHER;
}

uint64_t blob_room(uint64_t size)
{
    enum { BLOCK = 4096 };

    return (size + BLOCK - 1) / BLOCK * BLOCK;
}

int blob_inspect(const struct store *store, const struct digest *digest,
                 struct blob_status *out_status, struct error *error)
{
    struct stat status;
    int found = blob_locate(store, digest, NULL, &status, error);

    if (found > 0 && !S_ISREG(status.st_mode)) {
        return 0;
    }
    if (found > 0) {
        *out_status = (struct blob_status){.room = blob_room((uint64_t)status.st_size),
                                           .used = use_last(&status),
                                           .inode = status.st_ino,
                                           .is_condemned = use_is_condemned(&status)};
    }
    return found;
}

void blob_condemn(const struct cache *cache, const struct digest *digest)
{
    use_condemn(cache->store, layout_blob(digest).text);
}

int blob_drop(const struct cache *cache, const struct digest *digest,
              const struct blob_status *seen, struct error *error)
{
    struct store *store = cache->store;
    struct path path = layout_blob(digest);
    struct stat status;
    int found = blob_locate(store, digest, NULL, &status, error);

    if (found < 0 || (found > 0 && (status.st_ino != seen->inode || !use_is_condemned(&status)))) {
        return found < 0 ? -1 : 0;
    }
    found = found > 0 ? file_remove(store->root, path.text, error) : 0;
    if (found >= 0) { /* the shell that a crash has left goes, too */
        (void)unlinkat(store->root, layout_above(path.text).text, AT_REMOVEDIR);
    }
    return found;
}

void blob_add_to_syncs(const struct digest *digest, struct sync_set *syncs)
{
    sync_set_add(syncs, layout_blob(digest).text);
}

/* Flushes, and says of the repository's link that it was. */
static int blob_flush_link(const struct repository *repository, const struct digest *digest,
                           struct sync_set *syncs, struct error *error)
{
    struct path link = layout_link(repository->name, LINK_LAYER, digest);
    AUTO_CLOSE int descriptor = settle_begin(repository->store, link.text);

    if (sync_set_flush(syncs, error) < 0) {
        return -1;
    }
    settle_end(repository->store, descriptor);
    return 0;
}

int blob_publish(const struct repository *repository, const struct digest *digest,
                 struct file_place file, int descriptor, struct error *error)
{
    struct store *store = repository->store;
    struct path data = layout_blob(digest);
    struct stat status;
    struct error ignored;
    bool is_new = blob_look(store, data.text, NULL, &status, &ignored) == 0;
    /* What is there may be a manifest, whose readers ask nobody whether it is proven. */
    bool is_put_off = is_new && settle_put_off(store, descriptor);
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(store);

    if ((!is_put_off && file_sync(descriptor, file.path, error) < 0) ||
        file_publish(file, (struct file_place){store->root, data.text}, error) < 0) {
        return -1;
    }
    sync_set_add(&syncs, data.text);
    if (link_add(repository, digest, digest, &syncs, error) < 0) {
        return -1;
    }
    if (blob_flush_link(repository, digest, &syncs, error) < 0) {
        return -1;
    }
    if (!is_put_off) {
        settle_own(store, descriptor);
    }
    return 0;
}

int blob_write(struct store *store, const struct digest *digest, const struct buffer *content,
               struct sync_set *syncs, struct error *error)
{
    return store_write(store, layout_blob(digest).text, content, syncs, error);
}

int blob_remove_link(const struct repository_lock *held, const char *link,
                     const struct digest *target, struct sync_set *syncs, struct error *error)
{
    struct store *store = held->repository->store;
    uint64_t size;
    int found = blob_is_stored(store, target, &size, error);

    if (found != 0) {
        return found < 0 ? -1 : 0;
    }
    if (link_remove(held, link, syncs, error) < 0) {
        return -1;
    }
    found = blob_is_stored(store, target, &size, error);
    if (found > 0 && link_write(held, link, target, syncs, error) < 0) {
        return -1;
    }
    return found < 0 ? -1 : !found;
}

/* A link that has turned out to lead nowhere. 1 if it does not after all; 0; -1. */
static int blob_take_link_back(const struct repository *repository, const struct blob *blob,
                               struct error *error)
{
    struct path link = layout_link(repository->name, LINK_LAYER, &blob->digest);
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(repository->store);
    int removed = repository_lock(repository, &lock, error);

    if (removed == 0) {
        removed = blob_remove_link(&lock, link.text, &blob->target, &syncs, error);
    }
    return removed < 0 ? -1 : !removed;
}

int blob_mount(const struct repository *repository, const struct blob *blob, struct error *error)
{
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(repository->store);
    uint64_t size;
    int found;

    if (link_add(repository, &blob->digest, &blob->target, &syncs, error) < 0) {
        return -1;
    }
    /* After the link is there, so that no collector can take the bytes in between unseen. */
    found = blob_is_stored(repository->store, &blob->target, &size, error);
    if (found == 0) {
        found = blob_take_link_back(repository, blob, error);
    }
    if (found <= 0) {
        return found;
    }
    touch_blob(repository->store, &blob->target);
    blob_add_to_syncs(&blob->target, &syncs);
    return blob_flush_link(repository, &blob->digest, &syncs, error) < 0 ? -1 : 1;
}
