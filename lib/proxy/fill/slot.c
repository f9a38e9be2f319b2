/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/fill/slot.h"

#include <stdio.h>
#include <unistd.h>

/* Names the directory of this host's slots. */
static void slot_host(char *out, size_t size)
{
    if (gethostname(out, size) < 0 || !*out || *out == '.') {
        (void)snprintf(out, size, "host");
    }
    out[size - 1] = '\0';
    for (char *c = out; *c; c++) {
        *c = *c == '/' ? '_' : *c;
    }
}

/* Where to look first: elsewhere each time, or all would look at those first that others have. Not
 * anywhere: each is a file. */
static uint64_t slot_start(uint64_t maximum)
{
    enum { SPREAD = 16 };
    static uint64_t turn;

    turn++;
    return ((uint64_t)getpid() + turn) % (maximum < SPREAD ? maximum : SPREAD);
}

static int slot_take_one(struct lock *lock, const struct store *store, const char *group,
                         uint64_t maximum, struct error *error)
{
    char host[65];
    uint64_t start;
    bool has_room = true;

    slot_host(host, sizeof(host));
    start = maximum > 0 ? slot_start(maximum) : 0;
    for (uint64_t i = 0; i < maximum; i++) {
        struct path path = layout_slot(host, group, (unsigned)((start + i) % maximum));
        struct file_place place = {store->root, path.text};

        switch (lock_take_or_make(lock, place, LOCK_TRY, error)) {
        case LOCK_TAKEN:
            return 1;
        case LOCK_FAILED:
            if (error->code != ERROR_NO_SPACE) {
                return -1;
            }
            has_room = false; /* for a new file: one of those that are there will do */
            break;
        case LOCK_ABSENT:
        case LOCK_BUSY:
            break;
        }
    }
    return has_room ? 0 : -1;
}

int slot_take(struct slot *slot, enum slot_kind kind, const struct upstream *upstream,
              struct error *error)
{
    const char *kind_name = kind == SLOT_WAITING ? "waiting" : "filling";
    uint64_t maximum = upstream->options->maximum_waiting;
    struct path all = layout_below(kind_name, "_all");
    struct path one = layout_below(kind_name, upstream->name);
    int taken = slot_take_one(&slot->all, upstream->store, all.text, maximum, error);

    if (taken > 0) {
        taken = slot_take_one(&slot->upstream, upstream->store, one.text, (maximum + 1) / 2, error);
    }
    if (taken <= 0) {
        slot_release(slot);
    }
    return taken;
}

void slot_release(struct slot *slot)
{
    lock_release(&slot->all);
    lock_release(&slot->upstream);
}
