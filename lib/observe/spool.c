/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/access/rules.h"
#include "lib/base/clock.h"
#include "lib/base/directory.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/store/memo.h"

enum {
    NUMBER_DIGITS = 20,
    KEY_DIGITS = 16,
    NAME_LENGTH = NUMBER_DIGITS + 1 + KEY_DIGITS + 1 + ID_SIZE - 1,
    EVENT_LIMIT = 64 * 1024,   /* bytes of a file */
    LONGEST_DELAY = 24 * 3600, /* seconds that a file's time is believed to be ahead */
};
#define SECOND ((uint64_t)1000000000)

static const char *place_word(enum spool_place place)
{
    return place == SPOOL_WAITING ? "waiting" : "failed";
}

static struct path spool_directory(const struct spool *spool, enum spool_place place)
{
    return layout_events(spool->receiver, place_word(place));
}

static struct path spool_path(const struct spool *spool, enum spool_place place, const char *name)
{
    return layout_below(spool_directory(spool, place).text, name);
}

static struct file_place spool_file(const struct spool *spool, const struct path *path)
{
    return (struct file_place){spool->store->root, path->text};
}

bool spool_entry_parse(const char *name, struct spool_entry *out)
{
    const char *key = name + NUMBER_DIGITS + 1;
    const char *id = key + KEY_DIGITS + 1;
    struct spool_entry entry;

    if (strlen(name) != NAME_LENGTH || !text_number(name, NUMBER_DIGITS, &entry.number) ||
        name[NUMBER_DIGITS] != '-' || !text_is_hex(key, KEY_DIGITS) || key[KEY_DIGITS] != '-' ||
        strspn(id, "0123456789abcdef-") != ID_SIZE - 1) {
        return false;
    }
    memcpy(entry.name, name, NAME_LENGTH + 1);
    (void)text_copy(entry.key, sizeof(entry.key), key, KEY_DIGITS);
    memcpy(entry.id, id, ID_SIZE);
    *out = entry;
    return true;
}

static void entry_add_name(const struct event *event, uint64_t number, struct buffer *out)
{
    struct digest repository;

    digest_of(DIGEST_SHA256, event->repository, strlen(event->repository), &repository);
    buffer_format(out, "%0*" PRIu64 "-%.*s-%s", NUMBER_DIGITS, number, KEY_DIGITS,
                  digest_hex(&repository), event->id);
}

/* Whoever has this lock has it for two calls. If he does not let go of it he has stopped there. */
static int spool_lock_number(struct store *store, int64_t patience, struct lock *lock,
                             struct error *error)
{
    struct file_place place = {store->root, LAYOUT_EVENTS_NUMBER};
    int64_t end = clock_milliseconds() + patience;
    enum lock_result result;

    while ((result = lock_take_or_make(lock, place, LOCK_TRY, error)) == LOCK_BUSY &&
           clock_milliseconds() < end) {
        clock_pause(1);
    }
    if (result == LOCK_BUSY) {
        return error_set(error, ERROR_INTERNAL, "'%s' stays locked", place.path);
    }
    return result == LOCK_TAKEN ? 0 : -1;
}

/* Under the lock: one that was not given out, and is not again. */
static int spool_take_number(int descriptor, uint64_t *number, struct error *error)
{
    uint64_t last = 0;

    if (file_read_at(descriptor, 0, &last, sizeof(last), error) < 0) {
        return -1;
    }
    if (*number <= last && last < INT64_MAX) {
        *number = last + 1;
    }
    return file_write_at(descriptor, 0, number, sizeof(*number), error);
}

/* The date, unless one that is later was given out. Who cannot know, or a power cut that loses what
 * was, leaves it at the date: that is out of order only where a clock has been set back. */
