/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/fill/space.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/directory.h"
#include "lib/store/memo.h"

/* A file of a fetch, with what it is called there. */
static struct file_place space_place(const struct store *store, const struct path *directory,
                                     const char *what, struct path *out_path)
{
    *out_path = layout_below(directory->text, what);
    return (struct file_place){store->temporary, out_path->text};
}

static bool space_is_claimed(const struct store *store, const struct path *directory)
{
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct path path;
    struct error ignored;

    return lock_take(&lock, space_place(store, directory, "lock", &path), LOCK_TRY, &ignored) ==
           LOCK_BUSY;
}

/* What the fetch in a directory has declared and not yet written. */
static uint64_t space_missing(const struct store *store, const struct path *directory)
{
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    struct path path;
    struct file_place size = space_place(store, directory, "size", &path);
    struct path data = layout_below(directory->text, "data");
    struct stat status = {.st_size = 0};
    struct error ignored;
    uint64_t total;
    uint64_t age;

    if (memo_read(size, &memo, &age, &ignored) <= 0 || !memo_number(&memo, 0, &total) ||
        !space_is_claimed(store, directory)) {
        return 0;
    }
    (void)fstatat(store->temporary, data.text, &status, AT_SYMLINK_NOFOLLOW);
    return total > (uint64_t)status.st_size ? total - (uint64_t)status.st_size : 0;
}

static uint64_t space_sum(uint64_t one, uint64_t other)
{
    return one < UINT64_MAX - other ? one + other : UINT64_MAX;
}

/* What all fetches but this one still need. */
static uint64_t space_promised(const struct fill *fill)
{
    const struct store *store = fill->upstream->store;
    struct path own = partial_directory(fill);
    AUTO_NAMES struct names upstreams = NAMES_INIT;
    struct error ignored;
    uint64_t sum = 0;

    (void)directory_list(store->temporary, LAYOUT_PARTIAL, &upstreams, &ignored);
    for (size_t i = 0; i < upstreams.count; i++) {
        struct path above = layout_below(LAYOUT_PARTIAL, upstreams.names[i]);
        AUTO_NAMES struct names fetches = NAMES_INIT;

        (void)directory_list(store->temporary, above.text, &fetches, &ignored);
        for (size_t j = 0; j < fetches.count; j++) {
            struct path directory = layout_below(above.text, fetches.names[j]);

            if (strcmp(directory.text, own.text) != 0) {
                sum = space_sum(sum, space_missing(store, &directory));
            }
        }
    }
    return sum;
}

int space_reserve(const struct fill *fill, uint64_t total, uint64_t missing, struct error *error)
{
    const struct store *store = fill->upstream->store;
    struct file_place place = {store->root, LAYOUT_SPACE_LOCK};
    AUTO_LOCK struct lock lock = LOCK_INIT;

    if (lock_take_or_make(&lock, place, LOCK_WAIT, error) != LOCK_TAKEN ||
        store_check_space(store, space_sum(missing, space_promised(fill)), error) < 0) {
        return -1;
    }
    return partial_write_total(fill, total, error);
}

int space_check(const struct fill *fill, bool is_reserved, struct error *error)
{
    return store_check_space(fill->upstream->store, is_reserved ? 0 : space_promised(fill), error);
}
