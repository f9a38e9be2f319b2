/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/process.h"
#include "lib/base/text.h"
#include "lib/http/address.h"
#include "lib/http/connections.h"
#include "lib/http/failure.h"
#include "lib/http/library.h"
#include "lib/http/lookup.h"

enum {
    RECEIVE_SIZE = 256 * 1024,   /* bytes that libcurl reads at a time */
    PENDING_LIMIT = 1024 * 1024, /* bytes of body that wait for the caller */
    GATHER_SIZE = 256 * 1024,    /* bytes of it that a taker waits for, if they are there */
    POLL_MILLISECONDS = 250,
    LOOKUP_MILLISECONDS = 2000, /* for a name that a proxy will resolve again */
    REST_LIMIT = 64 * 1024,     /* bytes of a body that are read over at the end */
    REST_MILLISECONDS = 5,
};

static struct http_party client_party(const struct http_transfer *transfer)
{
    return (struct http_party){transfer->request->upstream, transfer->request->url};
}

/* For callbacks: what they return instead of what they took ends the transfer. */
static size_t client_refuse(struct http_transfer *transfer, const char *why)
{
    struct http_party party = client_party(transfer);

    (void)party_fail(&party, &transfer->failure, ERROR_UPSTREAM, "%s", why);
    return 0;
}

static size_t client_take_header(char *bytes, size_t size, size_t count, void *user)
{
    struct http_transfer *transfer = user;
    bool was_complete = transfer->head.complete;
    struct error error;

    if (http_head_add(&transfer->head, bytes, size * count, &error) < 0) {
        return client_refuse(transfer, error.message);
    }
    if (transfer->head.complete && !was_complete) {
        transfer->waiting_since = clock_milliseconds();
        transfer->status = transfer->head.status;
        transfer->has_length = transfer->head.has_length;
        transfer->length = transfer->head.length;
    }
    return size * count;
}

/* What has come and was not taken yet. The time that the taker takes is not the upstream's. */
static int client_give_pending(struct http_transfer *transfer, struct error *error)
{
    size_t length = transfer->pending.length - transfer->consumed;
    int result = 0;

    if (length > 0) {
        result = transfer->taker->take(transfer->taker, transfer->pending.data + transfer->consumed,
                                       length, error);
        transfer->waiting_since = clock_milliseconds();
    }
    buffer_clear(&transfer->pending);
    transfer->consumed = 0;
    return result;
}

static size_t client_take_body(char *bytes, size_t size, size_t count, void *user)
{
    struct http_transfer *transfer = user;
    int64_t now = clock_milliseconds();

    if (!transfer->head.complete) {
        return client_refuse(transfer, "does not speak HTTP as it should");
    }
    if (transfer->is_closing) {
        transfer->received += size * count;
        return size * count;
    }
    if (transfer->failure.code != ERROR_NONE) {
        return 0; /* the taker's: nothing is given to him behind what he did not take */
    }
    if (!transfer->taker && transfer->pending.length >= PENDING_LIMIT) {
        transfer->is_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    transfer->window_waited += now - transfer->waiting_since;
    transfer->window_bytes += size * count;
    transfer->received += size * count;
    transfer->waiting_since = now;
    buffer_add(&transfer->pending, bytes, size * count);
    return transfer->taker && transfer->pending.length >= GATHER_SIZE &&
                   client_give_pending(transfer, &transfer->failure) < 0
               ? 0
               : size * count;
}

/* Called for every new connection, with the address that the name was resolved to. */
static curl_socket_t client_open_socket(void *user, curlsocktype purpose,
                                        struct curl_sockaddr *address)
{
    struct http_transfer *transfer = user;
    int descriptor;

    (void)purpose;
    if (!transfer->request->allow_private_address && !*transfer->request->proxy &&
        !address_is_public(&address->addr)) {
        transfer->refused_address = true;
        return CURL_SOCKET_BAD;
    }
    descriptor = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (descriptor < 0 &&
        (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
        transfer->own_errno = errno;
    }
    return descriptor;
}

static void client_set_headers(struct http_transfer *transfer)
{
    struct curl_slist *list = curl_slist_append(NULL, "Accept-Encoding: identity");
    const char *cursor = transfer->request->headers.data;
    const char *item;
    size_t length;

    while (text_next_item(&cursor, '\n', &item, &length)) {
        AUTO_BUFFER struct buffer line = BUFFER_INIT;

        buffer_add(&line, item, length);
        list = curl_slist_append(list, line.data);
    }
    transfer->header_list = list;
    (void)curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, list);
}

static void client_set_callbacks(struct http_transfer *transfer)
{
    CURL *easy = transfer->easy;

    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, client_take_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, client_take_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, client_open_socket);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->details);
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
}

