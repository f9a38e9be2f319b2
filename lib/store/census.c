/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/census.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/directory.h"
#include "lib/store/memo.h"

/* In the order of the lines of the memo. */
enum { CENSUS_NUMBERS = 6 + 2 * TRASH_COUNT };

static void census_numbers(struct census *census, uint64_t *out_numbers[CENSUS_NUMBERS])
{
    uint64_t *const numbers[] = {&census->repositories, &census->tags,  &census->manifests,
                                 &census->blobs,        &census->bytes, &census->linked_bytes};
    size_t count = sizeof(numbers) / sizeof(*numbers);

    memcpy(out_numbers, numbers, sizeof(numbers));
    for (int i = 0; i < TRASH_COUNT; i++) {
        out_numbers[count++] = &census->trash[i].files;
        out_numbers[count++] = &census->trash[i].bytes;
    }
}

int census_write(struct store *store, const struct census *census, struct error *error)
{
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    struct census copy = *census;
    uint64_t *numbers[CENSUS_NUMBERS];

    census_numbers(&copy, numbers);
    for (unsigned i = 0; i < CENSUS_NUMBERS; i++) {
        buffer_format(&memo, "%" PRIu64 "\n", *numbers[i]);
    }
    return memo_write(store, (struct file_place){store->root, LAYOUT_CENSUS}, &memo, error);
}

int census_read(const struct store *store, struct census *out_census, uint64_t *out_age,
                struct error *error)
{
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    struct census census = {.repositories = 0};
    uint64_t *numbers[CENSUS_NUMBERS];
    uint64_t age;
    int found = memo_read((struct file_place){store->root, LAYOUT_CENSUS}, &memo, &age, error);

    if (found <= 0) {
        return found;
    }
    census_numbers(&census, numbers);
    for (unsigned i = 0; i < CENSUS_NUMBERS; i++) {
        if (!memo_number(&memo, i, numbers[i])) {
            return 0; /* a power cut has emptied it, or it is an older version's */
        }
    }
    *out_census = census;
    *out_age = age;
    return 1;
}

int census_count_uploads(const struct store *store, struct census_uploads *out, struct error *error)
{
    AUTO_NAMES struct names sessions = NAMES_INIT;

    *out = (struct census_uploads){.sessions = 0};
    if (store->temporary < 0) {
        return 0;
    }
    if (directory_list(store->temporary, LAYOUT_UPLOADS, &sessions, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < sessions.count; i++) {
        AUTO_LOCK struct lock lock = LOCK_INIT;
        struct path path = layout_upload_lock(sessions.names[i]);
        struct error ignored;

        out->active += lock_take(&lock, (struct file_place){store->temporary, path.text}, LOCK_TRY,
                                 &ignored) == LOCK_BUSY;
    }
    out->sessions = sessions.count;
    return 0;
}