uint64_t spool_number(struct store *store)
{
    enum { PATIENCE_MILLISECONDS = 1000 };
    static bool was_known = true; /* else nobody waits for it, or is told of it, once more */
    AUTO_LOCK struct lock lock = LOCK_INIT;
    uint64_t number = (uint64_t)clock_date_nanoseconds();
    struct error error;
    bool is_known =
        spool_lock_number(store, was_known ? PATIENCE_MILLISECONDS : 0, &lock, &error) == 0 &&
        spool_take_number(lock.descriptor, &number, &error) == 0;

    if (!is_known && was_known) {
        log_warning("the order of events is by the clock: %s", error.message);
    }
    was_known = is_known;
    return number;
}

/* What this process has counted of a spool: who restores thousands would count as often. */
struct spool_room {
    dev_t device;
    ino_t inode;
    unsigned left; /* of a share of what there was room for: others add, too */
};

static struct spool_room *spool_find_room(const struct directory *directory)
{
    enum { ROOMS = 16 }; /* of receivers whose directories differ in this */
    static struct spool_room rooms[ROOMS];
    struct stat status;
    struct spool_room *room;

    if (fstat(directory_descriptor(directory), &status) < 0) {
        return NULL;
    }
    room = &rooms[status.st_ino % ROOMS];
    if (room->device != status.st_dev || room->inode != status.st_ino) {
        *room = (struct spool_room){status.st_dev, status.st_ino, 0};
    }
    return room;
}

/* Also where there is no note: a receiver that takes one repository's may refuse another's. */
static int spool_is_full(const struct spool *spool, struct error *error)
{
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    struct path path = spool_directory(spool, SPOOL_WAITING);
    struct spool_room *room = NULL;
    const char *name;
    unsigned count = 0;
    int result = directory_open(&directory, spool->store->root, path.text, error);

    if (result > 0 && (room = spool_find_room(&directory)) && room->left > 0) {
        room->left--;
        return 0;
    }
    while (result > 0 && count < SPOOL_LIMIT) {
        result = directory_next(&directory, &name, error);
        count += result > 0;
    }
    if (result >= 0 && room) {
        room->left = (SPOOL_LIMIT - count) / SPOOL_SHARE;
    }
    return result < 0 ? -1 : count >= SPOOL_LIMIT;
}

int spool_add(const struct spool *spool, const struct event *event, uint64_t number,
              struct sync_set *syncs, struct error *error)
{
    AUTO_BUFFER struct buffer name = BUFFER_INIT;
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    int full = spool_is_full(spool, error);
    struct path path;

    if (full) {
        return full < 0 ? -1 : 0;
    }
    entry_add_name(event, number, &name);
    event_write(event, &content);
    path = spool_path(spool, SPOOL_WAITING, name.data);
    if (syncs->root >= 0) {
        return store_write(spool->store, path.text, &content, syncs, error) < 0 ? -1 : 1;
    }
    return store_replace(spool->store, spool_file(spool, &path), &content, REPLACE_SHARED, error) <
                   0
               ? -1
               : 1;
}

int spool_list(const struct spool *spool, enum spool_place place, struct names *out,
               struct error *error)
{
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    struct path path = spool_directory(spool, place);
    const char *name;
    int result = directory_open(&directory, spool->store->root, path.text, error);

    while (result > 0) {
        struct spool_entry entry;

        result = directory_next(&directory, &name, error);
        if (result > 0 && spool_entry_parse(name, &entry)) {
            names_add(out, name);
        }
    }
    names_sort(out);
    return result < 0 ? -1 : 0;
}

