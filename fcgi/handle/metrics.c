/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/handle/metrics.h"

#include "lib/configuration/configuration.h"
#include "lib/observe/count/counters.h"
#include "lib/observe/count/presence.h"

static void metrics_add_build(struct exposition *exposition)
{
    exposition_family(exposition, EXPOSED_GAUGE, "berth_build_info", "The version that answers.");
    exposition_label(exposition, "version", BERTH_VERSION);
    exposition_number(exposition, 1);
}

/* Those that there were: most of what could be asked for never is. */
static void metrics_add_requests(struct exposition *exposition, const struct tally *tally)
{
    enum { EACH = COUNTED_METHOD_COUNT * COUNTED_CLASS_COUNT };

    exposition_family(exposition, EXPOSED_COUNTER, "berth_http_requests",
                      "Requests that were answered.");
    for (size_t i = 0; i < (size_t)COUNTED_ROUTES * EACH; i++) {
        size_t method = i / COUNTED_CLASS_COUNT % COUNTED_METHOD_COUNT;
        size_t class = i % COUNTED_CLASS_COUNT;
        uint64_t number = tally->requests[i / EACH][method][class];

        if (number > 0) {
            exposition_label(exposition, "route", counted_route_words[i / EACH]);
            exposition_label(exposition, "method", counted_method_words[method]);
            exposition_label(exposition, "status", counted_class_words[class]);
            exposition_number(exposition, number);
        }
    }
    exposition_family(exposition, EXPOSED_HISTOGRAM, "berth_http_request_duration_seconds",
                      "From a request's arrival until its answer had left, or was handed over.");
    for (size_t i = 0; i < COUNTED_ROUTES; i++) {
        exposition_label(exposition, "route", counted_route_words[i]);
        exposition_histogram(exposition, &tally->durations[i]);
    }
}

static void metrics_add_bytes(struct exposition *exposition, const struct tally *tally)
{
    exposition_family(exposition, EXPOSED_COUNTER, "berth_http_received_bytes",
                      "Bytes of requests' bodies.");
    exposition_number(exposition, tally->bytes[WAY_RECEIVED]);
    exposition_family(
        exposition, EXPOSED_COUNTER, "berth_http_sent_bytes",
        "Bytes of answers' bodies, sent by workers or handed over to the web server.");
    exposition_label(exposition, "by", "worker");
    exposition_number(exposition, tally->bytes[WAY_SENT]);
    exposition_label(exposition, "by", "web_server");
    exposition_number(exposition, tally->bytes[WAY_HANDED_OVER]);
}

static void metrics_add_logins(struct exposition *exposition, const struct tally *tally)
{
    exposition_family(exposition, EXPOSED_COUNTER, "berth_logins",
                      "Log-ins with a user name and a password.");
    for (size_t i = 0; i < COUNTED_LOGIN_COUNT; i++) {
        exposition_label(exposition, "result", counted_login_words[i]);
        exposition_number(exposition, tally->logins[i]);
    }
}

static void metrics_add_processes(struct exposition *exposition)
{
    size_t counts[PRESENCE_COUNT];

    presence_count(counts);
    exposition_family(exposition, EXPOSED_GAUGE, "berth_workers",
                      "Workers of this host that have served a request.");
    exposition_label(exposition, "state", "idle");
    exposition_number(exposition, counts[PRESENCE_IDLE]);
    exposition_label(exposition, "state", "busy");
    exposition_number(exposition, counts[PRESENCE_BUSY]);
    exposition_gauge(exposition, "berth_proxy_waiting_requests",
                     "Requests that wait for other registries.", counts[PRESENCE_WAITING]);
    exposition_gauge(exposition, "berth_proxy_fills_running", "Blobs that this host is fetching.",
                     counts[PRESENCE_FILLING]);
    exposition_gauge(exposition, "berth_proxy_connections_kept",
                     "Processes that keep connections for the next blob.", counts[PRESENCE_KEPT]);
}

/* An upstream's name, for a label; NULL if there is nothing to be said of that place. */
struct metrics_upstream {
    const char *name;
    const struct upstream_tally *tally;
};

/* The configured ones, then all others together. 0 behind the last. */
static bool metrics_next_upstream(const struct tally *tally, size_t *cursor,
                                  struct metrics_upstream *out)
{
    const struct names *names = counters_upstreams();

    while (*cursor < names->count) {
        const char *name = names->names[(*cursor)++];
        size_t place = counters_upstream(name);

        if (place != COUNTED_OTHERS) {
            *out = (struct metrics_upstream){name, &tally->upstreams[place]};
            return true;
        }
    }
    *out = (struct metrics_upstream){"other", &tally->upstreams[COUNTED_OTHERS]};
    return (*cursor)++ == names->count;
}

static void metrics_add_looks(struct exposition *exposition, const struct tally *tally)
{
    struct metrics_upstream upstream;
    size_t cursor = 0;

    exposition_family(exposition, EXPOSED_COUNTER, "berth_proxy_lookups",
                      "Manifests and blobs of other registries that were found, and how.");
    while (metrics_next_upstream(tally, &cursor, &upstream)) {
        for (size_t i = 0; i < (size_t)THING_COUNT * LOOK_COUNT; i++) {
            exposition_label(exposition, "upstream", upstream.name);
            exposition_label(exposition, "kind", counted_thing_words[i / LOOK_COUNT]);
            exposition_label(exposition, "result", counted_look_words[i % LOOK_COUNT]);
            exposition_number(exposition, upstream.tally->looks[i / LOOK_COUNT][i % LOOK_COUNT]);
        }
    }
}

