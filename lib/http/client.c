/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/client.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/http/address.h"

enum {
    HEADER_LIMIT = 64 * 1024,  /* bytes of all headers of a response */
    RECEIVE_SIZE = 256 * 1024, /* bytes that libcurl reads at a time */
    POLL_MILLISECONDS = 250,
};

static size_t take_header(char *bytes, size_t size, size_t count, void *user)
{
    struct http_transfer *transfer = user;
    size_t length = size * count;
    size_t end = length;
    const char *colon = memchr(bytes, ':', length);

    transfer->waiting_since = clock_milliseconds();
    while (end > 0 && (bytes[end - 1] == '\r' || bytes[end - 1] == '\n')) {
        end--;
    }
    if (end > 5 && strncmp(bytes, "HTTP/", 5) == 0) { /* also after an interim response */
        buffer_clear(&transfer->headers);
        return length;
    }
    if (end == 0) {
        long status = 0;

        (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
        transfer->status = (int)status;
        transfer->headers_complete = status >= 200;
        return length;
    }
    if (transfer->headers.length + end > HEADER_LIMIT) {
        return 0;
    }
    for (size_t i = 0; i < end; i++) {
        bool in_name = colon && bytes + i < colon;
        char c = in_name ? (char)tolower((unsigned char)bytes[i]) : bytes[i];

        buffer_add(&transfer->headers, &c, 1);
    }
    buffer_add_text(&transfer->headers, "\n");
    return length;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *user)
{
    struct http_transfer *transfer = user;

    transfer->waiting_since = clock_milliseconds();
    buffer_add(&transfer->pending, bytes, size * count);
    return size * count;
}

/* Called for every new connection, with the address that the name was resolved to. */
static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_transfer *transfer = user;

    (void)purpose;
    if (!transfer->request->allow_private_address && !*transfer->request->proxy &&
        !address_is_public(&address->addr)) {
        transfer->refused_address = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void set_headers(struct http_transfer *transfer)
{
    struct curl_slist *list = NULL;
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

static void set_options(struct http_transfer *transfer)
{
    const struct http_request *request = transfer->request;
    CURL *easy = transfer->easy;

    set_headers(transfer);
    (void)curl_easy_setopt(easy, CURLOPT_URL, request->url);
    (void)curl_easy_setopt(easy, CURLOPT_NOBODY, (long)(strcmp(request->method, "HEAD") == 0));
    if (request->body) {
        (void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body->data);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)request->body->length);
    }
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
                           request->allow_http ? "http,https" : "https");
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, request->proxy);
    (void)curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)request->connect_timeout);
    (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_SIZE);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "berth/" BERTH_VERSION);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    if (*request->ca_file) {
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file);
    }
}

static int explain(const struct http_transfer *transfer, struct error *error)
{
    const char *what = curl_easy_strerror((CURLcode)transfer->result);

    if (transfer->refused_address) {
        return error_set(error, ERROR_DENIED,
                         "the upstream's address is not one of the public internet");
    }
    switch ((CURLcode)transfer->result) {
    case CURLE_OPERATION_TIMEDOUT:
        return error_set(error, ERROR_UPSTREAM_TIMEOUT, "the upstream does not answer in time");
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return error_set(error, ERROR_UPSTREAM_UNREACHABLE, "the upstream cannot be reached: %s",
                         what);
    default:
        return error_set(error, ERROR_UPSTREAM, "the upstream broke off: %s", what);
    }
}

/* libcurl's own limit looks at averages of several seconds. Connecting has a limit of its own. */
static void check_stall(struct http_transfer *transfer)
{
    curl_off_t connected = 0;

    (void)curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
    if (!transfer->is_connected && connected > 0) {
        transfer->is_connected = true;
        transfer->waiting_since = clock_milliseconds();
    }
    if (transfer->is_connected && !transfer->finished &&
        clock_milliseconds() - transfer->waiting_since >
            (int64_t)(transfer->request->stall_timeout * 1000)) {
        transfer->finished = true;
        transfer->result = CURLE_OPERATION_TIMEDOUT;
    }
}

