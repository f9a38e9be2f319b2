/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/history.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/directory.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/oci/digest_keys.h"
#include "lib/store/trash.h"

/*
 * An entry is a line of four words: "SECONDS EVENT =AUTHOR DIGEST", the author with %XX escapes.
 * The digest is the last, so that none that was cut is taken for a whole one; and a line begins
 * with a newline as well, so that none is taken for the rest of such a one.
 */
static const char *const history_words[] = {
    [HISTORY_PUSHED] = "pushed",
    [HISTORY_DELETED] = "deleted",
    [HISTORY_RESTORED] = "restored",
    [HISTORY_PUT_BACK] = "put-back",
};
enum { HISTORY_EVENT_COUNT = sizeof(history_words) / sizeof(*history_words) };

const char *history_event_word(enum history_event event)
{
    return history_words[event];
}

static void history_entry_release(struct history_entry *entry)
{
    free(entry->author);
}

void history_release(struct history *history)
{
    for (size_t i = 0; i < history->count; i++) {
        history_entry_release(&history->entries[i]);
    }
    free(history->entries);
    *history = (struct history)HISTORY_INIT;
}

/* Takes the entry over. */
static void history_append(struct history *history, const struct history_entry *entry)
{
    if (history->count == history->capacity) {
        history->capacity = history->capacity ? history->capacity * 2 : 16;
        history->entries =
            memory_resize(history->entries, history->capacity, sizeof(*history->entries));
    }
    history->entries[history->count++] = *entry;
}

static bool history_parse_event(const char *word, size_t length, enum history_event *out)
{
    for (unsigned i = 0; i < HISTORY_EVENT_COUNT; i++) {
        if (strlen(history_words[i]) == length && strncmp(history_words[i], word, length) == 0) {
            *out = (enum history_event)i;
            return true;
        }
    }
    return false;
}

static bool history_parse_author(const char *word, size_t length, struct history_entry *out)
{
    AUTO_BUFFER struct buffer author = BUFFER_INIT;

    if (*word != '=' || !text_percent_decode(word + 1, length - 1, &author) ||
        author.length >= HISTORY_AUTHOR_SIZE) {
        return false;
    }
    out->author = memory_text(author.data);
    return true;
}

/* The author is allocated last. */
static bool history_parse(const char *line, struct history_entry *out)
{
    enum { TIME, EVENT, AUTHOR, DIGEST, WORDS };
    const char *words[WORDS];
    size_t lengths[WORDS];
    struct error ignored;
    uint64_t seconds;

    for (int i = 0; i < WORDS; i++) {
        if (!text_next_item(&line, ' ', &words[i], &lengths[i])) {
            return false;
        }
    }
    if (!text_number(words[TIME], lengths[TIME], &seconds) ||
        !history_parse_event(words[EVENT], lengths[EVENT], &out->event) ||
        digest_parse(&out->digest, words[DIGEST], &ignored) < 0) {
        return false;
    }
    out->time = (time_t)seconds;
    return history_parse_author(words[AUTHOR], lengths[AUTHOR], out);
}

static void history_format(struct buffer *out, const struct history_entry *entry)
{
    buffer_format(out, "\n%" PRIu64 " %s =", (uint64_t)entry->time, history_words[entry->event]);
    text_percent_encode(entry->author, out);
    buffer_format(out, " %s\n", entry->digest.text);
}

/* The last `size` bytes of an open file, from the beginning of a line. */
static int history_read_end(int descriptor, const struct stat *status, size_t size,
                            struct buffer *out, struct error *error)
{
    uint64_t length = (uint64_t)status->st_size;
    uint64_t offset = length > size ? length - size : 0;
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    const char *begin;
    ssize_t got;

    got = file_read_at(descriptor, offset, buffer_reserve(&bytes, size), size, error);
    if (got < 0) {
        return -1;
    }
    buffer_added(&bytes, (size_t)got);
    begin = offset > 0 ? memchr(bytes.data, '\n', bytes.length) : bytes.data;
    if (begin) {
        buffer_add(out, begin, bytes.length - (size_t)(begin - bytes.data));
    }
    return 0;
}

/* For who may write. A descriptor or -1. */
static int history_open(const struct store *store, const char *path, int flags)
{
    return openat(store->root, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | flags, 0666);
}

/* Opens the file of a tag, or makes it: from what an earlier tag of that name has left, if it can.
 */