static void metrics_add_upstream_bytes(struct exposition *exposition, const struct tally *tally)
{
    struct metrics_upstream upstream;
    size_t cursor = 0;

    exposition_family(exposition, EXPOSED_COUNTER, "berth_proxy_served_bytes",
                      "Bytes of other registries' content that clients got.");
    while (metrics_next_upstream(tally, &cursor, &upstream)) {
        exposition_label(exposition, "upstream", upstream.name);
        exposition_number(exposition, upstream.tally->served);
    }
    cursor = 0;
    exposition_family(exposition, EXPOSED_COUNTER, "berth_upstream_received_bytes",
                      "Bytes of content that other registries sent.");
    while (metrics_next_upstream(tally, &cursor, &upstream)) {
        exposition_label(exposition, "upstream", upstream.name);
        exposition_number(exposition, upstream.tally->fetched);
    }
}

/* What became of downloads, by upstream. */
static void metrics_add_fills(struct exposition *exposition, const struct tally *tally)
{
    struct metrics_upstream upstream;
    size_t cursor = 0;

    exposition_family(exposition, EXPOSED_COUNTER, "berth_proxy_fills_begun",
                      "Downloads of blobs into the cache that were begun.");
    while (metrics_next_upstream(tally, &cursor, &upstream)) {
        exposition_label(exposition, "upstream", upstream.name);
        exposition_number(exposition, upstream.tally->fills[COUNTED_FILL_BEGUN]);
    }
    cursor = 0;
    exposition_family(exposition, EXPOSED_COUNTER, "berth_proxy_fills_resumed",
                      "Of those, the ones that went on where another process had stopped.");
    while (metrics_next_upstream(tally, &cursor, &upstream)) {
        exposition_label(exposition, "upstream", upstream.name);
        exposition_number(exposition, upstream.tally->fills[COUNTED_FILL_RESUMED]);
    }
    cursor = 0;
    exposition_family(exposition, EXPOSED_COUNTER, "berth_proxy_fills_ended",
                      "Downloads of blobs into the cache that came to an end.");
    while (metrics_next_upstream(tally, &cursor, &upstream)) {
        for (size_t i = COUNTED_FILL_DONE; i < COUNTED_FILL_COUNT; i++) {
            exposition_label(exposition, "upstream", upstream.name);
            exposition_label(exposition, "result", counted_fill_words[i]);
            exposition_number(exposition, upstream.tally->fills[i]);
        }
    }
}

static void metrics_add_answers(struct exposition *exposition, const struct tally *tally)
{
    struct metrics_upstream upstream;
    size_t cursor = 0;

    exposition_family(exposition, EXPOSED_COUNTER, "berth_upstream_requests",
                      "Requests to other registries, by what they answered.");
    while (metrics_next_upstream(tally, &cursor, &upstream)) {
        for (size_t i = 0; i < COUNTED_ANSWER_COUNT; i++) {
            exposition_label(exposition, "upstream", upstream.name);
            exposition_label(exposition, "status", counted_answer_words[i]);
            exposition_number(exposition, upstream.tally->answers[i]);
        }
    }
    cursor = 0;
    exposition_family(exposition, EXPOSED_HISTOGRAM, "berth_upstream_first_byte_seconds",
                      "From a request to another registry to the head of its answer.");
    while (metrics_next_upstream(tally, &cursor, &upstream)) {
        exposition_label(exposition, "upstream", upstream.name);
        exposition_histogram(exposition, &upstream.tally->first_byte);
    }
}

static void metrics_add_proxy(struct exposition *exposition, const struct tally *tally)
{
    metrics_add_looks(exposition, tally);
    metrics_add_upstream_bytes(exposition, tally);
    metrics_add_fills(exposition, tally);
    metrics_add_answers(exposition, tally);
}

int handle_metrics_get(struct exchange *exchange, struct error *error)
{
    struct response *response = &exchange->response;
    const char *accept = request_parameter(exchange->request, "HTTP_ACCEPT");
    AUTO_EXPOSITION struct exposition exposition =
        EXPOSITION_INIT(&response->bytes, exposition_is_asked_for_openmetrics(accept));
    const struct tally *tally;

    (void)error;
    counters_look_after();
    tally = counters_tally();
    metrics_add_build(&exposition);
    metrics_add_requests(&exposition, tally);
    metrics_add_bytes(&exposition, tally);
    metrics_add_logins(&exposition, tally);
    metrics_add_processes(&exposition);
    gauges_add_hosted(&exposition, exchange->registry);
    gauges_add_events(&exposition, exchange->registry, &exchange->configuration->events);
    if (exchange->caller.options->proxy.enabled) {
        metrics_add_proxy(&exposition, tally);
        gauges_add_cache(&exposition, exchange->registry);
    }
    exposition_end(&exposition);
    response->body = BODY_BYTES;
    response_content_header(response, "Content-Type", "%s", exposition_type(&exposition));
    response_header(response, "Cache-Control", "no-store");
    response_header(response, "Vary", "Accept");
    return 0;
}
