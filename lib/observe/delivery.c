/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/delivery.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/http/client.h"
#include "lib/observe/signature.h"

enum {
    STEP = 10000, /* milliseconds for connecting, and for the answer */
    WHOLE = 2 * STEP,
    SHORTEST_PAUSE = 1,           /* seconds */
    LONGEST_PAUSE = 4 * 3600,     /* seconds */
    GIVE_UP = 3 * 24 * 3600,      /* seconds after which the next failure is the last */
    KEEP_FAILED = 30 * 24 * 3600, /* seconds since it happened */
    REFUSALS = 3,                 /* in a row, after which the receiver is left alone */
    LINGER = 60,                  /* seconds that are worth waiting for */
    SECRET_LIMIT = 4096,          /* bytes */
    LOOK = 250,                   /* milliseconds between two looks while waiting */
    GIVE_WAY = 50,                /* the same between two passes, for who waits for the lock */
    PASS = 60 * 1000,             /* milliseconds, after which a pass begins with nothing more */
    FRUITLESS = 3,                /* passes, after which what is due stays for another process */
};

enum answer {
    ANSWER_TAKEN,
    ANSWER_REFUSED, /* this event */
    ANSWER_NONE,    /* the receiver is in trouble, or we are */
};

/* One look through a spool: of which repositories nothing more is tried in it. */
struct pass {
    struct delivery *delivery;
    struct names blocked;
    unsigned refusals;
};

static bool pass_is_blocked(const struct pass *pass, const struct spool_entry *entry)
{
    for (size_t i = pass->blocked.count; i > 0; i--) {
        if (strcmp(pass->blocked.names[i - 1], entry->key) == 0) {
            return true;
        }
    }
    return false;
}

static int delivery_read_secret(const struct delivery *delivery, struct buffer *out,
                                struct error *error)
{
    const char *file = delivery->webhook->secret_file;
    int found;

    (void)buffer_reserve(out, SECRET_LIMIT + 1);
    found = file_read(AT_FDCWD, file, SECRET_LIMIT, out, error);
    if (found <= 0) {
        return found < 0 ? -1 : error_set(error, ERROR_INTERNAL, "there is no file '%s'", file);
    }
    buffer_cut(out, strcspn(out->data, "\r\n"));
    return 0;
}

static int delivery_add_headers(const struct delivery *delivery, const struct event *event,
                                const struct buffer *body, struct buffer *out, struct error *error)
{
    AUTO(buffer_wipe) struct buffer secret = BUFFER_INIT;
    struct signature_head head = {event->id, (int64_t)clock_date()};

    buffer_format(out, "Content-Type: %s\nwebhook-id: %s\nwebhook-timestamp: %" PRId64 "\n",
                  event_media_type(delivery->webhook->format), head.id, head.seconds);
    if (!delivery->webhook->secret_file) {
        return 0;
    }
    buffer_add_text(out, "webhook-signature: ");
    if (delivery_read_secret(delivery, &secret, error) < 0 ||
        signature_add(secret.data, &head, body, out, error) < 0) {
        return -1;
    }
    buffer_add_text(out, "\n");
    return 0;
}

/* What an answer other than yes is. A receiver that is overloaded is left alone. */
static enum answer delivery_judge(const struct delivery *delivery,
                                  const struct http_transfer *transfer, struct error *error)
{
    enum { TOO_MANY = 429, UNAVAILABLE = 503 };
    struct http_party party = {NULL, delivery->webhook->url};

    if (transfer->status >= 200 && transfer->status < 300) {
        return ANSWER_TAKEN;
    }
    (void)party_fail(&party, error, ERROR_UPSTREAM, "answers %d%s", transfer->status,
                     transfer->status >= 300 && transfer->status < 400
                         ? ", and redirects are not followed"
                         : "");
    return transfer->status == TOO_MANY || transfer->status == UNAVAILABLE ? ANSWER_NONE
                                                                           : ANSWER_REFUSED;
}

static enum answer delivery_ask(const struct delivery *delivery, const struct event *event,
                                struct error *error)
{
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    AUTO_BUFFER struct buffer headers = BUFFER_INIT;
    struct http_party party = {NULL, delivery->webhook->url};
    struct http_request request = {
        .method = "POST",
        .url = delivery->webhook->url,
        .body = &body,
        .proxy = delivery->options->http_proxy,
        .ca_file = delivery->options->ca_file,
        .connect_milliseconds = STEP,
        .stall_milliseconds = STEP,
        .deadline = clock_milliseconds() + WHOLE,
        .allow_private_address = delivery->webhook->allow_private_address,
        .allow_http = text_begins(delivery->webhook->url, "http://"),
    };

