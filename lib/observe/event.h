/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBSERVE_EVENT_H
#define OBSERVE_EVENT_H

/*
 * Something that has happened to a repository, as others are told of it: what a spool keeps
 * (event_write(), event_read()) and what goes to a receiver (event_render()). Pure.
 *
 * The texts are others': whatever is no UTF-8, or a control, is '?' by then, and what is too long
 * for its member is cut.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buffer.h"
#include "lib/base/id.h"
#include "lib/oci/digest.h"
#include "lib/oci/name.h"

enum event_kind {
    EVENT_PUSH,      /* a manifest; one for each tag that it got */
    EVENT_PULL,      /* a manifest */
    EVENT_DELETE,    /* a manifest, with its tags, or a tag */
    EVENT_RETENTION, /* the same, by a rule */
    EVENT_FILL,      /* a manifest of another registry has come into the cache */
};
enum { EVENT_KIND_COUNT = 5 };

enum { EVENT_TEXT_SIZE = 256, EVENT_DATE_SIZE = 40 };

/* What is unknown is "", or 0. */
struct event {
    enum event_kind kind;
    char id[ID_SIZE];           /* the same however often it is delivered */
    char date[EVENT_DATE_SIZE]; /* RFC 3339, in UTC */
    char repository[NAME_SIZE]; /* as rules call it */
    char tag[TAG_SIZE];
    char digest[DIGEST_TEXT_SIZE];
    char media_type[MEDIA_TYPE_SIZE];
    uint64_t size;                             /* bytes of the manifest */
    char url[2 * NAME_SIZE + EVENT_TEXT_SIZE]; /* where it can be had */
    char actor[2 * EVENT_TEXT_SIZE];           /* as rules call him; "": nobody in particular */
    /* The request that has done it: */
    char request[64];              /* its id */
    char address[EVENT_TEXT_SIZE]; /* the client's */
    char host[EVENT_TEXT_SIZE];    /* whom the client asked */
    char method[16];
    char agent[EVENT_TEXT_SIZE];
};

/* "push", "pull", …; NULL behind the last one. */
extern const char *const event_words[];
/* Whether it is one of them. */
bool event_word_is_valid(const char *word);

/* A member of one: copies what fits, cleaned. NULL is "". */
void event_set(char *member, size_t size, const char *text);
#define EVENT_SET(event, member, text) event_set((event)->member, sizeof((event)->member), (text))

/* Gives it an id, and the date: nanoseconds since the epoch. */
void event_begin(struct event *event, enum event_kind kind, int64_t nanoseconds);

/* Adds the form in which it is kept: an object of JSON. */
void event_write(const struct event *event, struct buffer *out);
/* False if it is none, whoever has written it. What is no repository, tag or digest is no event. */
bool event_read(const char *bytes, size_t length, struct event *out);

enum event_format {
    EVENT_DISTRIBUTION, /* the envelope of the registry "distribution" ("Notifications") */
    EVENT_CLOUDEVENTS,  /* CloudEvents 1.0, structured */
};

/* Its media type. */
const char *event_media_type(enum event_format format);
/* Adds the body of a request. */
void event_render(const struct event *event, enum event_format format, struct buffer *out);

#endif
