/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/memo.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

int memo_read(struct file_place place, struct buffer *out, uint64_t *out_age, struct error *error)
{
    struct stat status;
    int found;

    if (fstatat(place.directory, place.path, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "stat '%s'", place.path);
    }
    found = file_read(place.directory, place.path, MEMO_LIMIT, out, error);
    if (found > 0) {
        *out_age = clock_age(status.st_mtime);
    }
    return found;
}

int memo_write(struct store *store, struct file_place place, const struct buffer *content,
               struct error *error)
{
    return store_replace(store, place, content, REPLACE_PRIVATE, error);
}

/* Opens what may not be there yet, whoever removes empty directories meanwhile. */
static int memo_open(struct file_place place, int flags, struct error *error)
{
    enum { TRIES = 8 };
    int descriptor = -1;

    for (int i = 0; i < TRIES && descriptor < 0; i++) {
        if (file_make_parents(place.directory, place.path, error) < 0) {
            return -1;
        }
        descriptor = openat(place.directory, place.path,
                            O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
        if (descriptor < 0 && errno != ENOENT) {
            break;
        }
    }
    return descriptor;
}

int memo_note(struct file_place place, const struct buffer *content, struct error *error)
{
    AUTO_CLOSE int descriptor = memo_open(place, O_EXCL, error);

    if (descriptor < 0) {
        return errno == EEXIST ? 0 : error_errno(error, "create '%s'", place.path);
    }
    return file_write_at(descriptor, 0, content->data, content->length, error);
}

/* The first line: the hash of the rest, and its length, since there may be more behind it. */
static void memo_seal(const char *bytes, size_t length, struct buffer *out)
{
    struct digest digest;

    digest_of(DIGEST_SHA256, bytes, length, &digest);
    buffer_format(out, "%s %zu\n", digest_hex(&digest), length);
}

int memo_write_sealed(struct file_place place, const struct buffer *content, struct error *error)
{
    AUTO_CLOSE int descriptor =
        openat(place.directory, place.path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    AUTO_BUFFER struct buffer whole = BUFFER_INIT;

    if (descriptor < 0 && errno == ENOENT) {
        descriptor = memo_open(place, 0, error);
    }
    if (descriptor < 0) {
        return error_errno(error, "open '%s'", place.path);
    }
    memo_seal(content->data, content->length, &whole);
    buffer_add(&whole, content->data, content->length);
    return file_write_at(descriptor, 0, whole.data, whole.length, error);
}

int memo_read_sealed(struct file_place place, struct buffer *out, struct error *error)
{
    enum { SEALED_LIMIT = 4096 };
    char bytes[SEALED_LIMIT + 1];
    ssize_t got = file_read_head(place.directory, place.path, bytes, SEALED_LIMIT, error);
    AUTO_BUFFER struct buffer seal = BUFFER_INIT;
    const char *space;
    const char *end;
    uint64_t length;

    if (got <= 0) {
        return got == 0 || got == FILE_GONE ? 0 : -1;
    }
    bytes[got] = '\0';
    end = strchr(bytes, '\n');
    space = strchr(bytes, ' ');
    if (!end || !space || space > end ||
        !text_number(space + 1, (size_t)(end - space - 1), &length) ||
        length > (size_t)(bytes + got - (end + 1))) {
        return 0;
    }
    memo_seal(end + 1, (size_t)length, &seal);
    if (strncmp(seal.data, bytes, seal.length) != 0) {
        return 0;
    }
    buffer_add(out, end + 1, (size_t)length);
    return 1;
}

void memo_forget(struct file_place place)
{
    (void)unlinkat(place.directory, place.path, 0);
}

void memo_line(const struct buffer *memo, unsigned n, struct buffer *out)
{
    const char *line = memo->data;

    buffer_clear(out);
    while (n-- > 0 && line) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (line) {
        buffer_add(out, line, strcspn(line, "\n"));
    }
}

bool memo_number(const struct buffer *memo, unsigned n, uint64_t *out_number)
{
    AUTO_BUFFER struct buffer line = BUFFER_INIT;

    memo_line(memo, n, &line);
    return text_number(line.data, line.length, out_number);
}
