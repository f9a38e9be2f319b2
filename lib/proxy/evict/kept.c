/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/evict/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/directory.h"
#include "lib/base/text.h"
#include "lib/store/memo.h"

enum {
    HEAD_LINES = 2,   /* of a mark: repository, reference */
    NAME_DIGITS = 64, /* of its own name */
};

static struct path kept_path(const struct kept_image *image)
{
    AUTO_BUFFER struct buffer name = BUFFER_INIT;
    struct digest key;

    buffer_format(&name, "%s %s", image->repository, image->reference);
    digest_of(DIGEST_SHA256, name.data, name.length, &key);
    return layout_kept(&key);
}

int kept_lock(struct store *store, struct lock *lock, struct error *error)
{
    struct file_place place = {store->root, LAYOUT_KEPT_LOCK};

    enum { PATIENCE = 60 }; /* seconds; who removes a batch of blobs has it for some */

    return lock_await(lock, place, PATIENCE, error) == LOCK_TAKEN ? 0 : -1;
}

int kept_write(struct store *store, const struct kept_image *image, const struct buffer *digests,
               struct error *error)
{
    struct path path = kept_path(image);
    AUTO_LOCK struct lock lock = LOCK_INIT;
    AUTO_BUFFER struct buffer mark = BUFFER_INIT;
    AUTO_SYNC_SET struct sync_set syncs = {.root = store->root, .in_order = store->keeps_order};

    buffer_format(&mark, "%s\n%s\n", image->repository, image->reference);
    buffer_add(&mark, digests->data, digests->length);
    if (kept_lock(store, &lock, error) < 0) {
        return -1;
    }
    /* Unlike what it speaks of, a mark cannot be had again: it survives a power cut. */
    return store_write(store, path.text, &mark, &syncs, error) < 0 ? -1
                                                                   : sync_set_flush(&syncs, error);
}

/* Adds the lines behind the head. 1, 0, -1. */
static int kept_read_mark(const struct store *store, const char *path, struct buffer *out,
                          struct error *error)
{
    AUTO_BUFFER struct buffer mark = BUFFER_INIT;
    const char *line;
    int found = file_read(store->root, path, MEMO_LIMIT, &mark, error);

    if (found <= 0) {
        return found;
    }
    line = mark.data;
    for (int i = 0; i < HEAD_LINES && line; i++) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (line) {
        buffer_add_text(out, line);
    }
    return 1;
}

int kept_read(const struct store *store, const struct kept_image *image, struct buffer *out_digests,
              struct error *error)
{
    return kept_read_mark(store, kept_path(image).text, out_digests, error);
}

int kept_drop(struct store *store, const struct kept_image *image, struct error *error)
{
    return file_remove(store->root, kept_path(image).text, error);
}

/* Their names: a hash each. What else lies there is another program's, or a file server's. */
static int kept_find(const struct store *store, struct names *out, struct error *error)
{
    AUTO_NAMES struct names entries = NAMES_INIT;

    if (directory_list(store->root, LAYOUT_KEPT, &entries, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < entries.count; i++) {
        const char *entry = entries.names[i];

        if (strlen(entry) == NAME_DIGITS && text_is_hex(entry, NAME_DIGITS)) {
            names_add(out, entry);
        }
    }
    return 0;
}

int kept_list(const struct store *store, struct names *out, struct error *error)
{
    AUTO_NAMES struct names marks = NAMES_INIT;

    if (kept_find(store, &marks, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < marks.count; i++) {
        struct path path = layout_below(LAYOUT_KEPT, marks.names[i]);
        AUTO_BUFFER struct buffer mark = BUFFER_INIT;
        AUTO_BUFFER struct buffer name = BUFFER_INIT;
        AUTO_BUFFER struct buffer reference = BUFFER_INIT;
        int found = file_read(store->root, path.text, MEMO_LIMIT, &mark, error);

        if (found < 0) {
            return -1;
        }
        memo_line(&mark, 0, &name);
        memo_line(&mark, 1, &reference);
        if (reference.length > 0) {
            buffer_format(&name, " %s", reference.data);
            names_add(out, name.data);
        }
    }
    names_sort(out);
    return 0;
}

void kept_release(struct kept *kept)
{
    names_release(&kept->digests);
}

static int kept_compare(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

bool kept_has(const struct kept *kept, const struct digest *digest)
{
    const char *text = digest->text;

    return kept->digests.count > 0 && bsearch(&text, kept->digests.names, kept->digests.count,
                                              sizeof(*kept->digests.names), kept_compare) != NULL;
}

static int kept_read_all(const struct store *store, struct kept *kept, struct error *error)
{
    AUTO_NAMES struct names marks = NAMES_INIT;
    AUTO_BUFFER struct buffer lines = BUFFER_INIT;
    const char *cursor;
    const char *line;
    size_t length;

    if (kept_find(store, &marks, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < marks.count; i++) {
        struct path path = layout_below(LAYOUT_KEPT, marks.names[i]);
        int found = kept_read_mark(store, path.text, &lines, error);

        if (found < 0) {
            return -1;
        }
        kept->images += (uint64_t)found;
    }
    cursor = lines.data;
    while (text_next_item(&cursor, '\n', &line, &length)) {
        char digest[DIGEST_TEXT_SIZE];

        if (text_copy(digest, sizeof(digest), line, length)) {
            names_add(&kept->digests, digest);
        }
    }
    names_sort(&kept->digests);
    return 0;
}

int kept_refresh(const struct store *store, struct kept *kept, struct error *error)
{
    struct stat status;

    if (fstatat(store->root, LAYOUT_KEPT, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        if (!file_is_gone(errno)) {
            return error_errno(error, "stat '%s'", LAYOUT_KEPT);
        }
        kept_release(kept);
        *kept = (struct kept)KEPT_INIT;
        return 0;
    }
    if (kept->is_read && kept->changed.tv_sec == status.st_mtim.tv_sec &&
        kept->changed.tv_nsec == status.st_mtim.tv_nsec) {
        return 0;
    }
    kept_release(kept);
    *kept = (struct kept)KEPT_INIT;
    if (kept_read_all(store, kept, error) < 0) {
        return -1;
    }
    kept->changed = status.st_mtim;
    kept->is_read = true;
    return 0;
}