static void client_set_options(struct http_transfer *transfer)
{
    const struct http_request *request = transfer->request;
    CURL *easy = transfer->easy;

    client_set_headers(transfer);
    client_set_callbacks(transfer);
    (void)curl_easy_setopt(easy, CURLOPT_URL, request->url);
    (void)curl_easy_setopt(easy, CURLOPT_NOBODY, (long)(strcmp(request->method, "HEAD") == 0));
    if (request->body) {
        (void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body->data);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)request->body->length);
    }
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a resolver's thread */
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
                           request->allow_http ? "http,https" : "https");
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, request->proxy);
    (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, ""); /* the environment's otherwise */
    (void)curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_milliseconds);
    (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_SIZE);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "berth/" BERTH_VERSION);
    if (*request->ca_file) {
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file);
    }
}

static int client_deny(const struct http_transfer *transfer, struct error *error)
{
    struct http_party party = client_party(transfer);

    if (!party.upstream) {
        return party_fail(&party, error, ERROR_DENIED, "is not in the public internet");
    }
    return party_fail(&party, error, ERROR_DENIED,
                      "is not in the public internet: allow_private_address = yes in [upstream %s]",
                      party.upstream);
}

static int client_explain(const struct http_transfer *transfer, struct error *error)
{
    struct http_failure failure = {.party = client_party(transfer),
                                   .result = transfer->result,
                                   .details = transfer->details,
                                   .has_proxy = *transfer->request->proxy != '\0',
                                   .has_ca_file = *transfer->request->ca_file != '\0',
                                   .is_connected = transfer->connected > 0};

    if (transfer->failure.code != ERROR_NONE) {
        *error = transfer->failure;
        return -1;
    }
    if (!failure.is_connected && transfer->own_errno) {
        errno = transfer->own_errno;
        return error_errno(error, "ask an upstream");
    }
    if (!failure.is_connected && transfer->refused_address) {
        return client_deny(transfer, error);
    }
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &failure.os_errno);
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_SSL_VERIFYRESULT, &failure.verify_result);
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &failure.proxy_status);
    return http_failure_explain(&failure, error);
}

/* What has a limit of time, what is said when it is over, and which keys of [proxy] it is. */
enum client_wait { WAIT_CONNECTION, WAIT_HEAD, WAIT_ANSWER, WAIT_BODY, WAIT_RATE };

static const struct {
    const char *words;
    const char *keys;
} client_waits[] = {
    [WAIT_CONNECTION] = {"cannot be connected to in time", "connect_timeout"},
    [WAIT_HEAD] = {"does not answer in time", "stall_timeout"},
    [WAIT_ANSWER] = {"takes too long for its answer", "connect_timeout and stall_timeout"},
    [WAIT_BODY] = {"has stopped sending", "stall_timeout"},
    [WAIT_RATE] = {"sends less than the minimum rate", "minimum_rate"},
};

/* What is waited for now, and until when it has to be there. */
static int64_t client_limit(const struct http_transfer *transfer, enum client_wait *out_wait)
{
    const struct http_request *request = transfer->request;
    int64_t stall = (int64_t)request->stall_milliseconds;
    int64_t limit = transfer->waiting_since + stall;

    *out_wait = WAIT_BODY;
    if (transfer->connected == 0) {
        *out_wait = WAIT_CONNECTION;
        limit = transfer->opened + (int64_t)request->connect_milliseconds;
    } else if (!transfer->head.complete) {
        *out_wait = WAIT_HEAD;
        limit = transfer->connected + stall;
    }
    if ((!transfer->head.complete || transfer->is_document) && request->deadline > 0 &&
        request->deadline < limit) {
        *out_wait = WAIT_ANSWER;
        limit = request->deadline;
    }
    return limit;
}

/* How long the body's rate need not be judged yet. */
static int64_t client_rate_left(const struct http_transfer *transfer, int64_t now)
{
    return (int64_t)transfer->request->stall_milliseconds -
           (transfer->window_waited + now - transfer->waiting_since);
}

/* Judges the rate of the last window, and begins another. */
static bool client_is_too_slow(struct http_transfer *transfer, int64_t now)
{
    uint64_t milliseconds = (uint64_t)(transfer->window_waited + now - transfer->waiting_since) + 1;
    bool slow = transfer->window_bytes * 1000 / milliseconds < transfer->request->minimum_rate;

    transfer->window_bytes = 0;
    transfer->window_waited = transfer->waiting_since - now; /* what is waited already is judged */
    return slow;
}

