/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/fill/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/text.h"
#include "lib/oci/document.h"
#include "lib/proxy/fill/origin.h"
#include "lib/store/memo.h"

struct path partial_place(const struct fill *fill, const char *what)
{
    return layout_partial(fill->upstream->name, &fill->digest, what);
}

struct path partial_directory(const struct fill *fill)
{
    return layout_above(partial_place(fill, "").text);
}

void partial_discard(const struct fill *fill)
{
    struct store *store = fill->upstream->store;
    struct path directory = partial_directory(fill);
    struct error ignored;

    (void)store_discard(store, (struct file_place){store->temporary, directory.text}, &ignored);
}

bool partial_total(const struct fill *fill, uint64_t *out_size)
{
    struct path path = partial_place(fill, "size");
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    struct error ignored;
    uint64_t age;

    return memo_read((struct file_place){fill->upstream->store->temporary, path.text}, &memo, &age,
                     &ignored) > 0 &&
           memo_number(&memo, 0, out_size);
}

int partial_write_total(const struct fill *fill, uint64_t size, struct error *error)
{
    struct store *store = fill->upstream->store;
    struct path path = partial_place(fill, "size");
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;

    buffer_format(&memo, "%" PRIu64 "\n", size);
    return memo_write(store, (struct file_place){store->temporary, path.text}, &memo, error);
}

/* The mark is the sticky bit, which means nothing on a file: the descriptor is all that they share.
 */
void partial_give_away(int data)
{
    struct stat status;

    if (fstat(data, &status) == 0) {
        (void)fchmod(data, (status.st_mode & 0777) | S_ISVTX);
    }
}

bool partial_is_given_away(int data)
{
    struct stat status;

    return fstat(data, &status) == 0 && (status.st_mode & S_ISVTX) != 0;
}

/* How many bytes there are now. */
static uint64_t partial_bytes(const struct fill *fill)
{
    struct path data = partial_place(fill, "data");
    struct stat status;

    return fstatat(fill->upstream->store->temporary, data.text, &status, AT_SYMLINK_NOFOLLOW) == 0
               ? (uint64_t)status.st_size
               : 0;
}

/* The owner's lines: repository, account, bytes that were there. */
int partial_prepare(const struct fill *fill, struct error *error)
{
    struct store *store = fill->upstream->store;
    struct path owner = partial_place(fill, "owner");
    struct path failed = partial_place(fill, "failed");
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;

    buffer_format(&memo, "%s\n", fill->name);
    origin_account(fill->upstream, fill->name, &memo);
    buffer_format(&memo, "\n%" PRIu64 "\n", partial_bytes(fill));
    memo_forget((struct file_place){store->temporary, failed.text});
    return memo_write(store, (struct file_place){store->temporary, owner.text}, &memo, error);
}

uint64_t partial_found(const struct fill *fill)
{
    struct path owner = partial_place(fill, "owner");
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    struct error ignored;
    uint64_t found;
    uint64_t age;

    return memo_read((struct file_place){fill->upstream->store->temporary, owner.text}, &memo, &age,
                     &ignored) > 0 &&
                   memo_number(&memo, 2, &found)
               ? found
               : UINT64_MAX;
}

enum partial_owner partial_owner(const struct fill *fill)
{
    struct store *store = fill->upstream->store;
    struct path owner = partial_place(fill, "owner");
    struct path data = partial_place(fill, "data");
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    AUTO_BUFFER struct buffer name = BUFFER_INIT;
    AUTO_BUFFER struct buffer account = BUFFER_INIT;
    AUTO_BUFFER struct buffer own = BUFFER_INIT;
    struct error ignored;
    uint64_t age;

    if (memo_read((struct file_place){store->temporary, owner.text}, &memo, &age, &ignored) <= 0) {
        return faccessat(store->temporary, data.text, F_OK, 0) < 0 && errno == ENOENT
                   ? PARTIAL_NONE
                   : PARTIAL_FOREIGN;
    }
    memo_line(&memo, 0, &name);
    memo_line(&memo, 1, &account);
    origin_account(fill->upstream, fill->name, &own);
    if (strcmp(account.data, own.data) != 0) {
        return PARTIAL_FOREIGN;
    }
    return strcmp(name.data, fill->name) == 0 ? PARTIAL_OURS : PARTIAL_ACCOUNT;
}

/* The failure's lines: repository, error code, seconds to wait, message; then the detail. */
void partial_write_failure(const struct fill *fill, const struct report *report,
                           const struct error *error)
{
    struct store *store = fill->upstream->store;
    struct path path = partial_place(fill, "failed");
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    struct error ignored;

    buffer_format(&memo, "%s\n%u\n%u\n%s\n%s\n", fill->name, (unsigned)error->code,
                  report->retry_after, error->message, report->detail.data);
    (void)memo_write(store, (struct file_place){store->temporary, path.text}, &memo, &ignored);
}

struct partial_failure {
    struct buffer memo;
    uint64_t age; /* seconds */
    enum error_code code;
};

static bool partial_read_failure(const struct fill *fill, struct partial_failure *out)
{
    struct path path = partial_place(fill, "failed");
    AUTO_BUFFER struct buffer line = BUFFER_INIT;
    struct error ignored;
    uint64_t code;

    if (memo_read((struct file_place){fill->upstream->store->temporary, path.text}, &out->memo,
                  &out->age, &ignored) <= 0) {
        return false;
    }
    memo_line(&out->memo, 1, &line);
    if (!text_number(line.data, line.length, &code)) {
        return false;
    }
    out->code = report_code(code);
    return true;
}

/* It becomes a part of an answer: nothing but JSON. */
static void partial_read_detail(const struct buffer *memo, struct buffer *out)
{
    struct document document = {.content_type = NULL};
    AUTO_BUFFER struct buffer ignored = BUFFER_INIT;

    memo_line(memo, 4, out);
    document.bytes = out->data;
    document.length = out->length;
    if (!document_text_member(&document, "upstream", &ignored)) {
        buffer_clear(out);
    }
}

bool partial_failure(const struct fill *fill, struct report *report, struct error *error)
{
    struct partial_failure failure = {.memo = BUFFER_INIT};
    AUTO_BUFFER struct buffer line = BUFFER_INIT;
    enum { RETRY_LIMIT = 86400 }; /* seconds: nobody waits longer */
    uint64_t retry_after = 0;
    bool failed = partial_read_failure(fill, &failure);

    memo_line(&failure.memo, 0, &line);
    failed = failed && strcmp(line.data, fill->name) == 0;
    if (failed) {
        memo_line(&failure.memo, 2, &line);
        (void)text_number(line.data, line.length, &retry_after);
        report->retry_after = retry_after <= RETRY_LIMIT ? (unsigned)retry_after : 0;
        partial_read_detail(&failure.memo, &report->detail);
        memo_line(&failure.memo, 3, &line);
        (void)error_set(error, failure.code, "%s", line.data);
    }
    buffer_release(&failure.memo);
    return failed;
}

bool partial_was_not_kept(const struct fill *fill)
{
    enum { MEMORY_SECONDS = 10 };
    struct partial_failure failure = {.memo = BUFFER_INIT};
    bool was_not = partial_read_failure(fill, &failure) &&
                   (failure.code == ERROR_NO_SPACE || failure.code == ERROR_INTERNAL) &&
                   failure.age < MEMORY_SECONDS;

    buffer_release(&failure.memo);
    return was_not;
}
