/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/names.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"

static int names_compare(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

void names_add(struct names *names, const char *name)
{
    if (names->count == names->capacity) {
        names->capacity = names->capacity ? names->capacity * 2 : 16;
        names->names = memory_resize(names->names, names->capacity, sizeof(*names->names));
    }
    names->names[names->count++] = memory_text(name);
}

void names_swap(struct names *names, size_t one, size_t other)
{
    char *name = names->names[one];

    names->names[one] = names->names[other];
    names->names[other] = name;
}

void names_replace(struct names *names, size_t place, const char *name)
{
    free(names->names[place]);
    names->names[place] = memory_text(name);
}

void names_cut(struct names *names, size_t count)
{
    while (names->count > count) {
        free(names->names[--names->count]);
    }
}

void names_sort(struct names *names)
{
    if (names->count > 1) {
        qsort(names->names, names->count, sizeof(*names->names), names_compare);
    }
}

size_t names_find(const struct names *names, const char *text)
{
    size_t low = 0;
    size_t high = names->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(names->names[middle], text) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool names_sorted_have(const struct names *names, const char *name)
{
    size_t place = names_find(names, name);

    return place < names->count && strcmp(names->names[place], name) == 0;
}

void names_release(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->names[i]);
    }
    free(names->names);
    *names = (struct names)NAMES_INIT;
}
