/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/directory.h"
#include "lib/base/journal.h"
#include "lib/base/log.h"
#include "lib/base/text.h"

/* A directory that is there is opened also where none could be made. */
static int store_open_directory(const char *path, struct error *error)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (descriptor >= 0 || errno != ENOENT) {
        return descriptor < 0 ? error_errno(error, "open directory '%s'", path) : descriptor;
    }
    if (file_make_parents(AT_FDCWD, path, error) < 0) {
        return -1;
    }
    if (mkdir(path, 0777) < 0 && errno != EEXIST) {
        return error_errno(error, "make directory '%s'", path);
    }
    descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return descriptor < 0 ? error_errno(error, "open directory '%s'", path) : descriptor;
}

static int store_make_directories(int directory, const char *const *paths, struct error *error)
{
    for (; *paths; paths++) {
        if (file_make_parents(directory, *paths, error) < 0) {
            return -1;
        }
        if (mkdirat(directory, *paths, 0777) < 0 && errno != EEXIST) {
            return error_errno(error, "make directory '%s'", *paths);
        }
    }
    return 0;
}

/* Whether this is what two filesystems say, or one that has no links: not a passing trouble. */
static bool store_is_apart(int number)
{
    return number == EXDEV || number == EPERM || number == EMLINK || number == ENOSYS ||
           number == EOPNOTSUPP;
}

/* What can be done here with the files of a cache, tried with one of them. */
static void store_try_marks(struct store *store, int descriptor)
{
    struct stat status = {.st_mode = 0};

    if (!store->options->may_be_lost) {
        return;
    }
    store->keeps_no_marks = false;
    store->puts_off_syncs = false;
    if (fchmod(descriptor, store->file_mode | S_ISVTX) < 0) {
        /* Of a file of our own: then it can be done with none. */
        store->keeps_no_marks = errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS;
        return;
    }
    if (fstat(descriptor, &status) < 0) {
        return;
    }
    store->keeps_no_marks = (status.st_mode & S_ISVTX) == 0;
    store->puts_off_syncs = !store->keeps_no_marks && file_is_local(descriptor);
}

/* Whether a file can be moved, and linked, from one directory into the other. */
static int store_try_together(struct store *store, struct error *error)
{
    char id[ID_SIZE];
    struct path piece;
    struct path trial;
    AUTO_CLOSE int descriptor = -1;
    int result = 0;

    id_make(id);
    piece = layout_piece(id);
    trial = layout_trial(id);
    descriptor = file_create(store->temporary, piece.text, error);
    if (descriptor < 0) {
        return -1;
    }
    store_try_marks(store, descriptor);
    if (linkat(store->temporary, piece.text, store->root, trial.text, 0) < 0 ||
        renameat(store->temporary, piece.text, store->root, trial.text) < 0) {
        result = error_errno(error,
                             store_is_apart(errno)
                                 ? "'%s' and '%s' must be on one filesystem, below one mount "
                                   "point: a file cannot be moved between them"
                                 : "try to move a file from '%s' to '%s'",
                             store->options->temporary, store->options->root);
    }
    (void)unlinkat(store->temporary, piece.text, 0);
    (void)unlinkat(store->root, trial.text, 0);
    return result;
}

