/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/expire.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/directory.h"
#include "lib/base/lock.h"
#include "lib/base/text.h"
#include "lib/store/mark.h"

struct expiry {
    time_t before; /* what was last touched then is to go */
    size_t limit;  /* entries of each directory that may be looked at */
    size_t left;   /* of one */
    bool is_short; /* there were more */
};

/* Whether one more entry may be looked at. */
static bool expiry_looks(struct expiry *expiry)
{
    expiry->is_short |= expiry->left == 0;
    expiry->left -= expiry->left > 0;
    return !expiry->is_short;
}

/* When something below `path` last changed. */
static time_t expire_last_change(const struct store *store, const char *path)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    struct error ignored;
    struct stat status;
    time_t latest;

    if (fstatat(store->temporary, path, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return clock_date(); /* gone, or not to be looked at: not ours to remove */
    }
    latest = status.st_mtime;
    if (S_ISDIR(status.st_mode) && directory_list(store->temporary, path, &names, &ignored) > 0) {
        for (size_t i = 0; i < names.count; i++) {
            AUTO_BUFFER struct buffer child = BUFFER_INIT;
            time_t change;

            buffer_format(&child, "%s/%s", path, names.names[i]);
            change = expire_last_change(store, child.data);
            latest = change > latest ? change : latest;
        }
    }
    return latest;
}

static bool expire_is_directory(const struct store *store, const char *path)
{
    struct stat status;

    return fstatat(store->temporary, path, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
           S_ISDIR(status.st_mode);
}

static int expire_session(struct store *store, const char *directory, struct error *error)
{
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct path path = layout_session_lock(directory);
    enum lock_result result =
        lock_take(&lock, (struct file_place){store->temporary, path.text}, LOCK_TRY, error);

    if (result == LOCK_BUSY) {
        return 0;
    }
    if (result == LOCK_FAILED && expire_is_directory(store, directory)) {
        return -1;
    }
    /* Without a lock it is no session: what else lies about goes as well. */
    return store_discard(store, (struct file_place){store->temporary, directory}, error);
}

/* Upload sessions, and the fetches of an upstream's blobs, have a lock each. */
static bool expire_has_locks(const char *directory)
{
    return strcmp(directory, LAYOUT_UPLOADS) == 0 ||
           strcmp(layout_above(directory).text, LAYOUT_PARTIAL) == 0;
}

/* One entry that cannot be removed does not keep the others. */
static int expire_in(struct store *store, const char *directory, struct expiry *expiry,
                     struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    int failed = 0;

    if (directory_sample(store->temporary, directory, expiry->limit, &names, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count && expiry_looks(expiry); i++) {
        struct path path = layout_below(directory, names.names[i]);
        struct error reason;
        int result;

        if (expire_last_change(store, path.text) >= expiry->before) {
            continue;
        }
        result = expire_has_locks(directory)
                     ? expire_session(store, path.text, &reason)
                     : directory_remove(store->temporary, path.text, &reason);
        if (result < 0) {
            *error = reason;
            failed = -1;
        }
    }
    return failed;
}

static int expire_partial(struct store *store, struct expiry *expiry, struct error *error)
{
    AUTO_NAMES struct names upstreams = NAMES_INIT;
    int failed = 0;

    if (directory_sample(store->temporary, LAYOUT_PARTIAL, expiry->limit, &upstreams, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < upstreams.count && expiry_looks(expiry); i++) {
        struct path path = layout_below(LAYOUT_PARTIAL, upstreams.names[i]);

        if (expire_in(store, path.text, expiry, error) < 0) {
            failed = -1;
        }
    }
    return failed;
}

/* What the mark says of the clocks; it says that of now afterwards. */
static bool expire_date_was_set(struct file_place swept)
{
    AUTO_CLOSE int descriptor =
        openat(swept.directory, swept.path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct clock_note note = clock_note_take();
    char text[CLOCK_NOTE_SIZE] = "";
    struct error ignored;

    if (descriptor < 0) {
        return false;
    }
    (void)file_read_at(descriptor, 0, text, sizeof(text) - 1, &ignored);
    (void)file_write_at(descriptor, 0, note.text, strlen(note.text), &ignored);
    return clock_note_contradicts(text);
}

/* What a process has left beside the store's own directories: see store_open(), `check --setup`. */
static int expire_trials(struct store *store, time_t before, struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    int failed = directory_list(store->root, LAYOUT_OWN, &names, error) < 0 ? -1 : 0;

    for (size_t i = 0; i < names.count; i++) {
        struct path path = layout_below(LAYOUT_OWN, names.names[i]);
        struct stat status;

        if ((text_begins(names.names[i], LAYOUT_TRIAL) ||
             text_begins(names.names[i], LAYOUT_SETUP_PROBE)) &&
            fstatat(store->root, path.text, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            status.st_mtime < before && file_remove(store->root, path.text, error) < 0) {
            failed = -1;
        }
    }
    return failed;
}

/* `interval` is that between two looks, in seconds; `limit` as in the header. */
static int expire_look(struct store *store, uint64_t interval, size_t limit, struct error *error)
{
    static const char *const directories[] = {LAYOUT_UPLOADS, LAYOUT_PIECES, LAYOUT_BODIES};
    struct file_place swept = {store->temporary, LAYOUT_SWEPT};
    struct expiry expiry = {.limit = limit};
    struct mark mark;
    int failed = 0;
    bool is_short = false;
    bool was_set;
    int due;

    if (store->temporary < 0) {
        return 0; /* there was no room for it, and nothing can have been left there */
    }
    due = mark_is_due(swept, interval, &mark, error);
    if (due < 0 && interval == 0 && error->code == ERROR_NO_SPACE) {
        mark.now = mark.before = clock_date(); /* to make room needs no mark */
        due = 1;
    }
    if (due <= 0) {
        return due;
    }
    was_set = expire_date_was_set(swept);
    /* If the date was set since the last look, everything may seem old: then only what the last
     * look would have found old as well. What is in use is touched before the next one. */
    expiry.before = (was_set ? mark.before : mark.now) - (time_t)store->options->upload_expiry;
    for (size_t i = 0; i < sizeof(directories) / sizeof(*directories); i++) {
        expiry.left = limit - 1; /* so that a sample that is full is one too many */
        if (expire_in(store, directories[i], &expiry, error) < 0) {
            failed = -1;
        }
        is_short |= expiry.is_short;
        expiry.is_short = false;
    }
    if (expire_trials(store, expiry.before, error) < 0) {
        failed = -1;
    }
    expiry.left = limit - 1;
    if (expire_partial(store, &expiry, error) < 0) {
        failed = -1;
    }
    if (is_short || expiry.is_short) {
        mark_hasten(swept, &mark, interval, EXPIRE_SOON);
    }
    return failed;
}

int expire_abandoned(struct store *store, struct error *error)
{
    enum { SWEEP_INTERVAL = 3600 };

    return expire_look(store, SWEEP_INTERVAL, EXPIRE_LIMIT, error);
}

int expire_all(struct store *store, struct error *error)
{
    return expire_look(store, 0, SIZE_MAX, error);
}
