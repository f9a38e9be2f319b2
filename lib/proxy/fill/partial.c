/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/fill/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/oci/document.h"
#include "lib/proxy/fill/origin.h"
#include "lib/store/link.h"
#include "lib/store/memo.h"

struct path partial_place(const struct fill *fill, const char *what)
{
    return layout_partial(fill->upstream->name, &fill->digest, what);
}

struct path partial_directory(const struct fill *fill)
{
    return layout_above(partial_place(fill, "").text);
}

/* From the moment that the lock has no name others may make one, and what is there is theirs. */
void partial_discard(const struct fill *fill)
{
    static const char *const files[] = {"data", "failed", "lock"};
    int temporary = fill->upstream->store->temporary;

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        (void)unlinkat(temporary, partial_place(fill, files[i]).text, 0);
    }
    (void)unlinkat(temporary, partial_directory(fill).text, AT_REMOVEDIR);
}

/* What is written into the lock by who has it: repository, account, bytes that were there, bytes
 * that it will have. */
enum partial_line { PARTIAL_NAME, PARTIAL_ACCOUNT_TEXT, PARTIAL_FOUND, PARTIAL_TOTAL };

static bool partial_read(const struct store *store, const char *directory, struct buffer *out)
{
    struct path path = layout_below(directory, "lock");
    struct error ignored;

    return memo_read_sealed((struct file_place){store->temporary, path.text}, out, &ignored) > 0;
}

static int partial_write(const struct fill *fill, const struct buffer *memo, struct error *error)
{
    struct path path = partial_place(fill, "lock");

    return memo_write_sealed((struct file_place){fill->upstream->store->temporary, path.text}, memo,
                             error);
}

bool partial_total_in(const struct store *store, const struct path *directory, uint64_t *out_size)
{
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;

    return partial_read(store, directory->text, &memo) &&
           memo_number(&memo, PARTIAL_TOTAL, out_size);
}

bool partial_name_in(const struct store *store, const struct path *directory, struct buffer *out)
{
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;

    if (!partial_read(store, directory->text, &memo)) {
        return false;
    }
    memo_line(&memo, PARTIAL_NAME, out);
    return true;
}

bool partial_total(const struct fill *fill, uint64_t *out_size)
{
    struct path directory = partial_directory(fill);

    return partial_total_in(fill->upstream->store, &directory, out_size);
}

/* The first three lines of the memo as they are, and `total`. */
static int partial_replace_total(const struct fill *fill, const char *total, struct error *error)
{
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    AUTO_BUFFER struct buffer changed = BUFFER_INIT;
    AUTO_BUFFER struct buffer line = BUFFER_INIT;

    (void)partial_read(fill->upstream->store, partial_directory(fill).text, &memo);
    for (unsigned n = PARTIAL_NAME; n < PARTIAL_TOTAL; n++) {
        memo_line(&memo, n, &line);
        buffer_format(&changed, "%s\n", line.data);
    }
    buffer_add_text(&changed, total);
    return partial_write(fill, &changed, error);
}

int partial_write_total(const struct fill *fill, uint64_t size, struct error *error)
{
    AUTO_BUFFER struct buffer total = BUFFER_INIT;

    buffer_format(&total, "%" PRIu64 "\n", size);
    return partial_replace_total(fill, total.data, error);
}

int partial_forget_total(const struct fill *fill, struct error *error)
{
    uint64_t size;

    return partial_total(fill, &size) ? partial_replace_total(fill, "", error) : 0;
}

/* By the mark of what is settled: the descriptor is all that they share. */
void partial_give_away(int data)
{
    struct stat status;

    if (fstat(data, &status) == 0) {
        (void)fchmod(data, (status.st_mode & 0777) | S_ISVTX);
    }
}