static int history_open_or_make(const struct repository_lock *held, const char *tag)
{
    const struct store *store = held->repository->store;
    struct path path = layout_history(held->repository->name, tag);
    struct error ignored;
    int descriptor = history_open(store, path.text, 0);

    if (descriptor >= 0 || !file_is_gone(errno)) {
        return descriptor;
    }
    history_take_back(held, tag);
    descriptor = history_open(store, path.text, O_CREAT);
    if (descriptor < 0 && file_is_gone(errno) &&
        file_make_parents(store->root, path.text, &ignored) == 0) {
        descriptor = history_open(store, path.text, O_CREAT);
    }
    return descriptor;
}

void history_add(const struct repository_lock *held, const char *tag, enum history_event event,
                 const char *author, const struct digest *digest)
{
    struct store *store = held->repository->store;
    struct path path = layout_history(held->repository->name, tag);
    char who[HISTORY_AUTHOR_SIZE] = "";
    struct history_entry entry = {
        .time = clock_date(), .event = event, .digest = *digest, .author = who};
    AUTO_BUFFER struct buffer line = BUFFER_INIT;
    AUTO_BUFFER struct buffer kept = BUFFER_INIT;
    AUTO_CLOSE int descriptor = -1;
    struct error ignored;
    struct stat status;

    if (store->options->may_be_lost) {
        return;
    }
    (void)text_copy(who, sizeof(who), author, strlen(author));
    history_format(&line, &entry);
    descriptor = history_open_or_make(held, tag);
    if (descriptor < 0 || fstat(descriptor, &status) < 0 || !S_ISREG(status.st_mode)) {
        return;
    }
    if (status.st_size <= HISTORY_SIZE) {
        (void)file_write_at(descriptor, (uint64_t)status.st_size, line.data, line.length, &ignored);
    } else if (history_read_end(descriptor, &status, HISTORY_SIZE / 2, &kept, &ignored) == 0) {
        buffer_add(&kept, line.data, line.length);
        (void)store_replace(store, (struct file_place){store->root, path.text}, &kept,
                            REPLACE_SHARED, &ignored);
    }
}

/* The file of a tag, wherever it lies. A descriptor, -1, or FILE_GONE. */
static int history_find(const struct repository *repository, const char *tag, struct stat *status,
                        struct error *error)
{
    struct path path = layout_history(repository->name, tag);
    int root = repository->store->root;
    int descriptor = file_open(root, path.text, status, error);

    for (int i = TRASH_COUNT; descriptor == FILE_GONE && i-- > 0;) {
        descriptor = file_open(root, layout_trash((enum trash)i, path.text).text, status, error);
    }
    return descriptor;
}

/* What we have noted, the newest first. */
static int history_read_ours(const struct repository *repository, const char *tag,
                             struct history *out, struct error *error)
{
    AUTO_BUFFER struct buffer lines = BUFFER_INIT;
    struct stat status;
    AUTO_CLOSE int descriptor = history_find(repository, tag, &status, error);

    if (descriptor < 0) {
        return descriptor == FILE_GONE ? 0 : -1;
    }
    if (history_read_end(descriptor, &status, (size_t)2 * HISTORY_SIZE, &lines, error) < 0) {
        return -1;
    }
    for (size_t end = lines.length; end > 0;) {
        AUTO_BUFFER struct buffer line = BUFFER_INIT;
        struct history_entry entry = {.author = NULL};
        size_t begin = end;

        while (begin > 0 && lines.data[begin - 1] != '\n') {
            begin--;
        }
        buffer_add(&line, lines.data + begin, end - begin);
        if (history_parse(line.data, &entry)) {
            history_append(out, &entry);
        }
        end = begin > 0 ? begin - 1 : 0;
    }
    return 0;
}

static int history_compare(const void *one, const void *other)
{
    time_t a = ((const struct history_entry *)one)->time;
    time_t b = ((const struct history_entry *)other)->time;

    return a > b ? -1 : a < b;
}

/* From the entry `begin` on. */
static void history_add_keys(const struct history *history, size_t begin, struct digest_keys *out)
{
    for (size_t i = begin; i < history->count; i++) {
        struct digest_key key = digest_key_of(&history->entries[i].digest);

        digest_keys_add(out, &key);
    }
}

/* What distribution's links in a directory tell besides. */
static void history_read_links(const struct repository *repository, const char *directory,
                               enum digest_algorithm algorithm, struct digest_keys *known,
                               struct history *out)
{
    int root = repository->store->root;
    AUTO_NAMES struct names names = NAMES_INIT;
    struct error ignored;
    size_t before = out->count;

