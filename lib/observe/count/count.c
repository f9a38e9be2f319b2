/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/count/count.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/observe/count/counters.h"

enum { LOOK_AFTER = 1024 }; /* requests between two looks at the file */

/* Nothing else has to be seen in the order in which it is counted. */
static void count_add(counter *where, uint64_t number)
{
    if (number > 0) {
        atomic_fetch_add_explicit(where, number, memory_order_relaxed);
    }
}

static enum counted_method count_method(const char *name)
{
    enum counted_method method = COUNTED_METHOD_GET;

    while (method < COUNTED_METHOD_OTHER && strcmp(counted_method_words[method], name) != 0) {
        method++;
    }
    return method;
}

static enum counted_class count_class(int status)
{
    return status < 300   ? COUNTED_CLASS_2XX
           : status < 400 ? COUNTED_CLASS_3XX
           : status < 500 ? COUNTED_CLASS_4XX
                          : COUNTED_CLASS_5XX;
}

/*
 * Today's numbers. What is there is of so many days ago the first time: it goes before the day is
 * written, so that nobody who is killed in between leaves old numbers under a new day. Two at the
 * same time may lose each other's first additions.
 */
static struct day_tally *count_today(struct tally *tally)
{
    uint64_t number = clock_day();
    struct day_tally *day = &tally->days[number % COUNTED_DAYS];

    if (atomic_load_explicit(&day->number, memory_order_acquire) != number) {
        for (size_t i = 0; i < DAILY_COUNT; i++) {
            atomic_store_explicit(&day->values[i], 0, memory_order_relaxed);
        }
        atomic_store_explicit(&day->number, number, memory_order_release);
    }
    return day;
}

static void count_request_today(struct tally *tally, const struct counted_request *request,
                                enum counted_method method)
{
    struct day_tally *day = count_today(tally);
    bool is_manifest = request->route == COUNTED_MANIFEST;

    count_add(&day->values[DAILY_REQUESTS], 1);
    count_add(&day->values[DAILY_SERVED], request->sent);
    count_add(&day->values[DAILY_PROXIED], request->upstream ? request->sent : 0);
    count_add(&day->values[DAILY_PULLS],
              is_manifest && method == COUNTED_METHOD_GET && request->status == 200);
    count_add(&day->values[DAILY_PUSHES],
              is_manifest && method == COUNTED_METHOD_PUT && request->status == 201);
}

void count_request(const struct counted_request *request)
{
    static unsigned since_look;
    struct tally *tally = counters_tally();
    enum counted_method method = count_method(request->method);

    count_add(&tally->requests[request->route][method][count_class(request->status)], 1);
    histogram_add(&tally->durations[request->route], request->microseconds);
    count_add(&tally->bytes[WAY_RECEIVED], request->received);
    count_add(&tally->bytes[request->is_handed_over ? WAY_HANDED_OVER : WAY_SENT], request->sent);
    if (request->upstream) {
        count_add(&tally->upstreams[counters_upstream(request->upstream)].served, request->sent);
    }
    count_request_today(tally, request, method);
    if (++since_look >= LOOK_AFTER || counters_are_lost()) {
        since_look = 0;
        counters_look_after();
    }
}

static struct upstream_tally *count_upstream(const char *name)
{
    return &counters_tally()->upstreams[counters_upstream(name)];
}

void count_look(const char *upstream, enum counted_thing thing, enum counted_look look)
{
    count_add(&count_upstream(upstream)->looks[thing][look], 1);
}

void count_fill(const char *upstream, enum counted_fill fill)
{
    count_add(&count_upstream(upstream)->fills[fill], 1);
}

void count_fetched(const char *upstream, uint64_t bytes)
{
    count_add(&count_upstream(upstream)->fetched, bytes);
    count_add(&count_today(counters_tally())->values[DAILY_FETCHED], bytes);
}

static enum counted_answer count_answer_kind(int status)
{
    return status < 200    ? COUNTED_ANSWER_NONE
           : status < 300  ? COUNTED_ANSWER_2XX
           : status < 400  ? COUNTED_ANSWER_3XX
           : status == 429 ? COUNTED_ANSWER_429
           : status < 500  ? COUNTED_ANSWER_4XX
                           : COUNTED_ANSWER_5XX;
}

void count_answer(const char *upstream, int status, uint64_t microseconds)
{
    struct upstream_tally *tally = count_upstream(upstream);

    count_add(&tally->answers[count_answer_kind(status)], 1);
    if (status > 0) {
        histogram_add(&tally->first_byte, microseconds);
    }
}

void count_login(enum counted_login login)
{
    count_add(&counters_tally()->logins[login], 1);
}
