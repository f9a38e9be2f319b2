/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/tagged.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/memory.h"
#include "lib/store/walk.h"

void tagged_list_release(struct tagged_list *list)
{
    free(list->items);
    *list = (struct tagged_list)TAGGED_LIST_INIT;
}

static void tagged_list_add(struct tagged_list *list, const struct tagged *item)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 64;
        list->items = memory_resize(list->items, list->capacity, sizeof(*list->items));
    }
    list->items[list->count++] = *item;
}

/* 1, 0 if it has gone or stands for nothing, -1. */
static int tagged_read(const struct repository *repository, const char *tag, struct tagged *out,
                       struct error *error)
{
    struct path path = layout_tag_current(repository->name, tag);
    struct stat status;
    int found = tag_get(repository, tag, &out->digest, error);

    if (found > 0) {
        (void)snprintf(out->tag, sizeof(out->tag), "%s", tag);
        out->moved = fstatat(repository->store->root, path.text, &status, 0) == 0
                         ? status.st_mtim.tv_sec
                         : 0;
    }
    return found;
}

int tagged_list_read(const struct repository *repository, size_t limit, struct tagged_list *out,
                     struct error *error)
{
    AUTO_TAG_WALK struct tag_walk walk = tag_walk_begin(repository, "");
    AUTO_TAGGED_LIST struct tagged_list list = TAGGED_LIST_INIT;
    const char *tag;
    enum walk_result result;

    while ((result = tag_walk_next(&walk, &tag, error)) != WALK_END && list.count < limit) {
        struct tagged item;
        int found = result == WALK_FOUND ? tagged_read(repository, tag, &item, error) : 0;

        if (result == WALK_FAILED || found < 0) {
            return -1;
        }
        if (found > 0) {
            tagged_list_add(&list, &item);
        }
    }
    list.is_cut = result != WALK_END;
    *out = list;
    list = (struct tagged_list)TAGGED_LIST_INIT;
    return 0;
}

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/* Compares the runs of digits that both are at, and moves behind them. */
static int compare_numbers(const char **one, const char **other)
{
    size_t first;
    size_t second;
    int result;

    *one += strspn(*one, "0");
    *other += strspn(*other, "0");
    first = strspn(*one, "0123456789");
    second = strspn(*other, "0123456789");
    result = first != second ? (first < second ? -1 : 1) : strncmp(*one, *other, first);
    *one += first;
    *other += second;
    return result;
}

/* What is behind the end of the other one: "-rc1" makes a version older, ".1" newer. */
static int compare_end(const char *rest)
{
    return *rest == '\0' ? 0 : *rest == '-' ? -1 : 1;
}

int tagged_compare(const char *one, const char *other)
{
    const char *left = one;
    const char *right = other;

    while (*left && *right) {
        if (is_digit(*left) && is_digit(*right)) {
            int result = compare_numbers(&left, &right);

            if (result != 0) {
                return result;
            }
        } else if (*left != *right) {
            return (unsigned char)*left < (unsigned char)*right ? -1 : 1;
        } else {
            left++;
            right++;
        }
    }
    if (*left || *right) {
        return *left ? compare_end(left) : -compare_end(right);
    }
    return strcmp(one, other);
}