/* How many bytes there are now. Where that cannot be told, none is taken for one that will come. */
static uint64_t partial_bytes(const struct fill *fill)
{
    struct path data = partial_place(fill, "data");
    struct stat status;

    if (fstatat(fill->upstream->store->temporary, data.text, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT ? 0 : UINT64_MAX;
    }
    return (uint64_t)status.st_size;
}

int partial_prepare(const struct fill *fill, struct error *error)
{
    struct path failed = partial_place(fill, "failed");
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    uint64_t total;

    buffer_format(&memo, "%s\n", fill->name);
    origin_account(fill->upstream, fill->name, &memo);
    buffer_format(&memo, "\n%" PRIu64 "\n", partial_bytes(fill));
    if (partial_total(fill, &total)) {
        buffer_format(&memo, "%" PRIu64 "\n", total);
    }
    memo_forget((struct file_place){fill->upstream->store->temporary, failed.text});
    return partial_write(fill, &memo, error);
}

uint64_t partial_found(const struct fill *fill)
{
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    uint64_t found;

    return partial_read(fill->upstream->store, partial_directory(fill).text, &memo) &&
                   memo_number(&memo, PARTIAL_FOUND, &found)
               ? found
               : UINT64_MAX;
}

enum partial_owner partial_owner(const struct fill *fill)
{
    struct store *store = fill->upstream->store;
    struct path data = partial_place(fill, "data");
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    AUTO_BUFFER struct buffer name = BUFFER_INIT;
    AUTO_BUFFER struct buffer account = BUFFER_INIT;
    AUTO_BUFFER struct buffer own = BUFFER_INIT;

    if (!partial_read(store, partial_directory(fill).text, &memo)) {
        return faccessat(store->temporary, data.text, F_OK, 0) < 0 && errno == ENOENT
                   ? PARTIAL_NONE
                   : PARTIAL_FOREIGN;
    }
    memo_line(&memo, PARTIAL_NAME, &name);
    memo_line(&memo, PARTIAL_ACCOUNT_TEXT, &account);
    origin_account(fill->upstream, fill->name, &own);
    if (strcmp(account.data, own.data) != 0) {
        return PARTIAL_FOREIGN;
    }
    return strcmp(name.data, fill->name) == 0 ? PARTIAL_OURS : PARTIAL_ACCOUNT;
}

/* Whether a manifest of this repository names the blob, or the upstream has confirmed it. */
static bool partial_is_named(const struct fill *fill)
{
    struct digest target;
    struct error ignored;

    return link_follow(fill->repository, LINK_LAYER, &fill->digest, &target, &ignored) > 0;
}

static bool partial_is_open_to(const struct fill *fill, enum partial_owner owner)
{
    switch (owner) {
    case PARTIAL_NONE:
    case PARTIAL_OURS:
        return true;
    case PARTIAL_ACCOUNT:
        return partial_is_named(fill);
    case PARTIAL_FOREIGN:
        return partial_is_named(fill) && origin_allows(fill->upstream, fill->name, &fill->digest);
    }
    return false;
}

bool partial_may_join(const struct fill *fill)
{
    return partial_is_open_to(fill, partial_owner(fill));
}

bool partial_may_read(const struct fill *fill)
{
    enum partial_owner owner = partial_owner(fill);

    return owner != PARTIAL_NONE && partial_is_open_to(fill, owner);
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

/* What changes with a file, or with another one under its name; 0 for none. A number comes again at
 * most within the grain of the clock. */
static uint64_t partial_number(const struct fill *fill, const char *what)
{
    struct path path = partial_place(fill, what);
    struct stat status;

    if (fstatat(fill->upstream->store->temporary, path.text, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return 0;
    }
    return (uint64_t)status.st_ino + (uint64_t)status.st_ctim.tv_sec * 1000000000 +
           (uint64_t)status.st_ctim.tv_nsec;
}

uint64_t partial_failure_number(const struct fill *fill)
{
    return partial_number(fill, "failed");
}

uint64_t partial_life_number(const struct fill *fill)
{
    return partial_number(fill, "data");
}

uint64_t partial_silence(const struct fill *fill)
{
    static const char *const signs[] = {"data", "lock"};
    uint64_t silence = UINT64_MAX;

    for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
        struct path path = partial_place(fill, signs[i]);
        struct stat status;
        uint64_t age;

        if (fstatat(fill->upstream->store->temporary, path.text, &status, AT_SYMLINK_NOFOLLOW) ==
            0) {
            age = clock_age(status.st_mtime);
            silence = age < silence ? age : silence;
        }
    }
    return silence < UINT64_MAX ? silence : 0;
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
                   (failure.code == ERROR_NO_SPACE || failure.code == ERROR_INTERNAL ||
                    failure.code == ERROR_LOCK_HELD) &&
                   failure.age < MEMORY_SECONDS;

    buffer_release(&failure.memo);
    return was_not;
}
