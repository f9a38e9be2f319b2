/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/sizes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"
#include "lib/base/names.h"
#include "lib/base/text.h"
#include "lib/store/blob.h"
#include "lib/store/memo.h"
#include "lib/store/walk.h"

void sizes_release(struct sizes *sizes)
{
    buffer_release(&sizes->memo);
    free(sizes->lines);
    *sizes = (struct sizes)SIZES_INIT;
}

/* What a repository has links of this kind to. */
static uint64_t sizes_add_up(const struct repository *repository, enum link_kind kind,
                             const struct sizes_judge *judge)
{
    AUTO_LINK_WALK struct link_walk walk = link_walk_begin(repository, kind);
    struct digest digest;
    struct error ignored;
    enum walk_result found;
    uint64_t sum = 0;

    while ((found = link_walk_next(&walk, &digest, &ignored)) > 0) {
        uint64_t size = 0;

        if (found == WALK_FOUND &&
            (!judge || judge->shows(judge->context, repository->name, &digest)) &&
            blob_is_stored(repository->store, &digest, &size, &ignored) > 0) {
            sum += size;
        }
    }
    return sum;
}

int sizes_count(struct store *store, const struct sizes_judge *judge, struct error *error)
{
    AUTO_REPOSITORY_WALK struct repository_walk walk = repository_walk_begin(store, "", NULL);
    AUTO_NAMES struct names lines = NAMES_INIT;
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    struct repository repository;
    enum walk_result found;

    walk.passes_closed = true;
    while ((found = repository_walk_next(&walk, &repository, error)) > 0) {
        if (found == WALK_FOUND) {
            AUTO_BUFFER struct buffer line = BUFFER_INIT;

            buffer_format(&line, "%s %" PRIu64, repository.name,
                          sizes_add_up(&repository, LINK_LAYER, judge) +
                              sizes_add_up(&repository, LINK_REVISION, NULL));
            names_add(&lines, line.data);
        }
    }
    if (found == WALK_FAILED) {
        return -1;
    }
    names_sort(&lines);
    for (size_t i = 0; i < lines.count; i++) {
        if (memo.length + strlen(lines.names[i]) + 1 > MEMO_LIMIT) {
            break;
        }
        buffer_format(&memo, "%s\n", lines.names[i]);
    }
    return memo_write(store, (struct file_place){store->root, LAYOUT_SIZES}, &memo, error);
}

int sizes_read(const struct store *store, struct sizes *out, uint64_t *out_age, struct error *error)
{
    AUTO_SIZES struct sizes sizes = SIZES_INIT;
    int found =
        memo_read((struct file_place){store->root, LAYOUT_SIZES}, &sizes.memo, out_age, error);
    size_t capacity = 0;

    if (found <= 0) {
        return found;
    }
    for (char *line = sizes.memo.data, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        if (sizes.count == capacity) {
            capacity = capacity ? 2 * capacity : 256;
            sizes.lines = memory_resize(sizes.lines, capacity, sizeof(*sizes.lines));
        }
        sizes.lines[sizes.count++] = line;
    }
    *out = sizes;
    sizes = (struct sizes)SIZES_INIT;
    return 1;
}

/* The bytes of names are behind the blank that ends one. */
static int sizes_compare(const void *name, const void *member)
{
    const char *line = *(const char *const *)member;
    size_t length = strlen(name);
    int order = strncmp(name, line, length);

    return order != 0 ? order : line[length] == ' ' ? 0 : -1;
}

bool sizes_find(const struct sizes *sizes, const char *name, uint64_t *out_bytes)
{
    const char *const *found = sizes->count > 0 ? bsearch(name, sizes->lines, sizes->count,
                                                          sizeof(*sizes->lines), sizes_compare)
                                                : NULL;
    const char *number = found ? *found + strlen(name) + 1 : NULL;

    return number && text_number(number, strlen(number), out_bytes);
}