    event_render(event, delivery->webhook->format, &body);
    if (delivery_add_headers(delivery, event, &body, &headers, error) < 0) {
        return ANSWER_NONE;
    }
    request.headers = headers;
    if (http_open(&transfer, &request, error) == 0) {
        return delivery_judge(delivery, &transfer, error);
    }
    if (error->code == ERROR_DENIED) {
        (void)party_fail(&party, error, ERROR_UPSTREAM,
                         "is not in the public internet: allow_private_address = yes in "
                         "[webhook %s]",
                         delivery->webhook->name);
    }
    return ANSWER_NONE;
}

/* Until the next try: as long again as it has waited. */
static uint64_t entry_pause(const struct spool_entry *entry)
{
    uint64_t age = spool_age(entry);

    return age < SHORTEST_PAUSE ? SHORTEST_PAUSE : age > LONGEST_PAUSE ? LONGEST_PAUSE : age;
}

/* What cannot be done with the spool only the log can tell. */
static void delivery_complain(const struct delivery *delivery, const struct error *error)
{
    log_warning("[webhook %s] %s", delivery->webhook->name, error->message);
}

static bool delivery_is_too_old(const struct spool_entry *entry)
{
    uint64_t age = spool_age(entry);

    return age > GIVE_UP && age != UINT64_MAX;
}

static void delivery_give_up(const struct delivery *delivery, const struct spool_entry *entry,
                             const char *why)
{
    struct error error;
    int moved = spool_give_up(&delivery->spool, entry->name, &error);

    if (moved < 0) {
        delivery_complain(delivery, &error);
    } else if (moved > 0) {
        log_warning("[webhook %s] event %s is given up after three days: %s",
                    delivery->webhook->name, entry->id, why);
    }
}

/* This event, and with it its repository's, waits. */
static void pass_block(struct pass *pass, const struct spool_entry *entry)
{
    names_add(&pass->blocked, entry->key);
}

static void pass_refuse(struct pass *pass, const struct spool_entry *entry, const char *why)
{
    struct delivery *delivery = pass->delivery;

    pass->refusals++;
    pass_block(pass, entry);
    if (delivery_is_too_old(entry)) {
        delivery_give_up(delivery, entry, why);
        return;
    }
    log_debug("[webhook %s] event %s waits: %s", delivery->webhook->name, entry->id, why);
    spool_postpone(&delivery->spool, entry->name, entry_pause(entry));
}

/* The receiver is left alone; what is too old by now will not be tried again. */
static void pass_stop(struct pass *pass, const struct names *names, size_t at, const char *why)
{
    struct delivery *delivery = pass->delivery;
    struct spool_entry entry;
    AUTO_BUFFER struct buffer before = BUFFER_INIT;

    if (!spool_read_note(&delivery->spool, &before)) {
        log_warning("[webhook %s] events wait: %s", delivery->webhook->name, why);
    }
    if (spool_entry_parse(names->names[at], &entry)) {
        spool_note(&delivery->spool, why, entry_pause(&entry));
    }
    for (size_t i = at; i < names->count; i++) {
        if (!spool_entry_parse(names->names[i], &entry) || !delivery_is_too_old(&entry)) {
            break; /* they are in their order */
        }
        delivery_give_up(delivery, &entry, why);
    }
}

/* What nobody will read. What is no file stays, and is in nobody's way. */
static void pass_drop(const struct pass *pass, const struct spool_entry *entry)
{
    const struct delivery *delivery = pass->delivery;
    struct error error;
    int removed = spool_remove(&delivery->spool, SPOOL_WAITING, entry->name, &error);

    if (removed > 0) {
        log_warning("[webhook %s] the file '%s' is no event: it is removed",
                    delivery->webhook->name, entry->name);
    } else if (removed < 0) {
        delivery_complain(delivery, &error);
        spool_postpone(&delivery->spool, entry->name, LONGEST_PAUSE);
    }
}

/* What should be one, and cannot be read now: those behind it wait. */
static void pass_skip(struct pass *pass, const struct spool_entry *entry, const struct error *error)
{
    delivery_complain(pass->delivery, error);
    pass_block(pass, entry);
    spool_postpone(&pass->delivery->spool, entry->name, entry_pause(entry));
}

static void pass_succeed(struct pass *pass)
{
    struct delivery *delivery = pass->delivery;

    pass->refusals = 0;
    delivery->delivered++;
    if (spool_forget_note(&delivery->spool)) {
        log_warning("[webhook %s] takes events again", delivery->webhook->name);
    }
}

