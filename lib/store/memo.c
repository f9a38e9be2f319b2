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
