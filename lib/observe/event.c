/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base/character.h"
#include "lib/base/json.h"
#include "lib/base/text.h"
#include "lib/oci/document.h"

const char *const event_words[] = {
    [EVENT_PUSH] = "push",           [EVENT_PULL] = "pull", [EVENT_DELETE] = "delete",
    [EVENT_RETENTION] = "retention", [EVENT_FILL] = "fill", NULL,
};

bool event_word_is_valid(const char *word)
{
    for (const char *const *each = event_words; *each; each++) {
        if (strcmp(*each, word) == 0) {
            return true;
        }
    }
    return false;
}

void event_set(char *member, size_t size, const char *text)
{
    (void)snprintf(member, size, "%s", text ? text : "");
    characters_clean(member);
}

void event_begin(struct event *event, enum event_kind kind, int64_t nanoseconds)
{
    enum { SECOND = 1000000000 };
    time_t seconds = (time_t)(nanoseconds / SECOND);
    struct tm parts;
    size_t length;

    *event = (struct event){.kind = kind};
    id_make(event->id);
    if (gmtime_r(&seconds, &parts)) {
        length = strftime(event->date, sizeof(event->date), "%Y-%m-%dT%H:%M:%S", &parts);
        (void)snprintf(event->date + length, sizeof(event->date) - length, ".%09" PRId64 "Z",
                       nanoseconds % SECOND);
    }
}

/* The members that are texts, and what they are called where they are kept. */
struct event_member {
    const char *name;
    size_t offset;
    size_t size;
};

#define MEMBER(member)                                                                             \
    {                                                                                              \
#member, offsetof(struct event, member), sizeof(((struct event *)0)->member)               \
    }

static const struct event_member event_members[] = {
    MEMBER(id),         MEMBER(date),   MEMBER(repository), MEMBER(tag),     MEMBER(digest),
    MEMBER(media_type), MEMBER(url),    MEMBER(actor),      MEMBER(request), MEMBER(address),
    MEMBER(host),       MEMBER(method), MEMBER(agent),
};

enum { EVENT_MEMBER_COUNT = sizeof(event_members) / sizeof(*event_members) };

/* A member that is there only if it says something. */
static void event_add(struct buffer *out, const char *name, const char *text)
{
    if (*text) {
        json_text(out, name, text);
    }
}

void event_write(const struct event *event, struct buffer *out)
{
    json_open_object(out, NULL);
    json_text(out, "event", event_words[event->kind]);
    for (size_t i = 0; i < EVENT_MEMBER_COUNT; i++) {
        event_add(out, event_members[i].name, (const char *)event + event_members[i].offset);
    }
    json_number(out, "size", event->size);
    json_close_object(out);
}

static bool event_read_kind(const struct document *document, enum event_kind *out)
{
    AUTO_BUFFER struct buffer word = BUFFER_INIT;

    if (!document_text_member(document, "event", &word)) {
        return false;
    }
    for (unsigned kind = 0; kind < EVENT_KIND_COUNT; kind++) {
        if (strcmp(word.data, event_words[kind]) == 0) {
            *out = (enum event_kind)kind;
            return true;
        }
    }
    return false;
}

static bool id_is_valid(const char *id)
{
    return strlen(id) == ID_SIZE - 1 && strspn(id, "0123456789abcdef-") == ID_SIZE - 1;
}

bool event_read(const char *bytes, size_t length, struct event *out)
{
    struct document document = {bytes, length, NULL};
    struct event read = {.kind = EVENT_PUSH};
    struct digest digest;
    struct error ignored;

    if (!event_read_kind(&document, &read.kind)) {
        return false;
    }
    for (size_t i = 0; i < EVENT_MEMBER_COUNT; i++) {
        const struct event_member *member = &event_members[i];
        AUTO_BUFFER struct buffer text = BUFFER_INIT;

        if (document_text_member(&document, member->name, &text)) {
            event_set((char *)&read + member->offset, member->size, text.data);
        }
    }
    (void)document_number_member(&document, "size", &read.size);
    if (!id_is_valid(read.id) || !name_is_valid(read.repository) ||
        (*read.tag && !tag_is_valid(read.tag)) ||
        (*read.digest && digest_parse(&digest, read.digest, &ignored) < 0)) {
        return false;
    }
    *out = read;
    return true;
}