    (void)directory_sample(root, directory, HISTORY_INDEX_LIMIT, &names, &ignored);
    for (size_t i = 0; i < names.count; i++) {
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        struct path link = layout_below(layout_below(directory, names.names[i]).text, "link");
        struct history_entry entry = {.event = HISTORY_PUSHED};
        struct digest_key key;
        struct stat status;

        buffer_format(&text, "%s:%s", digest_algorithm_name(algorithm), names.names[i]);
        if (digest_parse(&entry.digest, text.data, &ignored) < 0 ||
            fstatat(root, link.text, &status, AT_SYMLINK_NOFOLLOW) < 0) {
            continue;
        }
        key = digest_key_of(&entry.digest);
        if (!digest_keys_have(known, &key)) {
            entry.time = status.st_mtime;
            history_append(out, &entry);
        }
    }
    history_add_keys(out, before, known);
}

/* Of a tag that is there, or was deleted. */
static void history_read_others(const struct repository *repository, const char *tag,
                                const struct history *ours, struct history *out)
{
    AUTO_DIGEST_KEYS struct digest_keys known = DIGEST_KEYS_INIT;

    history_add_keys(ours, 0, &known);
    for (int i = 0; i < DIGEST_ALGORITHM_COUNT; i++) {
        enum digest_algorithm algorithm = (enum digest_algorithm)i;
        struct path directory = layout_tag_histories(repository->name, tag, algorithm);
        struct path deleted = layout_trash(TRASH_DELETED, directory.text);

        history_read_links(repository, directory.text, algorithm, &known, out);
        history_read_links(repository, deleted.text, algorithm, &known, out);
    }
    if (out->count > 1) {
        qsort(out->entries, out->count, sizeof(*out->entries), history_compare);
    }
}

int history_read(const struct repository *repository, const char *tag, size_t limit,
                 struct history *out, struct error *error)
{
    AUTO_HISTORY struct history ours = HISTORY_INIT;
    AUTO_HISTORY struct history others = HISTORY_INIT;
    size_t next = 0;
    size_t next_other = 0;

    if (history_read_ours(repository, tag, &ours, error) < 0) {
        return -1;
    }
    history_read_others(repository, tag, &ours, &others);
    /* Ours stay in their order, whatever the clocks of the hosts were. */
    while (out->count < limit && (next < ours.count || next_other < others.count)) {
        bool is_ours =
            next_other == others.count ||
            (next < ours.count && ours.entries[next].time >= others.entries[next_other].time);
        struct history_entry *entry =
            is_ours ? &ours.entries[next++] : &others.entries[next_other++];

        history_append(out, entry);
        entry->author = NULL;
    }
    return out->count > 0;
}

int history_find_push(const struct repository *repository, const char *tag,
                      const struct digest *digest, time_t *out_time, struct error *error)
{
    AUTO_HISTORY struct history ours = HISTORY_INIT;

    if (history_read_ours(repository, tag, &ours, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ours.count; i++) {
        const struct history_entry *entry = &ours.entries[i];

        bool is_push = entry->event == HISTORY_PUSHED || entry->event == HISTORY_PUT_BACK;

        if (i == 0 && entry->event == HISTORY_DELETED) {
            return 0; /* somebody else has made it since */
        }
        if (!digest_equal(&entry->digest, digest)) {
            return 0; /* or moved it, or an entry was lost */
        }
        if (is_push) {
            *out_time = entry->time;
            return 1;
        }
    }
    return 0;
}

int history_put_in_trash(const struct repository_lock *held, enum trash which, const char *tag,
                         struct error *error)
{
    struct path path = layout_history(held->repository->name, tag);

    return held->repository->store->options->may_be_lost
               ? 0
               : trash_put(held->repository->store, which, path.text, error);
}

/* Without a sync, which nobody's entry is worth. */
void history_take_back(const struct repository_lock *held, const char *tag)
{
    const struct store *store = held->repository->store;
    struct path path = layout_history(held->repository->name, tag);
    struct error ignored;

    for (int i = TRASH_COUNT; i-- > 0;) {
        struct path there = layout_trash((enum trash)i, path.text);

        if (trash_has(store, (enum trash)i, path.text, &ignored) > 0 &&
            file_publish_new((struct file_place){store->root, there.text},
                             (struct file_place){store->root, path.text}, &ignored) > 0) {
            (void)unlinkat(store->root, layout_above(there.text).text, AT_REMOVEDIR);
            return;
        }
    }
}
