/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/oci/digest_keys.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"

static unsigned char digest_key_digit(char digit)
{
    return (unsigned char)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

struct digest_key digest_key_of(const struct digest *digest)
{
    const char *hex = digest_hex(digest);
    struct digest_key key;

    for (size_t i = 0; i < sizeof(key.bytes); i++) {
        key.bytes[i] =
            (unsigned char)(digest_key_digit(hex[2 * i]) << 4 | digest_key_digit(hex[2 * i + 1]));
    }
    return key;
}

int digest_key_compare(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(struct digest_key));
}

static void digest_count_add(struct digest_count *count, uint32_t times)
{
    if (count->times < UINT32_MAX - times) {
        count->times += times;
    }
}

/* Sorts them, and makes one of twins: so many are left. */
static size_t digest_counts_sort(struct digest_count *counts, size_t count)
{
    size_t kept = 0;

    qsort(counts, count, sizeof(*counts), digest_key_compare);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || digest_key_compare(&counts[kept - 1], &counts[i]) != 0) {
            counts[kept++] = counts[i];
        } else {
            digest_count_add(&counts[kept - 1], counts[i].times);
        }
    }
    return kept;
}

/* Sorts what is not yet, and puts it among the others, from the last on: so none is overwritten
 * that has to be moved. */
static void digest_keys_settle(struct digest_keys *keys)
{
    struct digest_count *all = keys->keys;
    AUTO_FREE struct digest_count *news = NULL;
    size_t added = keys->count - keys->sorted;
    size_t old = keys->sorted;
    size_t place;
    size_t end;

    if (added == 0) {
        return;
    }
    added = digest_counts_sort(all + old, added);
    end = old + added;
    place = end;
    news = memory_allocate(added, sizeof(*news));
    memcpy(news, all + old, added * sizeof(*news));
    while (added > 0) {
        int order = old > 0 ? digest_key_compare(&all[old - 1], &news[added - 1]) : -1;

        if (order == 0) {
            digest_count_add(&all[old - 1], news[--added].times);
        }
        all[--place] = order >= 0 ? all[--old] : news[--added];
    }
    memmove(all + old, all + place, (end - place) * sizeof(*all));
    keys->count = old + end - place;
    keys->sorted = keys->count;
}

/* Before it grows, twins make room: what every repository has is then here once. */
static void digest_keys_make_room(struct digest_keys *keys)
{
    enum { FIRST = 64 };

    if (keys->count < keys->capacity) {
        return;
    }
    digest_keys_settle(keys);
    if (keys->count >= keys->capacity / 2) {
        keys->capacity = keys->capacity ? keys->capacity * 2 : FIRST;
        keys->keys = memory_resize(keys->keys, keys->capacity, sizeof(*keys->keys));
    }
}

void digest_keys_add(struct digest_keys *keys, const struct digest_key *key)
{
    digest_keys_make_room(keys);
    keys->keys[keys->count++] = (struct digest_count){*key, 1};
}

/* Whether so many have been added since the last time that it pays to sort all. */
static bool digest_keys_are_many(const struct digest_keys *keys)
{
    enum { FEW = 64, SHARE = 64 };

    return keys->count - keys->sorted > FEW + keys->sorted / SHARE;
}

uint32_t digest_keys_count(struct digest_keys *keys, const struct digest_key *key)
{
    const struct digest_count *found = NULL;
    uint32_t times;

    if (digest_keys_are_many(keys)) {
        digest_keys_settle(keys);
    }
    if (keys->sorted > 0) {
        found = bsearch(key, keys->keys, keys->sorted, sizeof(*keys->keys), digest_key_compare);
    }
    times = found ? found->times : 0;
    for (size_t i = keys->sorted; i < keys->count; i++) {
        if (digest_key_compare(&keys->keys[i], key) == 0 && times < UINT32_MAX) {
            times++;
        }
    }
    return times;
}

bool digest_keys_have(struct digest_keys *keys, const struct digest_key *key)
{
    return digest_keys_count(keys, key) > 0;
}

void digest_keys_release(struct digest_keys *keys)
{
    free(keys->keys);
    *keys = (struct digest_keys)DIGEST_KEYS_INIT;
}