/* Lets libcurl work once, waiting for the network if there is nothing to do. */
static int step(struct http_transfer *transfer, struct error *error)
{
    int running = 0;
    int queued = 0;
    CURLMcode code = curl_multi_perform(transfer->multi, &running);
    const CURLMsg *message;

    while ((message = curl_multi_info_read(transfer->multi, &queued))) {
        if (message->msg == CURLMSG_DONE) {
            transfer->finished = true;
            transfer->result = (int)message->data.result;
        }
    }
    if (code == CURLM_OK && !transfer->finished && transfer->pending.length == 0) {
        code = curl_multi_poll(transfer->multi, NULL, 0, POLL_MILLISECONDS, NULL);
        check_stall(transfer);
    }
    return code == CURLM_OK
               ? 0
               : error_set(error, ERROR_INTERNAL, "libcurl: %s", curl_multi_strerror(code));
}

static void read_length(struct http_transfer *transfer)
{
    AUTO_BUFFER struct buffer value = BUFFER_INIT;

    transfer->has_length = http_header(transfer, "content-length", 0, &value) &&
                           text_number(value.data, value.length, &transfer->length);
}

int http_open(struct http_transfer *transfer, const struct http_request *request,
              struct error *error)
{
    transfer->request = request;
    transfer->multi = curl_multi_init();
    transfer->easy = curl_easy_init();
    if (!transfer->multi || !transfer->easy) {
        return error_set(error, ERROR_INTERNAL, "libcurl cannot be used");
    }
    set_options(transfer);
    (void)curl_multi_add_handle(transfer->multi, transfer->easy);
    while (!transfer->headers_complete && !transfer->finished) {
        if (step(transfer, error) < 0) {
            return -1;
        }
    }
    if (!transfer->headers_complete) {
        return explain(transfer, error);
    }
    read_length(transfer);
    return 0;
}

ssize_t http_read(struct http_transfer *transfer, void *bytes, size_t size, struct error *error)
{
    size_t available;

    if (transfer->pending.length == 0) { /* the time that the caller took is not the upstream's */
        transfer->waiting_since = clock_milliseconds();
    }
    while (transfer->pending.length == 0) {
        if (transfer->finished) {
            return transfer->result == CURLE_OK ? 0 : explain(transfer, error);
        }
        if (step(transfer, error) < 0) {
            return -1;
        }
    }
    available = transfer->pending.length - transfer->consumed;
    size = size < available ? size : available;
    memcpy(bytes, transfer->pending.data + transfer->consumed, size);
    transfer->consumed += size;
    if (transfer->consumed == transfer->pending.length) {
        buffer_clear(&transfer->pending);
        transfer->consumed = 0;
    }
    return (ssize_t)size;
}

int http_read_all(struct http_transfer *transfer, size_t limit, struct buffer *out,
                  struct error *error)
{
    enum { PIECE = 16 * 1024 };

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
    const char *cursor = transfer->headers.data;
    const char *line;
    size_t length;
    size_t name_length = strlen(name);

    while (text_next_item(&cursor, '\n', &line, &length)) {
        const char *value = line + name_length + 1;

        if (length <= name_length || line[name_length] != ':' ||
            strncmp(line, name, name_length) != 0 || n-- > 0) {
            continue;
        }
        while (value < line + length && (*value == ' ' || *value == '\t')) {
            value++;
        }
        buffer_clear(out);
        buffer_add(out, value, (size_t)(line + length - value));
        return true;
    }
    return false;
}

void http_close(struct http_transfer *transfer)
{
    if (transfer->multi && transfer->easy) {
        (void)curl_multi_remove_handle(transfer->multi, transfer->easy);
    }
    curl_easy_cleanup(transfer->easy);
    (void)curl_multi_cleanup(transfer->multi);
    curl_slist_free_all(transfer->header_list);
    buffer_release(&transfer->headers);
    buffer_release(&transfer->pending);
    *transfer = (struct http_transfer)HTTP_TRANSFER_INIT;
}
