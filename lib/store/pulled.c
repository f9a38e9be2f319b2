/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/pulled.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/memo.h"

enum {
    SLOTS = 1024,
    WAYS = 4, /* slots that a note may be remembered in */
    MILLISECONDS = 1000,
    RECORD_LIMIT = 256, /* bytes */
};

/* What a process remembers of a note. */
struct pulled_memory {
    uint64_t key;     /* 0: of none */
    int64_t due;      /* when to look at it again, in milliseconds */
    uint64_t pending; /* pulls since it was written */
};

static struct pulled_memory memory[SLOTS];

void pulled_forget_all(void)
{
    memset(memory, 0, sizeof(memory));
}

void pulled_age_all(void)
{
    for (size_t i = 0; i < SLOTS; i++) {
        memory[i].due = 0;
    }
}

/* FNV-1a from a start that nobody knows: nobody can make two notes one. */
static uint64_t pulled_key(const struct store *store, const char *path)
{
    static uint64_t start;
    const char *const parts[] = {store->options->root, path};
    uint64_t key;

    while (start == 0) {
        arc4random_buf(&start, sizeof(start));
    }
    key = start;
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        for (const char *c = parts[i]; *c; c++) {
            key = (key ^ (unsigned char)*c) * 0x100000001b3U;
        }
    }
    return key ? key : 1;
}

/* The slot of a note, or the one of its slots that has been known longest. */
static struct pulled_memory *pulled_remember(uint64_t key)
{
    struct pulled_memory *first = &memory[key % (SLOTS / WAYS) * WAYS];
    struct pulled_memory *found = first;

    for (struct pulled_memory *slot = first; slot < first + WAYS; slot++) {
        if (slot->key == key) {
            return slot;
        }
        if (slot->due < found->due) {
            found = slot;
        }
    }
    *found = (struct pulled_memory){.key = key};
    return found;
}

/* 1; 0 if there is no note; -1. One that was emptied by a power cut, or cannot be read, still has
 * its time. */
static int pulled_read_record(const struct store *store, const char *path, struct pulled *out,
                              struct error *error)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct pulled read = {.count = 0};
    uint64_t restored = 0;
    struct error ignored;
    struct stat status;

    if (fstatat(store->root, path, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "stat '%s'", path);
    }
    read.last = status.st_mtime != 0 ? status.st_mtime : -1; /* 0: never */
    if (file_read(store->root, path, RECORD_LIMIT, &text, &ignored) > 0 &&
        memo_number(&text, 0, &read.count) && memo_number(&text, 1, &restored)) {
        read.restored = (time_t)restored;
    }
    *out = read;
    return 1;
}

static int pulled_write(const struct repository *repository, const char *path,
                        const struct pulled *pulled)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct error reason;

    buffer_format(&text, "%" PRIu64 "\n%" PRIu64 "\n", pulled->count, (uint64_t)pulled->restored);
    if (store_replace(repository->store, (struct file_place){repository->store->root, path}, &text,
                      REPLACE_SHARED, &reason) < 0) {
        log_debug("a pull is not noted: %s", reason.message);
        return -1;
    }
    return 0;
}

/* Looks at the note, and writes it anew if it is old. */
static void pulled_update(const struct repository *repository, const char *path,
                          struct pulled_memory *slot, int64_t now)
{
    const struct store *store = repository->store;
    struct pulled pulled = {.count = 0};
    struct error ignored;
    struct stat status;

    slot->due = now + (int64_t)PULLED_GRAIN * MILLISECONDS;
    if (fstatat(store->root, path, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        uint64_t age = clock_age(status.st_mtime);

        if (age < PULLED_GRAIN) {
            slot->due -= (int64_t)age * MILLISECONDS;
            return;
        }
        (void)pulled_read_record(store, path, &pulled, &ignored);
    }
    pulled_begin(store);
    pulled.count += slot->pending;
    if (pulled_write(repository, path, &pulled) == 0) {
        slot->pending = 0;
    }
}

void pulled_note(const struct repository *repository, const struct pull *pull)
{
    const struct store *store = repository->store;
    int64_t now = clock_milliseconds();
    struct pulled_memory *slot;
    struct path path;

    if (store->options->may_be_lost || store->only_looks || (!pull->tag && !pull->is_download)) {
        return;
    }
    path = pull->tag ? layout_pulled_tag(repository->name, pull->tag)
                     : layout_pulled_digest(repository->name, pull->digest);
    slot = pulled_remember(pulled_key(store, path.text));
    slot->pending += pull->is_download;
    if (now >= slot->due) {
        pulled_update(repository, path.text, slot, now);
    }
}

void pulled_note_restored(const struct repository_lock *held, const char *tag)
{
    const struct repository *repository = held->repository;
    struct path path = layout_pulled_tag(repository->name, tag);
    struct pulled pulled = {.count = 0};
    struct error ignored;

    (void)pulled_read_record(repository->store, path.text, &pulled, &ignored);
    pulled.restored = clock_date();
    (void)pulled_write(repository, path.text, &pulled);
}

int pulled_read_digest(const struct repository *repository, const struct digest *digest,
                       struct pulled *out, struct error *error)
{
    struct path path = layout_pulled_digest(repository->name, digest);
    struct pulled read = {.count = 0};

    if (pulled_read_record(repository->store, path.text, &read, error) < 0) {
        return -1;
    }
    *out = read;
    return 0;
}

int pulled_read(const struct repository *repository, const char *tag, const struct digest *digest,
                struct pulled *out, struct error *error)
{
    struct path path = layout_pulled_tag(repository->name, tag);
    struct pulled by_tag = {.count = 0};
    struct pulled by_digest;

    if (pulled_read_record(repository->store, path.text, &by_tag, error) < 0 ||
        pulled_read_digest(repository, digest, &by_digest, error) < 0) {
        return -1;
    }
    by_tag.count += by_digest.count;
    by_tag.last = by_digest.last > by_tag.last ? by_digest.last : by_tag.last;
    *out = by_tag;
    return 0;
}

int pulled_since(const struct store *store, time_t *out, struct error *error)
{
    struct stat status;

    if (fstatat(store->root, LAYOUT_PULLED_SINCE, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "stat '%s'", LAYOUT_PULLED_SINCE);
    }
    *out = status.st_mtime;
    return 1;
}

void pulled_begin(const struct store *store)
{
    AUTO_CLOSE int descriptor =
        openat(store->root, LAYOUT_PULLED_SINCE,
               O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, store->file_mode);

    (void)descriptor; /* -1: it has begun, or will another time */
}