int spool_list_receivers(struct store *store, struct names *out, struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;

    if (directory_list(store->root, LAYOUT_EVENTS_RECEIVERS, &names, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count; i++) {
        if (rules_name_is_valid(names.names[i])) { /* else nobody of ours has made it */
            names_add(out, names.names[i]);
        }
    }
    return 0;
}

int spool_read(const struct spool *spool, enum spool_place place, const char *name,
               struct event *out, struct error *error)
{
    struct path path = spool_path(spool, place, name);
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    struct stat status;
    int found;

    if (fstatat(spool->store->root, path.text, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        (!S_ISREG(status.st_mode) || status.st_size > EVENT_LIMIT)) {
        return 0;
    }
    found = file_read(spool->store->root, path.text, EVENT_LIMIT, &content, error);
    return found > 0 ? event_read(content.data, content.length, out) : found;
}

int spool_remove(const struct spool *spool, enum spool_place place, const char *name,
                 struct error *error)
{
    return file_remove(spool->store->root, spool_path(spool, place, name).text, error);
}

int spool_give_up(const struct spool *spool, const char *name, struct error *error)
{
    struct path from = spool_path(spool, SPOOL_WAITING, name);
    struct path to = spool_path(spool, SPOOL_FAILED, name);

    return file_publish_new(spool_file(spool, &from), spool_file(spool, &to), error);
}

int spool_return(const struct spool *spool, const char *name, struct error *error)
{
    struct path from = spool_path(spool, SPOOL_FAILED, name);
    struct path to = spool_path(spool, SPOOL_WAITING, name);
    int moved = file_publish_new(spool_file(spool, &from), spool_file(spool, &to), error);

    if (moved > 0) {
        spool_postpone(spool, name, 0);
    }
    return moved;
}

uint64_t spool_age(const struct spool_entry *entry)
{
    return clock_age((time_t)(entry->number / SECOND));
}

/* A time that nobody can have meant, since the clock was set, is now. */
static uint64_t path_delay(const struct spool *spool, const char *path)
{
    time_t now = clock_date();
    struct stat status;

    if (fstatat(spool->store->root, path, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
        status.st_mtime <= now || status.st_mtime - now > LONGEST_DELAY) {
        return 0;
    }
    return (uint64_t)(status.st_mtime - now);
}

static void path_postpone(const struct spool *spool, const char *path, uint64_t seconds)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                {.tv_sec = clock_date() + (time_t)seconds}};

    (void)utimensat(spool->store->root, path, times, AT_SYMLINK_NOFOLLOW);
}

uint64_t spool_delay(const struct spool *spool, const char *name)
{
    return path_delay(spool, spool_path(spool, SPOOL_WAITING, name).text);
}

void spool_postpone(const struct spool *spool, const char *name, uint64_t seconds)
{
    path_postpone(spool, spool_path(spool, SPOOL_WAITING, name).text, seconds);
}

uint64_t spool_receiver_delay(const struct spool *spool)
{
    return path_delay(spool, layout_events(spool->receiver, "trouble").text);
}

void spool_note(const struct spool *spool, const char *why, uint64_t seconds)
{
    struct path path = layout_events(spool->receiver, "trouble");
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    struct error ignored; /* without a note we only try too often */

    buffer_format(&content, "%s\n", why);
    if (memo_write(spool->store, spool_file(spool, &path), &content, &ignored) == 0) {
        path_postpone(spool, path.text, seconds);
    }
}

bool spool_forget_note(const struct spool *spool)
{
    struct path path = layout_events(spool->receiver, "trouble");

    return unlinkat(spool->store->root, path.text, 0) == 0;
}

bool spool_read_note(const struct spool *spool, struct buffer *out_why)
{
    struct path path = layout_events(spool->receiver, "trouble");
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    struct error ignored;
    uint64_t age;

    if (memo_read(spool_file(spool, &path), &memo, &age, &ignored) <= 0) {
        return false;
    }
    memo_line(&memo, 0, out_why);
    return true;
}

enum lock_result spool_lock(const struct spool *spool, struct lock *out, struct error *error)
{
    struct path path = layout_events(spool->receiver, "lock");

    return lock_take_or_make(out, spool_file(spool, &path), LOCK_TRY, error);
}

int spool_await_lock(const struct spool *spool, struct lock *out, struct error *error)
{
    enum { PATIENCE = 120 }; /* seconds; who delivers lets go of it after fewer */
    struct path path = layout_events(spool->receiver, "lock");

    return lock_await(out, spool_file(spool, &path), PATIENCE, error) == LOCK_TAKEN ? 0 : -1;
}