/* The root's own entries, and the root's entry above it. */
static int store_sync_root(const struct store *store, struct error *error)
{
    AUTO_CLOSE int above = openat(store->root, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    struct error ignored;

    if (sync_directory(store->root, store->options->root, error) < 0) {
        return -1;
    }
    if (above >= 0) {
        (void)sync_directory(above, "..", &ignored); /* may be none of ours */
    }
    return 0;
}

/* Of what makes room, on a disk where there may be none for them by then. */
static void store_make_locks(const struct store *store)
{
    static const char *const locks[] = {LAYOUT_COLLECT_LOCK, LAYOUT_REPAIR_LOCK, LAYOUT_SPACE_LOCK,
                                        LAYOUT_EVICT_LOCK,   LAYOUT_KEPT_LOCK,   LAYOUT_SPARE_LOCK};

    for (size_t i = 0; i < sizeof(locks) / sizeof(*locks); i++) {
        AUTO_CLOSE int descriptor =
            openat(store->root, locks[i], O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);

        (void)descriptor; /* where it could not be made, who wants it says so */
    }
}

static int store_make_skeleton(struct store *store, struct error *error)
{
    static const char *const below_root[] = {LAYOUT_BLOBS, LAYOUT_REPOSITORIES, LAYOUT_LOCKS, NULL};
    static const char *const below_temporary[] = {LAYOUT_UPLOADS, LAYOUT_PIECES, LAYOUT_BODIES,
                                                  NULL};
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(store->root);

    if (store_make_directories(store->root, below_root, error) < 0 ||
        store_make_directories(store->temporary, below_temporary, error) < 0 ||
        store_try_together(store, error) < 0) {
        return -1;
    }
    store_make_locks(store);
    sync_set_add(&syncs, layout_blobs(DIGEST_SHA256).text);
    sync_set_add(&syncs, layout_repository("").text);
    if (sync_set_flush(&syncs, error) < 0) {
        return -1;
    }
    if (store_sync_root(store, error) < 0) {
        return -1;
    }
    store->is_whole = true;
    return 0;
}

/* Opens a directory anew, under the descriptor that everybody has of it. */
static int store_open_again(int *descriptor, const char *path, struct error *error)
{
    AUTO_CLOSE int opened = store_open_directory(path, error);

    if (opened < 0) {
        return -1;
    }
    if (*descriptor < 0) {
        *descriptor = steal_descriptor(&opened);
        return 0;
    }
    return dup3(opened, *descriptor, O_CLOEXEC) < 0 ? error_errno(error, "open '%s'", path) : 0;
}

int store_mend(struct store *store, struct error *error)
{
    store->is_whole = false;
    if (store_open_again(&store->root, store->options->root, error) < 0 ||
        store_open_again(&store->temporary, store->options->temporary, error) < 0) {
        return -1;
    }
    store->keeps_order = journal_keeps_order(store->root);
    return store_make_skeleton(store, error);
}

bool store_mends(struct store *store, int number)
{
    struct error reason;

    if (number != ENOENT && number != ENOTDIR && number != EBADF) {
        return false;
    }
    if (store_mend(store, &reason) < 0) {
        log_debug("the store cannot be mended: %s", reason.message);
        errno = number;
        return false;
    }
    return true;
}

static mode_t store_choose_mode(void)
{
    mode_t mask = umask(0);

    (void)umask(mask);
    return 0666 & ~mask;
}

int store_open(struct store *store, const struct store_options *options, struct error *error)
{
    struct store opened = {
        .options = options, .root = -1, .temporary = -1, .file_mode = store_choose_mode()};
    struct error reason;

    if (store_mend(&opened, &reason) < 0) {
        if (opened.root < 0 || (reason.code != ERROR_NO_SPACE && !options->may_be_lost)) {
            store_close(&opened);
            *error = reason;
            return -1;
        }
        log_debug("nothing can be kept in '%s': %s", options->root, reason.message);
    }
    *store = opened;
    return 0;
}

int store_look(struct store *store, const struct store_options *options, struct error *error)
{
    struct store opened = {.options = options,
                           .root = -1,
                           .temporary = -1,
                           .file_mode = store_choose_mode(),
                           .only_looks = true};

    opened.root = open(options->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened.root < 0) {
        return error_errno(error, "there is no store in '%s'", options->root);
    }
    opened.temporary = open(options->temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *store = opened;
    return 0;
}

int store_as_cache(struct store *store, struct cache *out_cache, struct error *error)
{
    if (!store->options->may_be_lost) {
        return error_set(error, ERROR_INTERNAL, "'%s' is no cache: nothing is taken away from it",
                         store->options->root);
    }
    out_cache->store = store;
    return 0;
}

void store_close(struct store *store)
{
    cleanup_close(&store->root);
    cleanup_close(&store->temporary);
    *store = (struct store)STORE_INIT;
}

/* As large a part of the inodes has to be free as of the bytes. Some filesystems have no number of
 * them: 0. */
static double store_inode_reserve(const struct statvfs *status, uint64_t minimum)
{
    double part = (double)minimum / ((double)status->f_blocks * (double)status->f_frsize);

    return status->f_files == 0 ? 0 : part * (double)status->f_files;
}

static bool store_has_inodes(const struct statvfs *status, uint64_t minimum)
{
    return status->f_files == 0 || (double)status->f_favail >= store_inode_reserve(status, minimum);
}

/* What somebody has to know who is to make room. Clients are not told: paths are nobody's business.
 */
static int store_lack_room(const struct store *store, uint64_t available, uint64_t wanted,
                           struct error *error)
{
    const char *section = store->options->may_be_lost ? "proxy" : "hosted";
    AUTO_BUFFER struct buffer free_text = BUFFER_INIT;
    AUTO_BUFFER struct buffer wanted_text = BUFFER_INIT;
    AUTO_BUFFER struct buffer minimum = BUFFER_INIT;

    text_add_bytes(available, &free_text);
    text_add_bytes(wanted, &wanted_text);
    text_add_bytes(store->options->minimum_free_space, &minimum);
    return error_set(error, ERROR_NO_SPACE,
                     "the storage '%s' is full: %s are free, %s are wanted, and [%s] "
                     "minimum_free_space = %s has to be left: make room, or lower it",
                     store->options->root, free_text.data, wanted_text.data, section, minimum.data);
}

static int store_lack_inodes(const struct store *store, const struct statvfs *status,
                             struct error *error)
{
    const char *section = store->options->may_be_lost ? "proxy" : "hosted";
    AUTO_BUFFER struct buffer minimum = BUFFER_INIT;

    text_add_bytes(store->options->minimum_free_space, &minimum);
    return error_set(error, ERROR_NO_SPACE,
                     "the storage '%s' is full: %" PRIu64 " of %" PRIu64
                     " inodes are free, a smaller part than [%s] minimum_free_space = %s is of its "
                     "bytes: remove files, or lower it",
                     store->options->root, (uint64_t)status->f_favail, (uint64_t)status->f_files,
                     section, minimum.data);
}

int store_check_writable(const struct store *store, struct error *error)
{
    const int directories[] = {store->root, store->temporary};

    for (size_t i = 0; i < sizeof(directories) / sizeof(*directories); i++) {
        if (faccessat(directories[i], ".", W_OK | X_OK, AT_EACCESS) < 0) {
            return error_errno(error, "write to '%s'",
                               i == 0 ? store->options->root : store->options->temporary);
        }
    }
    return 0;
}

int store_check_space(const struct store *store, uint64_t bytes, struct error *error)
{
    struct statvfs status;
    uint64_t available;

    if (fstatvfs(store->root, &status) < 0) {
        return error_errno(error, "look at the free space of '%s'", store->options->root);
    }
    available = (uint64_t)status.f_bavail * status.f_frsize;
    if (available < store->options->minimum_free_space ||
        available - store->options->minimum_free_space < bytes) {
        return store_lack_room(store, available, bytes, error);
    }
    return store_has_inodes(&status, store->options->minimum_free_space)
               ? 0
               : store_lack_inodes(store, &status, error);
}

uint64_t store_lacks(const struct store *store, uint64_t bytes)
{
    uint64_t minimum = store->options->minimum_free_space;
    uint64_t wanted = bytes < UINT64_MAX - minimum ? bytes + minimum : UINT64_MAX;
    struct statvfs status;
    uint64_t available;

    if (fstatvfs(store->root, &status) < 0) {
        return 0;
    }
    available = (uint64_t)status.f_bavail * status.f_frsize;
    return available < wanted ? wanted - available : 0;
}

uint64_t store_lacks_inodes(const struct store *store)
{
    uint64_t minimum = store->options->minimum_free_space;
    struct statvfs status;

    if (fstatvfs(store->root, &status) < 0 || store_has_inodes(&status, minimum)) {
        return 0;
    }
    return (uint64_t)(store_inode_reserve(&status, minimum) - (double)status.f_favail) + 1;
}

static int store_fill_piece(int descriptor, const char *path, const struct buffer *content,
                            enum replace_manner manner, struct error *error)
{
    if (manner == REPLACE_PRIVATE && fchmod(descriptor, 0600) < 0) {
        return error_errno(error, "chmod '%s'", path);
    }
    if (file_write_at(descriptor, 0, content->data, content->length, error) < 0) {
        return -1;
    }
    if (manner == REPLACE_DURABLY && file_sync(descriptor, path, error) < 0) {
        if (error->code == ERROR_DATA_LOST) {
            error->code = ERROR_INTERNAL; /* whoever wrote it has it still */
        }
        return -1;
    }
    return 0;
}

int store_replace(struct store *store, struct file_place to, const struct buffer *content,
                  enum replace_manner manner, struct error *error)
{
    char id[ID_SIZE];
    struct path piece;
    AUTO_CLOSE int descriptor = -1;

    id_make(id);
    piece = layout_piece(id);
    descriptor = file_create(store->temporary, piece.text, error);
    if (descriptor < 0 && store_mends(store, errno)) {
        descriptor = file_create(store->temporary, piece.text, error);
    }
    if (descriptor < 0) {
        return -1;
    }
    if (store_fill_piece(descriptor, piece.text, content, manner, error) < 0 ||
        file_publish((struct file_place){store->temporary, piece.text}, to, error) < 0) {
        (void)unlinkat(store->temporary, piece.text, 0);
        return -1;
    }
    return 0;
}

int store_write(struct store *store, const char *path, const struct buffer *content,
                struct sync_set *syncs, struct error *error)
{
    if (store_replace(store, (struct file_place){store->root, path}, content, REPLACE_DURABLY,
                      error) < 0) {
        return -1;
    }
    sync_set_add(syncs, path);
    return 0;
}

int store_discard(struct store *store, struct file_place place, struct error *error)
{
    char id[ID_SIZE];
    struct path piece;
    struct stat status;
    struct error reason;

    if (fstatat(place.directory, place.path, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "stat '%s'", place.path);
    }
    id_make(id);
    piece = layout_piece(id);
    if (file_publish(place, (struct file_place){store->temporary, piece.text}, error) < 0 &&
        (!store_mends(store, errno) ||
         file_publish(place, (struct file_place){store->temporary, piece.text}, error) < 0)) {
        return -1;
    }
    if (directory_remove(store->temporary, piece.text, &reason) < 0) {
        log_debug("what was discarded is left for later: %s", reason.message);
    }
    return 1;
}

static enum lock_result repository_take_lock(const struct store *store, const char *path,
                                             struct lock *lock, struct error *error)
{
    struct file_place place = {store->root, path};
    unsigned patience = store->options->lock_patience;

    return patience > 0 ? lock_await(lock, place, patience, error)
                        : lock_take_or_make(lock, place, LOCK_WAIT, error);
}

/*
 * On a disk without an inode for the file another name of one that is there does: what is deleted
 * makes room, and must not need some. Repositories share locks anyhow (layout_repository_lock()),
 * so that nobody holds two of them.
 */
int repository_lock(const struct repository *repository, struct repository_lock *out_lock,
                    struct error *error)
{
    const struct store *store = repository->store;
    struct path path = layout_repository_lock(repository->name);
    enum lock_result taken = repository_take_lock(store, path.text, &out_lock->lock, error);

    if (taken == LOCK_FAILED && error->code == ERROR_NO_SPACE &&
        (linkat(store->root, LAYOUT_SPARE_LOCK, store->root, path.text, 0) == 0 ||
         errno == EEXIST)) {
        taken = repository_take_lock(store, path.text, &out_lock->lock, error);
    }
    out_lock->repository = repository;
    return taken == LOCK_TAKEN ? 0 : -1;
}

void repository_lock_release(struct repository_lock *lock)
{
    lock_release(&lock->lock);
}
