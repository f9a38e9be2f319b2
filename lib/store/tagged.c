/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/tagged.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/directory.h"
#include "lib/base/memory.h"
#include "lib/store/link.h"
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

/* 1; 0 if there are no tags; -1. Paths below it are short, which counts where there are thousands.
 */
static int tagged_open(const struct repository *repository, struct directory *out,
                       struct error *error)
{
    return walk_open(out, repository->store, layout_tags(repository->name).text, error);
}

/* 1, 0 if it has gone or stands for nothing, -1. */
static int tagged_read(const struct directory *directory, const char *tag, struct tagged *out,
                       struct error *error)
{
    struct path path = layout_tag_current_within(tag);
    int above = directory_descriptor(directory);
    struct stat status;
    int found = link_read_at(above, path.text, &out->digest, error);

    if (found > 0) {
        (void)snprintf(out->tag, sizeof(out->tag), "%s", tag);
        out->moved = fstatat(above, path.text, &status, 0) == 0 ? status.st_mtim.tv_sec : 0;
    }
    return found;
}

/* Sorted. 0, -1. */
static int tagged_list_names(struct directory *directory, struct names *out, struct error *error)
{
    const char *entry;
    int result;

    while ((result = directory_next(directory, &entry, error)) > 0) {
        if (tag_is_valid(entry)) {
            names_add(out, entry);
        }
    }
    names_sort(out);
    return result;
}

int tagged_list_read(const struct repository *repository, size_t limit, struct tagged_list *out,
                     struct error *error)
{
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    AUTO_TAGGED_LIST struct tagged_list list = TAGGED_LIST_INIT;
    AUTO_NAMES struct names names = NAMES_INIT;
    int opened = tagged_open(repository, &directory, error);

    if (opened < 0 || (opened > 0 && tagged_list_names(&directory, &names, error) < 0)) {
        return -1;
    }
    for (size_t i = 0; i < names.count && !list.is_cut; i++) {
        struct tagged item;
        int found = 0;

        list.is_cut = list.count == limit;
        if (!list.is_cut) {
            found = tagged_read(&directory, names.names[i], &item, error);
        }
        if (found < 0) {
            return -1;
        }
        if (found > 0) {
            tagged_list_add(&list, &item);
        }
    }
    *out = list;
    list = (struct tagged_list)TAGGED_LIST_INIT;
    return 0;
}

int tagged_visit(const struct repository *repository,
                 void (*visit)(void *context, const char *tag, const struct digest *digest),
                 void *context, struct error *error)
{
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    int result = tagged_open(repository, &directory, error);
    const char *entry;

    while (result > 0 && (result = directory_next(&directory, &entry, error)) > 0) {
        struct digest digest;
        int read = tag_is_valid(entry)
                       ? link_read_at(directory_descriptor(&directory),
                                      layout_tag_current_within(entry).text, &digest, error)
                       : 0;

        if (read < 0) {
            return -1;
        }
        if (read > 0) {
            visit(context, entry, &digest);
        }
    }
    return result;
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
