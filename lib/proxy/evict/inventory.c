/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/evict/inventory.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/store/walk.h"

void inventory_release(struct inventory *inventory)
{
    free(inventory->items);
    inventory->items = NULL;
    inventory->count = 0;
    inventory->capacity = 0;
}

void passed_add(struct passed *passed, const struct error *why)
{
    if (passed->count++ == 0) {
        passed->why = *why;
    }
}

static int inventory_compare(const void *left, const void *right)
{
    const struct inventory_item *one = left;
    const struct inventory_item *other = right;

    return strcmp(one->digest.text, other->digest.text);
}

static void inventory_add(struct inventory *inventory, const struct inventory_item *item)
{
    if (inventory->count == inventory->capacity) {
        inventory->capacity = inventory->capacity ? inventory->capacity * 2 : 1024;
        inventory->items =
            memory_resize(inventory->items, inventory->capacity, sizeof(*inventory->items));
    }
    inventory->items[inventory->count++] = *item;
    inventory->room += item->status.room;
}

uint64_t inventory_inodes(const struct inventory_item *item)
{
    enum { FILE_AND_DIRECTORY = 2 };

    return FILE_AND_DIRECTORY * ((uint64_t)item->links + 1 + !item->is_manifest);
}

void inventory_step(struct inventory *inventory)
{
    enum { OFTEN = 1000 }; /* milliseconds */
    int64_t now = inventory->held ? clock_milliseconds() : 0;

    if (inventory->held && now - inventory->shown >= OFTEN) {
        lock_refresh(inventory->held);
        inventory->shown = now;
    }
}

struct inventory_item *inventory_find(const struct inventory *inventory,
                                      const struct digest *digest)
{
    struct inventory_item wanted = {.digest = *digest};

    return inventory->count > 0 ? bsearch(&wanted, inventory->items, inventory->count,
                                          sizeof(wanted), inventory_compare)
                                : NULL;
}

static int inventory_take_blobs(const struct cache *cache, struct inventory *out,
                                struct error *error)
{
    AUTO_BLOB_WALK struct blob_walk walk = blob_walk_begin(cache->store);
    struct inventory_item item = {.is_gone = false};
    enum walk_result result;

    walk.passes_closed = true;
    while ((result = blob_walk_next(&walk, &item.digest, error)) > 0) {
        int found = result == WALK_FOUND
                        ? blob_inspect(cache->store, &item.digest, &item.status, error)
                        : 0;

        inventory_step(out);
        if (found < 0) {
            passed_add(&out->passed, error);
        } else if (walk.closed.message[0]) {
            passed_add(&out->passed, &walk.closed);
        } else if (found > 0) {
            inventory_add(out, &item);
        } else if (result == WALK_FOUND && out->is_tidy) {
            struct blob_status none = {.inode = 0};

            (void)blob_drop(cache, &item.digest, &none, error);
        }
    }
    return (int)result;
}

static int inventory_mark_links(struct inventory *inventory, const struct repository *repository,
                                enum link_kind kind, struct error *error)
{
    AUTO_LINK_WALK struct link_walk walk = link_walk_begin(repository, kind);
    struct digest digest;
    enum walk_result result;

    while ((result = link_walk_next(&walk, &digest, error)) > 0) {
        struct inventory_item *item =
            result == WALK_FOUND ? inventory_find(inventory, &digest) : NULL;

        inventory_step(inventory);
        if (item) {
            item->links++;
            item->is_manifest |= kind == LINK_REVISION;
        }
    }
    return (int)result;
}

int inventory_take(const struct cache *cache, struct inventory *out, struct error *error)
{
    AUTO_REPOSITORY_WALK struct repository_walk walk =
        repository_walk_begin(cache->store, "", NULL);
    struct repository repository;
    enum walk_result result;

    if (inventory_take_blobs(cache, out, error) < 0) {
        return -1;
    }
    if (out->count > 0) {
        qsort(out->items, out->count, sizeof(*out->items), inventory_compare);
    }
    walk.passes_closed = true;
    while ((result = repository_walk_next(&walk, &repository, error)) > 0) {
        if (walk.closed.message[0]) {
            passed_add(&out->passed, &walk.closed);
        } else if (result == WALK_FOUND &&
                   (inventory_mark_links(out, &repository, LINK_LAYER, error) < 0 ||
                    inventory_mark_links(out, &repository, LINK_REVISION, error) < 0)) {
            passed_add(&out->passed, error);
        }
    }
    return (int)result;
}
