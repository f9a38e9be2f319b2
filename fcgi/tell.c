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

/* What is the request's. */
static void event_add_request(struct event *event, const struct exchange *exchange)
{
    const struct request *request = exchange->request;
    AUTO_BUFFER struct buffer url = BUFFER_INIT;
    struct site site;

    site_find(&site, request, exchange->configuration->registry.access.public_url);
    if (event->digest[0]) {
        buffer_format(&url, "%s/v2/%s/manifests/%s", site.url, exchange->route.name, event->digest);
    }
    EVENT_SET(event, repository, permit_identity(&exchange->source.permit)->name);
    EVENT_SET(event, url, url.data);
    EVENT_SET(event, actor, exchange->caller.subject.name);
    EVENT_SET(event, request, request->id);
    EVENT_SET(event, address, request_parameter(request, "REMOTE_ADDR"));
    EVENT_SET(event, host, site_service(&site));
    EVENT_SET(event, method, request->method);
    EVENT_SET(event, agent, request_parameter(request, "HTTP_USER_AGENT"));
}

static bool tell_is_wanted(const struct exchange *exchange, enum event_kind kind)
{
    return events_are_wanted(&exchange->configuration->events, kind,
                             permit_identity(&exchange->source.permit)->name);
}

/* What was done is done: that it cannot be told is for the log. */
static void tell_event(const struct exchange *exchange, struct event *event)
{
    struct error error;

    event_add_request(event, exchange);
    if (registry_raise(exchange->registry, &exchange->configuration->events, event, &error) < 0) {
        log_error("an event of %s is lost: %s (request %s)", event->repository, error.message,
                  exchange->request->id);
    }
    tell_has_raised = true;
}

/* Of the manifest that was read. */
static void tell_read(const struct exchange *exchange, enum event_kind kind)
{
    const struct deed *deed = &exchange->deed;
    struct event event;

    if (!tell_is_wanted(exchange, kind)) {
        return;
    }
    event_begin(&event, kind, clock_date_nanoseconds());
    EVENT_SET(&event, tag, deed->tag);
    EVENT_SET(&event, digest, deed->digest.text);
    EVENT_SET(&event, media_type, deed->media_type);
    event.size = deed->size;
    tell_event(exchange, &event);
}

void tell_done(void *teller, const struct actor_deed *deed)
{
    const struct exchange *exchange = teller;
    struct event event;

    if (tell_is_wanted(exchange, events_kind(deed))) {
        events_describe(&event, deed);
        tell_event(exchange, &event);
    }
}

void tell_note_change(void *teller, const char *tag, const struct digest *former)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct exchange *exchange = teller;

    buffer_format(&text, "%s %s", tag, former->text);
    names_add(&exchange->deed.changes, text.data);
}

void tell_exchange(const struct exchange *exchange, const struct error *error)
{
    if (!exchange->configuration) {
        return;
    }
    if (!error && exchange->deed.has_filled) {
        tell_read(exchange, EVENT_FILL);
    }
    if (!error && exchange->deed.kind == DEED_PULL) {
        tell_read(exchange, EVENT_PULL);
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