static void client_give_up(struct http_transfer *transfer, enum client_wait wait)
{
    struct http_party party = client_party(transfer);
    bool has_keys = party.upstream != NULL;

    transfer->finished = true;
    (void)party_fail(&party, &transfer->failure, ERROR_UPSTREAM_TIMEOUT, "%s%s%s%s",
                     client_waits[wait].words, has_keys ? " ([proxy] " : "",
                     has_keys ? client_waits[wait].keys : "", has_keys ? ")" : "");
}

static void client_note_connection(struct http_transfer *transfer)
{
    curl_off_t connected = 0;

    (void)curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
    if (transfer->connected == 0 && connected > 0) {
        transfer->connected = clock_milliseconds();
    }
}

/* Ends the transfer if its time is over; else tells for how many milliseconds it may wait. */
static int client_look_at_clock(struct http_transfer *transfer)
{
    int64_t now = clock_milliseconds();
    int64_t left = POLL_MILLISECONDS;
    enum client_wait wait;
    int64_t limit = client_limit(transfer, &wait);

    if (limit <= now) {
        client_give_up(transfer, wait);
        return 0;
    }
    left = limit - now < left ? limit - now : left;
    if (transfer->head.complete && transfer->request->minimum_rate > 0) {
        int64_t rate_left = client_rate_left(transfer, now);

        if (rate_left <= 0 && client_is_too_slow(transfer, now)) {
            client_give_up(transfer, WAIT_RATE);
            return 0;
        }
        left = rate_left > 0 && rate_left < left ? rate_left : left;
    }
    return (int)left;
}

/* Lets libcurl work once, for all transfers that are open, and notes which have ended. */
static CURLMcode client_perform(CURLM *multi)
{
    int running = 0;
    int queued = 0;
    CURLMcode code = curl_multi_perform(multi, &running);
    const CURLMsg *message;

    while ((message = curl_multi_info_read(multi, &queued))) {
        char *user = NULL;

        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &user) == CURLE_OK) {
            struct http_transfer *ended = (struct http_transfer *)(void *)user;

            ended->finished = true;
            ended->result = (int)message->data.result;
        }
    }
    return code;
}

/* Lets libcurl work once; then waits for the network unless there is what the caller wants: the
 * headers, or bytes of the body. */
static int client_step(struct http_transfer *transfer, bool wants_body, struct error *error)
{
    CURLMcode code = client_perform(transfer->multi);

    client_note_connection(transfer);
    if (code == CURLM_OK && !transfer->finished) {
        int wait = client_look_at_clock(transfer);
        bool has = wants_body ? transfer->pending.length > 0 : transfer->head.complete;

        if (!transfer->finished && !has && process_is_deserted()) {
            return error_set(error, ERROR_CLIENT_GONE, "the client has gone");
        }
        if (!transfer->finished && !has) {
            code = curl_multi_poll(transfer->multi, NULL, 0, wait, NULL);
        }
    }
    return code == CURLM_OK
               ? 0
               : error_set(error, ERROR_INTERNAL, "libcurl: %s", curl_multi_strerror(code));
}

/* Without the query, which may be a signature; nor are headers anybody's business. */
static void client_log(const struct http_transfer *transfer, const char *failure)
{
    const struct http_request *request = transfer->request;

    log_debug("%s %.*s: %d%s%s", request->method, (int)strcspn(request->url, "?#"), request->url,
              transfer->status, *failure ? " " : "", failure);
}

int http_open(struct http_transfer *transfer, const struct http_request *request,
              struct error *error)
{
    struct connections_policy policy = {.allow_private_address = request->allow_private_address,
                                        .allow_http = request->allow_http,
                                        .proxy = request->proxy,
                                        .ca_file = request->ca_file};

    transfer->request = request;
    if (*request->proxy && !request->allow_private_address &&
        lookup_url(request->url, LOOKUP_MILLISECONDS) == LOOKUP_PRIVATE) {
        return client_deny(transfer, error);
    }
    transfer->opened = clock_milliseconds();
    transfer->multi = connections_take(&policy);
    transfer->easy = curl_easy_init();
    if (!transfer->multi || !transfer->easy) {
        const char *reason = library_load();

        return error_set(error, ERROR_INTERNAL, "libcurl cannot be used%s%s", reason ? ": " : "",
                         reason ? reason : "");
    }
    client_set_options(transfer);
    (void)curl_multi_add_handle(transfer->multi, transfer->easy);
    while (!transfer->head.complete && !transfer->finished) {
        if (client_step(transfer, false, error) < 0) {
            return -1;
        }
    }
    if (!transfer->head.complete) {
        (void)client_explain(transfer, error);
        client_log(transfer, error->message);
        return -1;
    }
    client_log(transfer, "");
    return 0;
}

