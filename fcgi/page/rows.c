/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/page/rows.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/store/portrait.h"
#include "lib/store/walk.h"

void rows_release(struct rows *rows)
{
    tagged_list_release(&rows->tags);
    free(rows->rows);
    *rows = (struct rows)ROWS_INIT;
}

bool rows_tag_is_commit(const char *tag)
{
    bool is_marked = text_begins(tag, "sha-");
    size_t length = strlen(tag + (is_marked ? 4 : 0));
    const char *digits = tag + (is_marked ? 4 : 0);

    return length >= 7 && length <= 64 && text_is_hex(digits, length) &&
           (is_marked || strpbrk(digits, "abcdef"));
}

/* Those of a digest together, the newest version first. */
static int compare_tags(const void *one, const void *other)
{
    const struct tagged *a = one;
    const struct tagged *b = other;
    int result = strcmp(a->digest.text, b->digest.text);

    return result ? result : tagged_compare(b->tag, a->tag);
}

static int compare_moved(const void *one, const void *other)
{
    const struct row_of_tags *a = one;
    const struct row_of_tags *b = other;

    return a->moved != b->moved ? (a->moved < b->moved ? 1 : -1)
                                : strcmp(a->digest.text, b->digest.text);
}

/* By the version of the first tag; qsort() hands no context on, so that rows are sorted through a
 * list of their first tags. */
struct version {
    const char *tag;
    struct row_of_tags row;
};

static int compare_versions(const void *one, const void *other)
{
    const struct version *a = one;
    const struct version *b = other;

    return tagged_compare(b->tag, a->tag);
}

static void sort_by_version(struct rows *rows)
{
    struct version *versions = memory_allocate(rows->count + 1, sizeof(*versions));

    for (size_t i = 0; i < rows->count; i++) {
        versions[i].row = rows->rows[i];
        versions[i].tag = rows->rows[i].count > 0 ? rows->tags.items[rows->rows[i].first].tag : "";
    }
    qsort(versions, rows->count, sizeof(*versions), compare_versions);
    for (size_t i = 0; i < rows->count; i++) {
        rows->rows[i] = versions[i].row;
    }
    free(versions);
}

static struct row_of_tags *rows_add(struct rows *rows, const struct digest *digest)
{
    if (rows->count == rows->capacity) {
        rows->capacity = rows->capacity ? 2 * rows->capacity : 64;
        rows->rows = memory_resize(rows->rows, rows->capacity, sizeof(*rows->rows));
    }
    rows->rows[rows->count] = (struct row_of_tags){.digest = *digest};
    return &rows->rows[rows->count++];
}

/* Takes out what tools have put there. */
static void drop_marks(struct rows *rows)
{
    size_t kept = 0;

    for (size_t i = 0; i < rows->tags.count; i++) {
        if (!portrait_tag_is_mark(rows->tags.items[i].tag)) {
            rows->tags.items[kept++] = rows->tags.items[i];
        }
    }
    rows->tags.count = kept;
    rows->tag_count = kept;
}

/* A row of the tags from `first` to `end`, if it is one of those that are asked for. */
static void rows_consider(struct rows *rows, const struct rows_query *query, size_t first,
                          size_t end)
{
    bool is_wanted = *query->filter == '\0';
    bool is_commit = true;
    struct row_of_tags *row;

    for (size_t i = first; i < end; i++) {
        is_wanted = is_wanted || strstr(rows->tags.items[i].tag, query->filter);
        is_commit = is_commit && rows_tag_is_commit(rows->tags.items[i].tag);
    }
    if (is_commit && !query->with_commits && *query->filter == '\0') {
        rows->commits++;
        return;
    }
    if (!is_wanted) {
        return;
    }
    row = rows_add(rows, &rows->tags.items[first].digest);
    row->first = first;
    row->count = end - first;
    for (size_t i = first; i < end; i++) {
        int64_t moved = rows->tags.items[i].moved;

        row->moved = moved > row->moved ? moved : row->moved;
    }
}

static bool rows_has_tag(const struct rows *rows, const struct digest *digest)
{
    size_t low = 0;
    size_t high = rows->tags.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(rows->tags.items[middle].digest.text, digest->text);

        if (order == 0) {
            return true;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return false;
}

static int rows_add_untagged(struct rows *rows, const struct repository *repository,
                             struct error *error)
{
    AUTO_LINK_WALK struct link_walk walk = link_walk_begin(repository, LINK_REVISION);
    struct digest digest;
    enum walk_result found;
    size_t looked = 0;

    while ((found = link_walk_next(&walk, &digest, error)) != WALK_END && looked < ROWS_UNTAGGED) {
        if (found == WALK_FAILED) {
            return -1;
        }
        looked++;
        if (found == WALK_FOUND && !rows_has_tag(rows, &digest)) {
            (void)rows_add(rows, &digest);
        }
    }
    rows->is_cut = rows->is_cut || found != WALK_END;
    return 0;
}

int rows_read(const struct repository *repository, const struct rows_query *query, struct rows *out,
              struct error *error)
{
    AUTO_ROWS struct rows rows = ROWS_INIT;
    size_t first = 0;

    if (tagged_list_read(repository, ROWS_TAGS, &rows.tags, error) < 0) {
        return -1;
    }
    rows.is_cut = rows.tags.is_cut;
    drop_marks(&rows);
    if (rows.tags.count > 1) {
        qsort(rows.tags.items, rows.tags.count, sizeof(*rows.tags.items), compare_tags);
    }
    for (size_t i = 0; i < rows.tags.count; i++) {
        bool is_last = i + 1 == rows.tags.count || strcmp(rows.tags.items[i].digest.text,
                                                          rows.tags.items[i + 1].digest.text) != 0;

        if (is_last) {
            rows_consider(&rows, query, first, i + 1);
            first = i + 1;
        }
    }
    if (query->with_untagged && rows_add_untagged(&rows, repository, error) < 0) {
        return -1;
    }
    if (rows.count > 1 && query->order == ROWS_BY_VERSION) {
        sort_by_version(&rows);
    } else if (rows.count > 1) {
        qsort(rows.rows, rows.count, sizeof(*rows.rows), compare_moved);
    }
    *out = rows;
    rows = (struct rows)ROWS_INIT;
    return 0;
}
