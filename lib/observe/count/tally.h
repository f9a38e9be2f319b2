/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COUNT_TALLY_H
#define COUNT_TALLY_H

/*
 * What is counted, as it lies in a file that all processes of a host have mapped: numbers of 64
 * bits and nothing else, so that a process that is killed leaves each of them whole, and zeroes are
 * an empty one. Where a number has labels, they are the words of an enumeration here, or the name
 * of an upstream that somebody has configured: never what a client sends.
 *
 * To add something: a member, a row in tally.c, and what writes it to the metrics. A file of before
 * then has another layout, and what is the same in both is carried over.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buffer.h"

/* What was asked for: a family of endpoints. */
enum counted_route {
    COUNTED_BASE,
    COUNTED_TOKEN,
    COUNTED_CATALOG,
    COUNTED_BLOB,
    COUNTED_UPLOAD,
    COUNTED_MANIFEST,
    COUNTED_TAGS,
    COUNTED_REFERRERS,
    COUNTED_METRICS,
    COUNTED_HEALTH,
    COUNTED_PAGE,
    COUNTED_OTHER,
    COUNTED_ROUTES,
};

enum counted_method {
    COUNTED_METHOD_GET,
    COUNTED_METHOD_HEAD,
    COUNTED_METHOD_POST,
    COUNTED_METHOD_PUT,
    COUNTED_METHOD_PATCH,
    COUNTED_METHOD_DELETE,
    COUNTED_METHOD_OTHER,
    COUNTED_METHOD_COUNT,
};

/* Of HTTP statuses. */
enum counted_class {
    COUNTED_CLASS_2XX,
    COUNTED_CLASS_3XX,
    COUNTED_CLASS_4XX,
    COUNTED_CLASS_5XX,
    COUNTED_CLASS_COUNT,
};

/* How bytes went. */
enum counted_way {
    WAY_RECEIVED,    /* bodies of requests */
    WAY_SENT,        /* by a worker itself */
    WAY_HANDED_OVER, /* files that the web server was told to send */
    WAY_COUNT,
};

/* What became of a look into the cache. */
enum counted_look {
    LOOK_HIT,
    LOOK_MISS,   /* the upstream was asked, and what it gave is kept */
    LOOK_STALE,  /* the upstream was in trouble, or being spared */
    LOOK_PASSED, /* what the upstream gave is not kept */
    LOOK_COUNT,
};

enum counted_thing {
    THING_MANIFEST,
    THING_BLOB,
    THING_COUNT,
};

/* Of a fill, which is one download of a blob. */
enum counted_fill {
    COUNTED_FILL_BEGUN,
    COUNTED_FILL_RESUMED, /* of those: with bytes that another process had left */
    COUNTED_FILL_DONE,
    COUNTED_FILL_GIVEN_UP,
    COUNTED_FILL_COUNT,
};

/* What an upstream answered to one request. */
enum counted_answer {
    COUNTED_ANSWER_2XX,
    COUNTED_ANSWER_3XX,
    COUNTED_ANSWER_4XX,
    COUNTED_ANSWER_429,
    COUNTED_ANSWER_5XX,
    COUNTED_ANSWER_NONE, /* not at all */
    COUNTED_ANSWER_COUNT,
};

enum counted_login {
    COUNTED_LOGIN_OK,
    COUNTED_LOGIN_REFUSED,
    COUNTED_LOGIN_THROTTLED, /* too many were refused before */
    COUNTED_LOGIN_COUNT,
};

/* What is kept for each of the last days. */
enum counted_daily {
    DAILY_REQUESTS,
    DAILY_SERVED,  /* bytes to clients */
    DAILY_PROXIED, /* of those: what is another registry's */
    DAILY_FETCHED, /* bytes from other registries */
    DAILY_PULLS,   /* manifests that were got */
    DAILY_PUSHES,  /* manifests that were put */
    DAILY_COUNT,
};

enum {
    HISTOGRAM_BUCKETS = 16, /* of a histogram, the last one for what is longer than all */
    COUNTED_DAYS = 32,      /* today, the last 30, and one that is being cleared */
    COUNTED_UPSTREAMS = 64, /* that have numbers of their own; the last one is all others' */
    COUNTED_NAME = 128, /* bytes of a name, with its NUL: one that is longer is among the others */
    COUNTED_OTHERS = COUNTED_UPSTREAMS - 1,
    COUNTED_PRESENCES = 2048, /* processes at a time */
};

typedef _Atomic uint64_t counter; /* the one thing that all of this is made of */

/* How long something took. */
struct histogram {
    counter buckets[HISTOGRAM_BUCKETS]; /* each for itself, not with those below it */
    counter microseconds;               /* of all */
};

struct upstream_tally {
    counter looks[THING_COUNT][LOOK_COUNT];
    counter served;  /* bytes to clients */
    counter fetched; /* bytes from the upstream */
    counter fills[COUNTED_FILL_COUNT];
    counter answers[COUNTED_ANSWER_COUNT];
    struct histogram first_byte; /* until the head of an answer was there */
};

struct day_tally {
    counter number; /* of the day, since the epoch */
    counter values[DAILY_COUNT];
};

struct tally {
    counter requests[COUNTED_ROUTES][COUNTED_METHOD_COUNT][COUNTED_CLASS_COUNT];
    struct histogram durations[COUNTED_ROUTES];
    counter bytes[WAY_COUNT];
    counter logins[COUNTED_LOGIN_COUNT];
    struct upstream_tally upstreams[COUNTED_UPSTREAMS];
    struct day_tally days[COUNTED_DAYS];
    counter names[COUNTED_UPSTREAMS][COUNTED_NAME / sizeof(uint64_t)]; /* whose numbers these are */
    counter presences[COUNTED_PRESENCES];
};

extern const char *const counted_route_words[COUNTED_ROUTES];
extern const char *const counted_method_words[COUNTED_METHOD_COUNT];
extern const char *const counted_class_words[COUNTED_CLASS_COUNT];
extern const char *const counted_way_words[WAY_COUNT];
extern const char *const counted_look_words[LOOK_COUNT];
extern const char *const counted_thing_words[THING_COUNT];
extern const char *const counted_fill_words[COUNTED_FILL_COUNT];
extern const char *const counted_answer_words[COUNTED_ANSWER_COUNT];
extern const char *const counted_login_words[COUNTED_LOGIN_COUNT];

/* Microseconds that a bucket takes at most; the last one has no limit, which is UINT64_MAX. */
uint64_t histogram_limit(size_t bucket);
void histogram_add(struct histogram *histogram, uint64_t microseconds);

/* Where the numbers of an upstream are; COUNTED_OTHERS if it has no place of its own. */
size_t tally_find_place(const struct tally *tally, const char *name);

/* The name of the upstream that has a place; "" for that of the others. */
void tally_read_name(const struct tally *tally, size_t place, char out[COUNTED_NAME]);

/*
 * Gives it one, unless it has one: a free one, or that of an upstream which is not among `wanted`,
 * whose numbers are gone then. Nothing is done if there is none, or the name is too long.
 *
 * Locking: one process at a time.
 */
struct names;
void tally_give_place(struct tally *tally, const char *name, const struct names *wanted);

/*
 * What a file of a tally begins with: TALLY_HEAD bytes that say what lies where, the same in all
 * that are laid out alike. Adds them.
 */
enum { TALLY_HEAD = 4096 };
void tally_describe(struct buffer *out);

/*
 * Takes what is the same in a file of another layout, which is `length` bytes of anybody's making.
 * How many of the members were there.
 */
size_t tally_carry_over(struct tally *tally, const struct buffer *file);

#endif
