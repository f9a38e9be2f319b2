/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "fcgi/command/command.h"
#include "fcgi/command/line.h"
#include "fcgi/command/open.h"
#include "lib/observe/events.h"

/* A store, and how to tell of what it has. */
struct event_listing {
    struct store *store;
    const struct events_options *options;
    bool json;
};

static bool listing_knows(const struct event_listing *listing, const char *receiver)
{
    for (size_t i = 0; i < listing->options->webhook_count; i++) {
        if (strcmp(listing->options->webhooks[i].name, receiver) == 0) {
            return true;
        }
    }
    return false;
}

static void listing_tell_event(const struct event_listing *listing, const struct spool *spool,
                               enum spool_place place, const struct event *event)
{
    AUTO_LINE struct line line = line_begin(listing->json);
    const char *state = place == SPOOL_FAILED ? "failed" : "waiting";
    const char *reference = *event->tag ? event->tag : event->digest;

    line_text(&line, "receiver", spool->receiver);
    line_text(&line, "state", state);
    line_text(&line, "id", event->id);
    line_text(&line, "date", event->date);
    line_text(&line, "event", event_words[event->kind]);
    line_text(&line, "repository", event->repository);
    if (*event->tag) {
        line_text(&line, "tag", event->tag);
    }
    if (*event->digest) {
        line_text(&line, "digest", event->digest);
    }
    line_say(&line, "%s  %s  %s  %.19sZ  %s  %s%s%s", spool->receiver, state, event->id,
             event->date, event_words[event->kind], event->repository, *event->tag ? ":" : "@",
             reference);
    line_end(&line);
}

/* Why nothing goes to this receiver, if that is so. */
static void listing_tell_trouble(const struct event_listing *listing, const struct spool *spool)
{
    AUTO_BUFFER struct buffer why = BUFFER_INIT;
    bool is_known = listing_knows(listing, spool->receiver);

    if (!is_known) {
        buffer_add_text(&why, "the configuration has no such receiver any more");
    }
    if (!is_known || spool_read_note(spool, &why)) {
        AUTO_LINE struct line line = line_begin(listing->json);

        line_text(&line, "receiver", spool->receiver);
        line_text(&line, "trouble", why.data);
        line_say(&line, "%s: %s", spool->receiver, why.data);
        line_end(&line);
    }
}

/* How many there are, or -1. */
static int64_t listing_tell(const struct event_listing *listing, const struct spool *spool,
                            enum spool_place place, struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    int64_t count = 0;

    if (spool_list(spool, place, &names, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count; i++) {
        struct event event;
        int found = spool_read(spool, place, names.names[i], &event, error);

        if (found < 0) {
            line_complain("%s: %s", spool->receiver, error->message);
        } else if (found > 0) {
            listing_tell_event(listing, spool, place, &event);
        }
        count += found != 0;
    }
    return count;
}

static int events_run_list(const struct configuration *configuration,
                           const struct arguments *arguments)
{
    struct store store = STORE_INIT;
    struct event_listing listing = {&store, &configuration->events, arguments->has[OPTION_JSON]};
    AUTO_NAMES struct names receivers = NAMES_INIT;
    struct error error;
    int64_t failed = 0;
    int result = command_open_hosted(&store, configuration, OPEN_TO_LOOK, &error);

    if (result == 0) {
        result = spool_list_receivers(&store, &receivers, &error);
    }
    for (size_t i = 0; result == 0 && i < receivers.count; i++) {
        struct spool spool = {&store, receivers.names[i]};
        int64_t waiting = listing_tell(&listing, &spool, SPOOL_WAITING, &error);
        int64_t lost = waiting < 0 ? -1 : listing_tell(&listing, &spool, SPOOL_FAILED, &error);

        result = lost < 0 ? -1 : 0;
        failed += lost;
        if (result == 0 && waiting + lost > 0) {
            listing_tell_trouble(&listing, &spool);
        }
    }
    store_close(&store);
    return result < 0   ? command_fail(&command_events_list, &error)
           : failed > 0 ? EXIT_FOUND
                        : EXIT_FINE;
}

static int events_run_resend(const struct configuration *configuration,
                             const struct arguments *arguments)
{
    const char *id = arguments->operand_count > 0 ? arguments->operands[0] : NULL;
    struct store store = STORE_INIT;
    struct events_report report = {.delivered = 0};
    AUTO_LINE struct line line = line_begin(arguments->has[OPTION_JSON]);
    struct error error;
    uint64_t count = 0;
    int result;

    if (arguments->has[OPTION_FAILED] == (id != NULL)) {
        return command_refuse(&command_events_resend, "either an ID or --failed is expected");
    }
    result = command_open_hosted(&store, configuration, OPEN_TO_CHANGE, &error);
    if (result == 0) {
        result = events_resend(&store, id, &count, &error);
    }
    if (result == 0) {
        result = events_deliver(&store, &configuration->events, &report, &error);
    }
    store_close(&store);
    if (result < 0) {
        return command_fail(&command_events_resend, &error);
    }
    line_number(&line, "events", count);
    line_number(&line, "delivered", report.delivered);
    line_number(&line, "waiting", report.waiting);
    line_number(&line, "failed", report.failed);
    line_say(&line,
             "%" PRIu64 " events to send again; %" PRIu64 " delivered, %" PRIu64 " wait, %" PRIu64
             " failed",
             count, report.delivered, report.waiting, report.failed);
    line_end(&line);
    return (id && count == 0) || report.waiting > 0 ? EXIT_FOUND : EXIT_FINE;
}

static const struct option_row events_list_options[] = {OPTION_ROW_JSON, OPTIONS_END};

const struct command command_events_list = {
    .name = "events list",
    .summary = "list the events that receivers have not got, and why",
    .options = events_list_options,
    .run = events_run_list,
};

static const struct option_row events_resend_options[] = {
    {.id = OPTION_FAILED, .name = "--failed", .help = "all that were given up"},
    OPTION_ROW_JSON,
    OPTIONS_END,
};

const struct command command_events_resend = {
    .name = "events resend",
    .summary = "deliver an event once more, or all that were given up, and what else is due",
    .options = events_resend_options,
    .operands = "[ID]",
    .maximum_operands = 1,
    .details = "Under the same id, so that a receiver can tell that it has it.",
    .is_audited = true,
    .run = events_run_resend,
};
