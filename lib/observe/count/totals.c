/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/count/totals.h"

#include <fcntl.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/directory.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/observe/count/counters.h"

/* Sums over hosts: what was saved follows from them in the end. */
struct totals_sum {
    struct totals *totals;
    uint64_t proxied[TOTALS_DAYS];
    uint64_t fetched[TOTALS_DAYS];
};

static void totals_add_days(struct totals_sum *sum, const struct tally *tally)
{
    uint64_t today = clock_day();

    for (size_t i = 0; i < COUNTED_DAYS; i++) {
        const struct day_tally *day = &tally->days[i];
        uint64_t ago = today - day->number; /* wraps for one that is ahead */

        if (ago < TOTALS_DAYS) {
            struct totals_day *total = &sum->totals->days[ago];

            total->requests += day->values[DAILY_REQUESTS];
            total->served += day->values[DAILY_SERVED];
            total->pulls += day->values[DAILY_PULLS];
            total->pushes += day->values[DAILY_PUSHES];
            sum->proxied[ago] += day->values[DAILY_PROXIED];
            sum->fetched[ago] += day->values[DAILY_FETCHED];
        }
    }
}

static bool upstream_was_used(const struct upstream_tally *tally)
{
    uint64_t looks = 0;

    for (size_t i = 0; i < (size_t)THING_COUNT * LOOK_COUNT; i++) {
        looks += tally->looks[i / LOOK_COUNT][i % LOOK_COUNT];
    }
    return looks > 0 || tally->served > 0 || tally->fetched > 0;
}

/* The one of that name, which is added if there is room; else the last. */
static struct totals_upstream *totals_find_upstream(struct totals *totals, const char *name)
{
    for (size_t i = 0; i < totals->upstream_count; i++) {
        if (strcmp(totals->upstreams[i].name, name) == 0) {
            return &totals->upstreams[i];
        }
    }
    if (totals->upstream_count < COUNTED_UPSTREAMS) {
        totals->upstream_count++;
        (void)text_copy(totals->upstreams[totals->upstream_count - 1].name, COUNTED_NAME, name,
                        strlen(name));
    }
    return &totals->upstreams[totals->upstream_count - 1];
}

static void totals_add_upstreams(struct totals *totals, const struct tally *tally)
{
    for (size_t i = 0; i < COUNTED_UPSTREAMS; i++) {
        const struct upstream_tally *counted = &tally->upstreams[i];
        struct totals_upstream *total;
        char name[COUNTED_NAME];

        if (!upstream_was_used(counted)) {
            continue;
        }
        tally_read_name(tally, i, name);
        total = totals_find_upstream(totals, name);
        for (size_t thing = 0; thing < THING_COUNT; thing++) {
            for (size_t look = 0; look < LOOK_COUNT; look++) {
                total->looks[look] += counted->looks[thing][look];
            }
        }
        total->served += counted->served;
        total->fetched += counted->fetched;
    }
}

static void totals_finish(struct totals_sum *sum)
{
    struct totals *totals = sum->totals;

    for (size_t i = 0; i < TOTALS_DAYS; i++) {
        totals->days[i].saved =
            sum->proxied[i] > sum->fetched[i] ? sum->proxied[i] - sum->fetched[i] : 0;
    }
    for (size_t i = 0; i < totals->upstream_count; i++) {
        struct totals_upstream *upstream = &totals->upstreams[i];

        upstream->saved =
            upstream->served > upstream->fetched ? upstream->served - upstream->fetched : 0;
    }
}

int totals_read(const char *hosts, struct totals *out, struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    AUTO_FREE struct tally *tally = memory_allocate(1, sizeof(*tally));
    struct totals_sum sum = {.totals = out};
    int found = directory_list(AT_FDCWD, hosts, &names, error);
    bool any = false;

    *out = (struct totals){.upstream_count = 0};
    for (size_t i = 0; found > 0 && i < names.count; i++) {
        AUTO_BUFFER struct buffer path = BUFFER_INIT;
        AUTO_CLOSE int host = -1;

        buffer_format(&path, "%s/%s", hosts, names.names[i]);
        host = open(path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (host < 0 || counters_read(host, tally, error) <= 0) {
            continue; /* of another version, or being made in this moment */
        }
        totals_add_days(&sum, tally);
        totals_add_upstreams(out, tally);
        any = true;
    }
    totals_finish(&sum);
    return found < 0 ? -1 : any;
}
