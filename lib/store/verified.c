/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/verified.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/store/memo.h"

enum {
    KEY_DIGITS = 2 * sizeof(struct digest_key),
    LINE_SIZE = KEY_DIGITS + 48, /* at most, of a note */
    WRITE_INTERVAL = 5000,       /* milliseconds */
};

void verified_release(struct verified *verified)
{
    free(verified->blobs);
    verified->blobs = NULL;
    verified->count = verified->capacity = verified->sorted = 0;
}

static struct verified_blob *verified_add(struct verified *verified)
{
    if (verified->count == verified->capacity) {
        verified->capacity = verified->capacity ? verified->capacity * 2 : 64;
        verified->blobs =
            memory_resize(verified->blobs, verified->capacity, sizeof(*verified->blobs));
    }
    return &verified->blobs[verified->count++];
}

/* "DIGITS SECONDS SIZE"; what else is there is passed over. */
static void verified_read_line(struct verified *verified, const char *line, size_t length)
{
    struct verified_blob blob = {.is_seen = false};
    const char *when = line + KEY_DIGITS + 1;
    const char *end = line + length;
    const char *size;
    uint64_t seconds;

    if (length <= KEY_DIGITS + 1 || line[KEY_DIGITS] != ' ' ||
        !text_unhex(line, sizeof(blob.key.bytes), blob.key.bytes)) {
        return;
    }
    size = memchr(when, ' ', (size_t)(end - when));
    if (size && text_number(when, (size_t)(size - when), &seconds) &&
        text_number(size + 1, (size_t)(end - size - 1), &blob.size)) {
        blob.when = (time_t)seconds;
        *verified_add(verified) = blob;
    }
}

static void verified_read(struct verified *verified)
{
    struct path path = layout_verified(verified->algorithm, verified->prefix);
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    struct error ignored;
    uint64_t age;
    const char *line;

    verified->count = 0;
    verified->is_changed = false;
    verified->written = clock_milliseconds();
    if (memo_read((struct file_place){verified->store->root, path.text}, &memo, &age, &ignored) >
        0) {
        line = memo.data;
        while (line && *line) {
            const char *end = strchr(line, '\n');

            if (end) { /* the last one may have been cut */
                verified_read_line(verified, line, (size_t)(end - line));
            }
            line = end ? end + 1 : NULL;
        }
    }
    if (verified->count > 1) {
        qsort(verified->blobs, verified->count, sizeof(*verified->blobs), digest_key_compare);
    }
    verified->sorted = verified->count;
}

static void verified_write(struct verified *verified, bool with_unseen)
{
    struct path path = layout_verified(verified->algorithm, verified->prefix);
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    struct error ignored;

    verified->written = clock_milliseconds();
    if (!verified->prefix[0] || verified->store->temporary < 0 || !verified->is_changed) {
        return;
    }
    for (size_t i = 0; i < verified->count && memo.length + LINE_SIZE < MEMO_LIMIT; i++) {
        const struct verified_blob *blob = &verified->blobs[i];
        char digits[KEY_DIGITS + 1];

        if (blob->when > 0 && (blob->is_seen || with_unseen)) {
            text_hex(blob->key.bytes, sizeof(blob->key.bytes), digits);
            buffer_format(&memo, "%s %" PRId64 " %" PRIu64 "\n", digits, (int64_t)blob->when,
                          blob->size);
        }
    }
    (void)memo_write(verified->store, (struct file_place){verified->store->root, path.text}, &memo,
                     &ignored);
    verified->is_changed = false;
}

void verified_finish(struct verified *verified)
{
    for (size_t i = 0; i < verified->count; i++) {
        verified->is_changed |= !verified->blobs[i].is_seen;
    }
    verified_write(verified, false);
    verified->prefix[0] = '\0';
}

void verified_stop(struct verified *verified)
{
    verified_write(verified, true);
}

void verified_turn_to(struct verified *verified, const struct digest *digest)
{
    const char *digits = digest_hex(digest);

    if (verified->prefix[0] && verified->algorithm == digest->algorithm &&
        text_begins(digits, verified->prefix)) {
        return;
    }
    verified_finish(verified);
    verified->algorithm = digest->algorithm;
    memcpy(verified->prefix, digits, sizeof(verified->prefix) - 1);
    verified->prefix[sizeof(verified->prefix) - 1] = '\0';
    verified_read(verified);
}

/* Of those that were read; a blob that is noted is not asked for again. */
static struct verified_blob *verified_find(const struct verified *verified,
                                           const struct digest *digest)
{
    struct digest_key key = digest_key_of(digest);

    return verified->sorted > 0 ? bsearch(&key, verified->blobs, verified->sorted,
                                          sizeof(*verified->blobs), digest_key_compare)
                                : NULL;
}

bool verified_is_since(struct verified *verified, const struct digest *digest, uint64_t size,
                       time_t time)
{
    struct verified_blob *blob = verified_find(verified, digest);

    if (!blob) {
        return false;
    }
    blob->is_seen = true;
    return blob->size == size && blob->when >= time && clock_age(blob->when) < UINT64_MAX;
}

void verified_note(struct verified *verified, const struct digest *digest, uint64_t size)
{
    struct verified_blob *blob = verified_find(verified, digest);

    if (!blob) {
        blob = verified_add(verified);
    }
    *blob = (struct verified_blob){digest_key_of(digest), clock_date(), size, true};
    verified->is_changed = true;
    if (clock_milliseconds() - verified->written >= WRITE_INTERVAL) {
        verified_write(verified, true);
    }
}

void verified_forget(struct verified *verified, const struct digest *digest)
{
    struct verified_blob *blob = verified_find(verified, digest);

    if (blob) {
        blob->when = 0;
        blob->is_seen = true;
        verified->is_changed = true;
        verified_write(verified, true);
    }
}