/* What receivers of its envelope know; the rest goes by its own name. */
static const char *event_distribution_action(enum event_kind kind)
{
    return kind == EVENT_RETENTION ? event_words[EVENT_DELETE] : event_words[kind];
}

static void event_add_target(const struct event *event, struct buffer *out)
{
    json_open_object(out, "target");
    event_add(out, "mediaType", event->media_type);
    if (event->size > 0) {
        json_number(out, "size", event->size);
        json_number(out, "length", event->size);
    }
    event_add(out, "digest", event->digest);
    json_text(out, "repository", event->repository);
    event_add(out, "url", event->url);
    event_add(out, "tag", event->tag);
    json_close_object(out);
}

static void event_add_request(const struct event *event, struct buffer *out)
{
    json_open_object(out, "request");
    event_add(out, "id", event->request);
    event_add(out, "addr", event->address);
    event_add(out, "host", event->host);
    event_add(out, "method", event->method);
    event_add(out, "useragent", event->agent);
    json_close_object(out);
}

static void event_render_distribution(const struct event *event, struct buffer *out)
{
    json_open_object(out, NULL);
    json_open_array(out, "events");
    json_open_object(out, NULL);
    json_text(out, "id", event->id);
    json_text(out, "timestamp", event->date);
    json_text(out, "action", event_distribution_action(event->kind));
    event_add_target(event, out);
    event_add_request(event, out);
    json_open_object(out, "actor");
    event_add(out, "name", event->actor);
    json_close_object(out);
    json_open_object(out, "source");
    event_add(out, "addr", event->host);
    json_close_object(out);
    json_close_object(out);
    json_close_array(out);
    json_close_object(out);
}

static void event_render_cloudevents(const struct event *event, struct buffer *out)
{
    AUTO_BUFFER struct buffer type = BUFFER_INIT;
    AUTO_BUFFER struct buffer source = BUFFER_INIT;
    AUTO_BUFFER struct buffer subject = BUFFER_INIT;

    buffer_format(&type, "berth.manifest.%s", event_words[event->kind]);
    /* A reference (RFC 3986): "//HOST", or no more than our name. */
    text_percent_encode(event->host, &source);
    buffer_format(&subject, "%s%s%s", event->repository,
                  *event->tag      ? ":"
                  : *event->digest ? "@"
                                   : "",
                  *event->tag ? event->tag : event->digest);
    json_open_object(out, NULL);
    json_text(out, "specversion", "1.0");
    json_text(out, "id", event->id);
    if (source.length > 0) {
        AUTO_BUFFER struct buffer reference = BUFFER_INIT;

        buffer_format(&reference, "//%s", source.data);
        json_text(out, "source", reference.data);
    } else {
        json_text(out, "source", "berth");
    }
    json_text(out, "type", type.data);
    json_text(out, "subject", subject.data);
    json_text(out, "time", event->date);
    json_text(out, "datacontenttype", "application/json");
    json_open_object(out, "data");
    json_text(out, "action", event_words[event->kind]);
    event_add_target(event, out);
    event_add_request(event, out);
    json_open_object(out, "actor");
    event_add(out, "name", event->actor);
    json_close_object(out);
    json_close_object(out);
    json_close_object(out);
}

const char *event_media_type(enum event_format format)
{
    switch (format) {
    case EVENT_DISTRIBUTION:
        return "application/vnd.docker.distribution.events.v2+json";
    case EVENT_CLOUDEVENTS:
        return "application/cloudevents+json";
    }
    return "application/json";
}

void event_render(const struct event *event, enum event_format format, struct buffer *out)
{
    switch (format) {
    case EVENT_DISTRIBUTION:
        event_render_distribution(event, out);
        return;
    case EVENT_CLOUDEVENTS:
        event_render_cloudevents(event, out);
        return;
    }
}