/* One event. 1: go on; 0: no more of this receiver; -1. */
static int pass_try(struct pass *pass, const struct names *names, size_t at, struct error *error)
{
    struct delivery *delivery = pass->delivery;
    struct error reason = ERROR_INIT;
    struct spool_entry entry;
    struct event event;
    int found;

    if (!spool_entry_parse(names->names[at], &entry) || pass_is_blocked(pass, &entry)) {
        return 1;
    }
    if (spool_delay(&delivery->spool, entry.name) > 0) {
        pass_block(pass, &entry);
        return 1;
    }
    found = spool_read(&delivery->spool, SPOOL_WAITING, entry.name, &event, error);
    if (found < 0) {
        pass_skip(pass, &entry, error);
        return 1;
    }
    if (found == 0) {
        pass_drop(pass, &entry);
        return 1;
    }
    switch (delivery_ask(delivery, &event, &reason)) {
    case ANSWER_TAKEN:
        pass_succeed(pass);
        return spool_remove(&delivery->spool, SPOOL_WAITING, entry.name, error) < 0 ? -1 : 1;
    case ANSWER_REFUSED:
        pass_refuse(pass, &entry, reason.message);
        if (pass->refusals < REFUSALS) {
            return 1;
        }
        break;
    case ANSWER_NONE:
        break;
    }
    pass_stop(pass, names, at, reason.message);
    return 0;
}

/* Those that nobody has asked for in a month. */
static int delivery_forget_failed(const struct delivery *delivery, struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;

    if (spool_list(&delivery->spool, SPOOL_FAILED, &names, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count; i++) {
        struct spool_entry entry;

        if (spool_entry_parse(names.names[i], &entry) &&
            (names.count - i > SPOOL_LIMIT ||
             (spool_age(&entry) > KEEP_FAILED && spool_age(&entry) != UINT64_MAX)) &&
            spool_remove(&delivery->spool, SPOOL_FAILED, entry.name, error) < 0) {
            return -1;
        }
    }
    return 0;
}

static int64_t delivery_now(const struct delivery *delivery)
{
    return delivery->now ? delivery->now() : clock_milliseconds();
}

int delivery_pass(struct delivery *delivery, const struct lock *held, struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    struct pass pass = {.delivery = delivery, .blocked = NAMES_INIT};
    int64_t end = delivery_now(delivery) + PASS;
    int result = held->descriptor < 0 ? error_set(error, ERROR_INTERNAL, "nobody has the lock")
                                      : spool_list(&delivery->spool, SPOOL_WAITING, &names, error);

    if (result == 0 && spool_receiver_delay(&delivery->spool) == 0) {
        result = 1;
    }
    for (size_t i = 0; result > 0 && i < names.count && delivery_now(delivery) < end; i++) {
        result = pass_try(&pass, &names, i, error);
    }
    names_release(&pass.blocked);
    return result < 0 ? -1 : delivery_forget_failed(delivery, error);
}

uint64_t delivery_delay(const struct delivery *delivery)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    struct pass pass = {.blocked = NAMES_INIT};
    uint64_t least = spool_receiver_delay(&delivery->spool);
    struct error ignored;

    if (least > 0) {
        return least;
    }
    least = UINT64_MAX;
    if (spool_list(&delivery->spool, SPOOL_WAITING, &names, &ignored) < 0) {
        return UINT64_MAX;
    }
    for (size_t i = 0; i < names.count && least > 0; i++) {
        struct spool_entry entry;

        if (spool_entry_parse(names.names[i], &entry) && !pass_is_blocked(&pass, &entry)) {
            uint64_t delay = spool_delay(&delivery->spool, entry.name);

            least = delay < least ? delay : least;
            pass_block(&pass, &entry);
        }
    }
    names_release(&pass.blocked);
    return least;
}

void delivery_run(struct delivery *delivery, struct lock *held)
{
    struct error error;
    unsigned fruitless = 0;

    while (fruitless < FRUITLESS) {
        uint64_t before = delivery->delivered;
        uint64_t delay;

        if (delivery_pass(delivery, held, &error) < 0) {
            delivery_complain(delivery, &error);
            return;
        }
        /* In this order: what came while we had the lock nobody else has begun to deliver. */
        lock_release(held);
        delay = delivery_delay(delivery);
        fruitless = delay > 0 || delivery->delivered > before ? 0 : fruitless + 1;
        while (delay > 0 && delay <= LINGER) {
            clock_pause(LOOK);
            delay = delivery_delay(delivery);
        }
        if (delay > LINGER) {
            return;
        }
        clock_pause(GIVE_WAY);
        if (spool_lock(&delivery->spool, held, &error) != LOCK_TAKEN) {
            return;
        }
    }
}
