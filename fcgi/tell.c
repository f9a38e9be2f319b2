/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/tell.h"

#include "fcgi/witness.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/configuration/configuration.h"

enum { LOOK = 10000 }; /* milliseconds between two looks for what was left */

/* Of this process: whether it has raised an event since, and when it looked last. */
static bool tell_has_raised;
static int64_t tell_looked;

static void event_describe(struct event *event, const struct exchange *exchange, const char *tag)
{
    const struct request *request = exchange->request;
    const struct deed *deed = &exchange->deed;
    AUTO_BUFFER struct buffer url = BUFFER_INIT;
    struct site site;

    site_find(&site, request, exchange->configuration->registry.access.public_url);
    if (deed->digest.text[0]) {
        buffer_format(&url, "%s/v2/%s/manifests/%s", site.url, exchange->route.name,
                      deed->digest.text);
    }
    EVENT_SET(event, repository, permit_identity(&exchange->source.permit)->name);
    EVENT_SET(event, tag, tag);
    EVENT_SET(event, digest, deed->digest.text);
    EVENT_SET(event, media_type, deed->media_type);
    event->size = deed->size;
    EVENT_SET(event, url, url.data);
    EVENT_SET(event, actor, exchange->caller.subject.name);
    EVENT_SET(event, request, request->id);
    EVENT_SET(event, address, request_parameter(request, "REMOTE_ADDR"));
    EVENT_SET(event, host, site_service(&site));
    EVENT_SET(event, method, request->method);
    EVENT_SET(event, agent, request_parameter(request, "HTTP_USER_AGENT"));
}

/* What was done is done: that it cannot be told is for the log. */
static void tell_event(const struct exchange *exchange, enum event_kind kind, const char *tag)
{
    struct event event;
    struct error error;

    event_begin(&event, kind, clock_date_nanoseconds());
    event_describe(&event, exchange, tag);
    if (registry_raise(exchange->registry, &exchange->configuration->events, &event, &error) < 0) {
        log_error("an event of %s is lost: %s (request %s)", event.repository, error.message,
                  exchange->request->id);
    }
    tell_has_raised = true;
}

static void tell_events(const struct exchange *exchange, enum event_kind kind)
{
    const struct names *tags = &exchange->deed.tags;

    if (!events_are_wanted(&exchange->configuration->events, kind,
                           permit_identity(&exchange->source.permit)->name)) {
        return;
    }
    for (size_t i = 0; i < tags->count; i++) {
        tell_event(exchange, kind, tags->names[i]);
    }
    if (tags->count == 0) {
        tell_event(exchange, kind, NULL);
    }
}

void tell_note_change(void *deed, const char *tag, const struct digest *former)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct deed *noted = deed;

    buffer_format(&text, "%s %s", tag, former->text);
    names_add(&noted->changes, text.data);
}

static void tell_deed(const struct exchange *exchange)
{
    if (exchange->deed.has_filled) {
        tell_events(exchange, EVENT_FILL);
    }
    switch (exchange->deed.kind) {
    case DEED_PUSH:
        tell_events(exchange, EVENT_PUSH);
        break;
    case DEED_PULL:
        tell_events(exchange, EVENT_PULL);
        break;
    case DEED_DELETE:
    case DEED_DELETE_ALL:
        tell_events(exchange, EVENT_DELETE);
        break;
    case DEED_NONE:
    case DEED_PUSH_BLOB: /* those of manifests are what receivers know */
    case DEED_DELETE_BLOB:
    case DEED_RESTORE:
    case DEED_LOG_IN:
    case DEED_REFUSE:
        break;
    }
}

void tell_exchange(const struct exchange *exchange, const struct error *error)
{
    if (!exchange->configuration) {
        return;
    }
    if (!error) {
        tell_deed(exchange);
    }
    if (audit_is_wanted(&exchange->configuration->audit)) {
        witness_exchange(exchange, error);
    }
}

void tell_afterwards(struct registry *registry, const struct events_options *options)
{
    int64_t now;

    if (options->webhook_count == 0 || !registry->options) {
        return;
    }
    now = clock_milliseconds();
    if (tell_has_raised || now - tell_looked >= LOOK) {
        tell_has_raised = false;
        tell_looked = now;
        registry_start_delivery(registry, options);
    }
}
