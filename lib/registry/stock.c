/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/registry/stock.h"

#include <string.h>
#include <sys/statvfs.h>

#include "lib/base/cleanup.h"
#include "lib/base/memory.h"

/* Whether nothing of the names that there are can be hidden from this caller. */
static bool sees_all(const struct caller *caller)
{
    const struct access_options *access = &caller->options->access;

    return !*caller->prefix &&
           (access->mode == ACCESS_NONE ||
            (access->rules.section_count == 0 && caller->subject.kind != SUBJECT_ANONYMOUS &&
             !caller->subject.is_scoped && !*caller->subject.narrowed_names));
}

static void stock_read_traffic(const struct registry *registry, struct stock *stock)
{
    AUTO_FREE struct totals *totals = memory_allocate(1, sizeof(*totals));
    struct error ignored;

    stock->is_served = totals_read(registry->options->metrics.hosts, totals, &ignored) > 0;
    if (stock->is_served) {
        memcpy(stock->days, totals->days, sizeof(stock->days));
    }
}

int stock_take(const struct registry *registry, const struct permit *permit, struct stock *out)
{
    const struct store *store = &registry->hosted;
    struct stock stock = {.disk = 0};
    struct error ignored;
    struct statvfs status;

    if (permit_check(permit, PERMISSION_LIST, &ignored) < 0 || !sees_all(permit_caller(permit))) {
        return 0;
    }
    if (fstatvfs(store->root, &status) == 0) {
        stock.disk = (uint64_t)status.f_blocks * status.f_frsize;
        stock.free = (uint64_t)status.f_bavail * status.f_frsize;
    }
    stock.is_counted = census_read(store, &stock.census, &stock.counted_ago, &ignored) > 0;
    stock.has_collected = chore_read(store, CHORE_COLLECT, &stock.collected, &ignored) > 0;
    stock.has_checked = chore_read(store, CHORE_CHECK, &stock.checked, &ignored) > 0;
    stock_read_traffic(registry, &stock);
    *out = stock;
    return 1;
}
