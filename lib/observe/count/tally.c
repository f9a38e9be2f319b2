/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/count/tally.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/names.h"
#include "lib/base/text.h"

const char *const counted_route_words[COUNTED_ROUTES] = {
    [COUNTED_BASE] = "base",     [COUNTED_TOKEN] = "token",         [COUNTED_CATALOG] = "catalog",
    [COUNTED_BLOB] = "blob",     [COUNTED_UPLOAD] = "upload",       [COUNTED_MANIFEST] = "manifest",
    [COUNTED_TAGS] = "tags",     [COUNTED_REFERRERS] = "referrers", [COUNTED_METRICS] = "metrics",
    [COUNTED_HEALTH] = "health", [COUNTED_PAGE] = "page",           [COUNTED_OTHER] = "other",
};

const char *const counted_method_words[COUNTED_METHOD_COUNT] = {
    [COUNTED_METHOD_GET] = "GET",     [COUNTED_METHOD_HEAD] = "HEAD",
    [COUNTED_METHOD_POST] = "POST",   [COUNTED_METHOD_PUT] = "PUT",
    [COUNTED_METHOD_PATCH] = "PATCH", [COUNTED_METHOD_DELETE] = "DELETE",
    [COUNTED_METHOD_OTHER] = "other",
};

const char *const counted_class_words[COUNTED_CLASS_COUNT] = {
    [COUNTED_CLASS_2XX] = "2xx",
    [COUNTED_CLASS_3XX] = "3xx",
    [COUNTED_CLASS_4XX] = "4xx",
    [COUNTED_CLASS_5XX] = "5xx",
};

const char *const counted_way_words[WAY_COUNT] = {
    [WAY_RECEIVED] = "received",
    [WAY_SENT] = "sent",
    [WAY_HANDED_OVER] = "handed_over",
};

const char *const counted_look_words[LOOK_COUNT] = {
    [LOOK_HIT] = "hit",
    [LOOK_MISS] = "miss",
    [LOOK_STALE] = "stale",
    [LOOK_PASSED] = "passed",
};

const char *const counted_thing_words[THING_COUNT] = {
    [THING_MANIFEST] = "manifest",
    [THING_BLOB] = "blob",
};

const char *const counted_fill_words[COUNTED_FILL_COUNT] = {
    [COUNTED_FILL_BEGUN] = "begun",
    [COUNTED_FILL_RESUMED] = "resumed",
    [COUNTED_FILL_DONE] = "done",
    [COUNTED_FILL_GIVEN_UP] = "failed",
};

const char *const counted_answer_words[COUNTED_ANSWER_COUNT] = {
    [COUNTED_ANSWER_2XX] = "2xx", [COUNTED_ANSWER_3XX] = "3xx", [COUNTED_ANSWER_4XX] = "4xx",
    [COUNTED_ANSWER_429] = "429", [COUNTED_ANSWER_5XX] = "5xx", [COUNTED_ANSWER_NONE] = "none",
};

const char *const counted_login_words[COUNTED_LOGIN_COUNT] = {
    [COUNTED_LOGIN_OK] = "ok",
    [COUNTED_LOGIN_REFUSED] = "refused",
    [COUNTED_LOGIN_THROTTLED] = "throttled",
};

static const char *const daily_words[DAILY_COUNT] = {
    [DAILY_REQUESTS] = "requests", [DAILY_SERVED] = "served", [DAILY_PROXIED] = "proxied",
    [DAILY_FETCHED] = "fetched",   [DAILY_PULLS] = "pulls",   [DAILY_PUSHES] = "pushes",
};

/* From a small answer of a worker to the last PUT of a layer of 100 GB. */
static const uint64_t histogram_limits[HISTOGRAM_BUCKETS] = {
    500,    1000,   2500,    5000,    10000,    25000,    50000,     100000,
    250000, 500000, 1000000, 2500000, 10000000, 60000000, 600000000, UINT64_MAX,
};

uint64_t histogram_limit(size_t bucket)
{
    return histogram_limits[bucket];
}

