/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/ask/health.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/store/memo.h"

enum {
    DOWN_SECONDS = 10,        /* how long a failure is remembered */
    RETRY_LIMIT = 3600,       /* the longest Retry-After that is believed */
    LIMIT_FLOOR_PERCENT = 10, /* of the rate limit: below it, it is being saved */
    LIMIT_SECONDS = 3600,     /* how long that figure is believed */
};

/* The memo has the lines: until when (seconds since the epoch), error code, message. */
struct trouble {
    time_t until;
    enum error_code code;
    struct buffer message;
};

static struct file_place health_place(const struct store *store, const struct path *path)
{
    return (struct file_place){store->root, path->text};
}

/* 1 if there was trouble, perhaps long ago; 0, also when the clock has gone back since, or nobody
 * can have meant what is written there. */
static int trouble_read(struct store *store, const char *upstream, struct trouble *out)
{
    struct path path = layout_upstream(upstream, "trouble");
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    struct error ignored;
    uint64_t age;
    uint64_t until;
    uint64_t code;

    if (memo_read(health_place(store, &path), &memo, &age, &ignored) <= 0 || age == UINT64_MAX) {
        return 0;
    }
    if (!memo_number(&memo, 0, &until) || !memo_number(&memo, 1, &code) ||
        until > (uint64_t)clock_date() + RETRY_LIMIT) {
        return 0;
    }
    memo_line(&memo, 2, &out->message);
    out->until = (time_t)until;
    out->code = report_code(code);
    return 1;
}

/* Clients that all come back at the same second would only be refused again. */
static unsigned health_jittered(time_t seconds)
{
    unsigned base = seconds > 0 ? (unsigned)seconds : 1;

    return base + arc4random_uniform(base / 2 + 2);
}

static int trouble_explain(const struct trouble *trouble, const char *upstream,
                           struct report *report, struct error *error)
{
    time_t left = trouble->until - clock_date();

    report->retry_after = health_jittered(left);
    report_failure(report, upstream, 0, trouble->message.data);
    return error_set(error, trouble->code, "%s", trouble->message.data);
}

bool health_is_bad(struct store *store, const char *upstream)
{
    struct trouble trouble = {.message = BUFFER_INIT};
    bool bad = trouble_read(store, upstream, &trouble) > 0 && trouble.until > clock_date();

    buffer_release(&trouble.message);
    return bad;
}

bool health_explain(struct store *store, const char *upstream, struct buffer *out_message,
                    uint64_t *out_seconds)
{
    struct trouble trouble = {.message = BUFFER_INIT};
    time_t now = clock_date();
    bool bad = trouble_read(store, upstream, &trouble) > 0 && trouble.until > now;

    if (bad) {
        buffer_add(out_message, trouble.message.data, trouble.message.length);
        *out_seconds = (uint64_t)(trouble.until - now);
    }
    buffer_release(&trouble.message);
    return bad;
}

int health_check(const struct upstream *upstream, struct lock *probe, struct report *report,
                 struct error *error)
{
    struct path path = layout_upstream(upstream->name, "probe");
    struct file_place place = health_place(upstream->store, &path);
    uint64_t patience = (uint64_t)upstream_patience(upstream) / 1000;
    struct trouble trouble = {.message = BUFFER_INIT};
    struct error ignored;
    int result = 0;

    if (trouble_read(upstream->store, upstream->name, &trouble) > 0 &&
        (trouble.until > clock_date() ||
         lock_take_or_replace(probe, place, patience, &ignored) == LOCK_BUSY)) {
        result = trouble_explain(&trouble, upstream->name, report, error);
    }
    buffer_release(&trouble.message);
    return result;
}

void health_record(struct store *store, const char *upstream, const struct error *error,
                   unsigned retry_after)
{
    struct path path = layout_upstream(upstream, "trouble");
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    unsigned seconds = retry_after > 0 ? retry_after : DOWN_SECONDS;
    struct error ignored;

    seconds = seconds < RETRY_LIMIT ? seconds : RETRY_LIMIT;
    buffer_format(&memo, "%" PRIu64 "\n%u\n%s\n", (uint64_t)clock_date() + seconds,
                  (unsigned)error->code, error->message);
    (void)memo_write(store, health_place(store, &path), &memo, &ignored);
}

void health_clear(struct store *store, const char *upstream)
{
    struct path path = layout_upstream(upstream, "trouble");

    memo_forget(health_place(store, &path));
}

/* "76;w=21600" and the like: the number in front. */
static bool health_limit_header(const struct http_transfer *transfer, const char *name,
                                uint64_t *out)
{
    AUTO_BUFFER struct buffer value = BUFFER_INIT;

    return http_header(transfer, name, 0, &value) &&
           text_number(value.data, strcspn(value.data, ";, "), out);
}

void health_record_limit(struct store *store, const char *upstream,
                         const struct http_transfer *transfer)
{
    struct path path = layout_upstream(upstream, "ratelimit");
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    struct error ignored;
    uint64_t limit;
    uint64_t remaining;

    if (health_limit_header(transfer, "ratelimit-limit", &limit) &&
        health_limit_header(transfer, "ratelimit-remaining", &remaining)) {
        buffer_format(&memo, "%" PRIu64 "\n%" PRIu64 "\n", remaining, limit);
        (void)memo_write(store, health_place(store, &path), &memo, &ignored);
    }
}

bool health_find_limit(const struct store *store, const char *upstream, struct health_limit *out)
{
    struct path path = layout_upstream(upstream, "ratelimit");
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    struct error ignored;

    return memo_read(health_place(store, &path), &memo, &out->age, &ignored) > 0 &&
           out->age <= LIMIT_SECONDS && memo_number(&memo, 0, &out->remaining) &&
           memo_number(&memo, 1, &out->limit);
}

bool health_is_short(struct store *store, const char *upstream)
{
    struct health_limit limit;

    return health_find_limit(store, upstream, &limit) &&
           limit.remaining * 100 < limit.limit * LIMIT_FLOOR_PERCENT;
}
