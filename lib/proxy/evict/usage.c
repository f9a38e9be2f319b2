/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/evict/usage.h"

#include <inttypes.h>

#include "lib/store/blob.h"
#include "lib/store/memo.h"

static struct file_place usage_place(const struct store *store)
{
    return (struct file_place){store->root, LAYOUT_USAGE};
}

int usage_read(const struct store *store, struct usage *out_usage, struct error *error)
{
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    struct usage usage;
    uint64_t age;
    int found = memo_read(usage_place(store), &memo, &age, error);

    if (found <= 0) {
        return found;
    }
    if (!memo_number(&memo, 0, &usage.used) || !memo_number(&memo, 1, &usage.added) ||
        !memo_number(&memo, 2, &usage.fixed)) {
        return 0; /* a power cut may have emptied it */
    }
    if (!memo_number(&memo, 3, &usage.inodes)) {
        usage.inodes = UINT64_MAX; /* as an earlier version has written it */
    }
    *out_usage = usage;
    return 1;
}

/* Under the lock. */
static void usage_write(struct store *store, const struct usage *usage)
{
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    struct error ignored;

    buffer_format(&memo, "%" PRIu64 "\n%" PRIu64 "\n%" PRIu64 "\n", usage->used, usage->added,
                  usage->fixed);
    if (usage->inodes < UINT64_MAX) {
        buffer_format(&memo, "%" PRIu64 "\n", usage->inodes);
    }
    if (memo_write(store, usage_place(store), &memo, &ignored) < 0) {
        memo_forget(usage_place(store));
    }
}

enum lock_result usage_lock(const struct store *store, struct lock *lock, struct error *error)
{
    enum { PATIENCE = 10 }; /* seconds; to go through a thousand fetches takes less */
    struct file_place place = {store->root, LAYOUT_SPACE_LOCK};

    return lock_await_or_replace(lock, place, PATIENCE, error);
}

/* False, and nothing is known any more, if the lock cannot be had. */
static bool usage_begin(struct store *store, struct lock *lock)
{
    struct error ignored;

    if (usage_lock(store, lock, &ignored) == LOCK_TAKEN) {
        return true;
    }
    memo_forget(usage_place(store));
    return false;
}

/* Of what has come, and one link to it. */
static void usage_add_inodes(struct usage *usage)
{
    enum { EACH = 6 };

    usage->inodes = usage->inodes < UINT64_MAX - EACH ? usage->inodes + EACH : UINT64_MAX;
}

void usage_add(const struct proxy_options *options, struct store *store, uint64_t bytes)
{
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct usage usage;
    struct error ignored;

    if (options->maximum_size > 0 && usage_begin(store, &lock) &&
        usage_read(store, &usage, &ignored) > 0) {
        usage.used += blob_room(bytes);
        usage.added += blob_room(bytes);
        usage_add_inodes(&usage);
        usage_write(store, &usage);
    }
}

void usage_correct(struct store *store, const struct usage *before, const struct usage *counted)
{
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct usage now = *before;
    struct usage right = *counted;
    struct error ignored;

    if (usage_begin(store, &lock)) {
        (void)usage_read(store, &now, &ignored);
        right.used += now.added > before->added ? now.added - before->added : 0;
        right.added = now.added;
        usage_write(store, &right);
    }
}