void histogram_add(struct histogram *histogram, uint64_t microseconds)
{
    size_t bucket = 0;

    while (microseconds > histogram_limits[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&histogram->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->microseconds, microseconds, memory_order_relaxed);
}

/* A name as the numbers that it is kept in. */
struct tally_name {
    uint64_t parts[COUNTED_NAME / sizeof(uint64_t)];
};

static struct tally_name tally_name_of(const char *name)
{
    struct tally_name out = {.parts = {0}};

    (void)snprintf((char *)out.parts, sizeof(out.parts), "%s", name);
    return out;
}

static struct tally_name tally_name_at(const struct tally *tally, size_t place)
{
    struct tally_name out;

    for (size_t i = 0; i < COUNTED_NAME / sizeof(uint64_t); i++) {
        out.parts[i] = tally->names[place][i];
    }
    return out;
}

static bool tally_name_is(const struct tally *tally, size_t place, const char *name)
{
    struct tally_name there = tally_name_at(tally, place);
    struct tally_name wanted = tally_name_of(name);

    return memcmp(&there, &wanted, sizeof(there)) == 0;
}

void tally_read_name(const struct tally *tally, size_t place, char out[COUNTED_NAME])
{
    struct tally_name name = tally_name_at(tally, place);

    memcpy(out, name.parts, COUNTED_NAME);
    out[COUNTED_NAME - 1] = '\0';
}

size_t tally_find_place(const struct tally *tally, const char *name)
{
    size_t place = 0;

    while (place < COUNTED_OTHERS && !tally_name_is(tally, place, name)) {
        place++;
    }
    return strlen(name) < COUNTED_NAME ? place : COUNTED_OTHERS;
}

static bool tally_is_wanted(const struct tally *tally, size_t place, const struct names *wanted)
{
    for (size_t i = 0; i < wanted->count; i++) {
        if (tally_name_is(tally, place, wanted->names[i])) {
            return true;
        }
    }
    return false;
}

void tally_give_place(struct tally *tally, const char *name, const struct names *wanted)
{
    struct tally_name parts = tally_name_of(name);
    size_t place = tally_find_place(tally, "");

    if (strlen(name) >= COUNTED_NAME || tally_find_place(tally, name) < COUNTED_OTHERS) {
        return;
    }
    for (size_t i = 0; place == COUNTED_OTHERS && i < COUNTED_OTHERS; i++) {
        place = tally_is_wanted(tally, i, wanted) ? place : i;
    }
    if (place == COUNTED_OTHERS) {
        return;
    }
    memset((void *)&tally->upstreams[place], 0, sizeof(tally->upstreams[place]));
    for (size_t i = 0; i < COUNTED_NAME / sizeof(uint64_t); i++) {
        tally->names[place][i] = parts.parts[i];
    }
}

/* Words that a member's numbers have, in their order. */
struct tally_words {
    const char *const *words;
    size_t count;
};

/* A member: what makes it the same in another layout is name, size and words. */
struct tally_row {
    const char *name;
    size_t offset;
    size_t size;
    struct tally_words words[3];
};

#define ROW(member) #member, offsetof(struct tally, member), sizeof(((struct tally *)0)->member)
#define WORDS(the_words)                                                                           \
    {                                                                                              \
        (the_words), sizeof(the_words) / sizeof(*(the_words))                                      \
    }

/* Another number if what is named here means something else than before: the limits of the buckets.
 */
#define TALLY_MARK "berth counters 1 "

static const struct tally_row tally_rows[] = {
    {ROW(requests),
     {WORDS(counted_route_words), WORDS(counted_method_words), WORDS(counted_class_words)}},
    {ROW(durations), {WORDS(counted_route_words)}},
    {ROW(bytes), {WORDS(counted_way_words)}},
    {ROW(logins), {WORDS(counted_login_words)}},
    {ROW(upstreams),
     {WORDS(counted_look_words), WORDS(counted_fill_words), WORDS(counted_answer_words)}},
    {ROW(days), {WORDS(daily_words)}},
    {ROW(names), {{NULL, 0}}},
    /* Not the presences: they are of processes that count elsewhere. */
};

enum { ROWS = sizeof(tally_rows) / sizeof(*tally_rows) };

/* The line of a row up to its offset. */
static void tally_describe_row(const struct tally_row *row, struct buffer *out)
{
    buffer_format(out, "\n%s", row->name);
    for (size_t i = 0; i < sizeof(row->words) / sizeof(*row->words); i++) {
        for (size_t j = 0; j < row->words[i].count; j++) {
            buffer_format(out, "%c%s", j == 0 ? ' ' : ',', row->words[i].words[j]);
        }
    }
    buffer_format(out, " %zu ", row->size);
}

void tally_describe(struct buffer *out)
{
    size_t end = out->length + TALLY_HEAD;

    buffer_format(out, TALLY_MARK "%zu", sizeof(struct tally));
    for (size_t i = 0; i < ROWS; i++) {
        tally_describe_row(&tally_rows[i], out);
        buffer_format(out, "%zu\n", tally_rows[i].offset);
    }
    while (out->length < end) {
        buffer_add(out, "", 1);
    }
}

/* Where a member is in a file of another layout. False if there is none that is the same. */
static bool tally_find_row(const struct tally_row *row, const struct buffer *head,
                           uint64_t *out_offset)
{
    AUTO_BUFFER struct buffer line = BUFFER_INIT;
    const char *found;

    tally_describe_row(row, &line);
    found = strstr(head->data, line.data);
    if (!found) {
        return false;
    }
    found += line.length;
    return text_number(found, strcspn(found, "\n"), out_offset);
}

size_t tally_carry_over(struct tally *tally, const struct buffer *file)
{
    AUTO_BUFFER struct buffer head = BUFFER_INIT;
    size_t carried = 0;

    if (file->length < TALLY_HEAD || !text_begins(file->data, TALLY_MARK)) {
        return 0;
    }
    buffer_add(&head, file->data, TALLY_HEAD);
    for (size_t i = 0; i < ROWS; i++) {
        const struct tally_row *row = &tally_rows[i];
        uint64_t offset;

        if (tally_find_row(row, &head, &offset) && offset <= file->length - TALLY_HEAD &&
            row->size <= file->length - TALLY_HEAD - offset) {
            memcpy((char *)tally + row->offset, file->data + TALLY_HEAD + offset, row->size);
            carried++;
        }
    }
    return carried;
}