/* The time that the caller took is not the upstream's. */
static void client_begin_to_wait(struct http_transfer *transfer)
{
    transfer->waiting_since = clock_milliseconds();
    if (transfer->is_paused) {
        transfer->is_paused = false;
        (void)curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
    }
}

/* 0 if a finished transfer has brought the whole body. */
static int client_end(const struct http_transfer *transfer, struct error *error)
{
    if (transfer->result == CURLE_OK && transfer->failure.code == ERROR_NONE) {
        return 0;
    }
    (void)client_explain(transfer, error);
    return -1;
}

ssize_t http_lend(struct http_transfer *transfer, size_t size, const char **out_bytes,
                  struct error *error)
{
    size_t available;

    if (transfer->consumed == transfer->pending.length) {
        buffer_clear(&transfer->pending);
        transfer->consumed = 0;
        client_begin_to_wait(transfer);
    }
    while (transfer->pending.length == 0) {
        if (transfer->finished) {
            return client_end(transfer, error);
        }
        if (client_step(transfer, true, error) < 0) {
            return -1;
        }
    }
    available = transfer->pending.length - transfer->consumed;
    size = size < available ? size : available;
    *out_bytes = transfer->pending.data + transfer->consumed;
    transfer->consumed += size;
    return (ssize_t)size;
}

int http_pour(struct http_transfer *transfer, struct http_taker *taker, struct error *error)
{
    int result;

    transfer->taker = taker;
    result = client_give_pending(transfer, error);
    if (result == 0) {
        client_begin_to_wait(transfer);
    }
    while (result == 0 && !transfer->finished && transfer->failure.code == ERROR_NONE) {
        result = client_step(transfer, true, error);
        if (result == 0) {
            result = client_give_pending(transfer, error);
        }
    }
    transfer->taker = NULL;
    return result < 0 ? -1 : client_end(transfer, error);
}

ssize_t http_read(struct http_transfer *transfer, void *bytes, size_t size, struct error *error)
{
    const char *lent;
    ssize_t got = http_lend(transfer, size, &lent, error);

    if (got > 0) {
        memcpy(bytes, lent, (size_t)got);
    }
    return got;
}

int http_read_all(struct http_transfer *transfer, size_t limit, struct buffer *out,
                  struct error *error)
{
    enum { PIECE = 16 * 1024 };

    transfer->is_document = true;
    for (;;) {
        ssize_t got = http_read(transfer, buffer_reserve(out, PIECE), PIECE, error);

        if (got <= 0) {
            return got < 0 ? -1 : 1;
        }
        buffer_added(out, (size_t)got);
        if (out->length > limit) {
            return 0;
        }
    }
}

bool http_header(const struct http_transfer *transfer, const char *name, unsigned n,
                 struct buffer *out)
{
    return http_head_find(&transfer->head, name, n, out);
}

enum http_language http_language(const struct http_transfer *transfer)
{
    if (transfer->connected > 0 || transfer->result == CURLE_PEER_FAILED_VERIFICATION) {
        return HTTP_LANGUAGE_TLS;
    }
    if (transfer->result == CURLE_SSL_CONNECT_ERROR && http_failure_is_plain(transfer->details)) {
        return HTTP_LANGUAGE_PLAIN;
    }
    return HTTP_LANGUAGE_UNKNOWN;
}

/* What is left of a redirect's body, or of a refusal's, has mostly come together with its head. */
static void client_read_over(struct http_transfer *transfer)
{
    int64_t end = clock_milliseconds() + REST_MILLISECONDS;
    int64_t left = REST_MILLISECONDS;

    if (!transfer->head.complete || !transfer->has_length || transfer->is_paused ||
        transfer->length - transfer->received > REST_LIMIT) {
        return;
    }
    transfer->is_closing = true;
    while (!transfer->finished && left > 0 && client_perform(transfer->multi) == CURLM_OK &&
           !transfer->finished &&
           curl_multi_poll(transfer->multi, NULL, 0, (int)left, NULL) == CURLM_OK) {
        left = end - clock_milliseconds();
    }
}

void http_close(struct http_transfer *transfer)
{
    if (transfer->multi && transfer->easy) {
        client_read_over(transfer);
        (void)curl_multi_remove_handle(transfer->multi, transfer->easy);
    }
    curl_easy_cleanup(transfer->easy);
    connections_return(transfer->multi);
    curl_slist_free_all(transfer->header_list);
    http_head_release(&transfer->head);
    buffer_release(&transfer->pending);
    *transfer = (struct http_transfer)HTTP_TRANSFER_INIT;
}
