/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/response.h"

#include <errno.h>
#include <fcgiapp.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fcgi/record.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/http/range.h"

enum {
    COPY_SIZE = 128 * 1024,
    PASS_SIZE = 1024 * 1024, /* bytes until we look again at who sends and who receives */
    USUAL_HEADERS = 500,     /* bytes */
};

#define REDIRECT_PREFIX "x-accel-redirect:"

__attribute__((format(printf, 3, 0))) static void
add_header(struct buffer *headers, const char *name, const char *format, va_list arguments)
{
    if (headers->capacity == 0) {
        (void)buffer_reserve(headers, USUAL_HEADERS);
    }
    buffer_add_text(headers, name);
    buffer_add(headers, ": ", 2);
    buffer_format_list(headers, format, arguments);
    buffer_add(headers, "\r\n", 2);
}

void response_header(struct response *response, const char *name, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add_header(&response->headers, name, format, arguments);
    va_end(arguments);
}

void response_content_header(struct response *response, const char *name, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add_header(&response->content_headers, name, format, arguments);
    va_end(arguments);
}

void response_make_private(struct response *response)
{
    static const char name[] = "Cache-Control: ";
    const char *found = strstr(response->content_headers.data, name);
    struct buffer changed = BUFFER_INIT;

    if (!found) {
        if (!strstr(response->headers.data, name)) {
            response_header(response, "Cache-Control", "private");
        }
        return;
    }
    found += strlen(name);
    if (text_begins(found, "private") || text_begins(found, "no-store")) {
        return;
    }
    buffer_add(&changed, response->content_headers.data,
               (size_t)(found - response->content_headers.data));
    buffer_format(&changed, "private, %s", found);
    buffer_release(&response->content_headers);
    response->content_headers = changed;
}

void response_reset(struct response *response)
{
    cleanup_close(&response->descriptor);
    stream_close(response->stream);
    buffer_release(&response->headers);
    buffer_release(&response->content_headers);
    buffer_release(&response->bytes);
    buffer_release(&response->target);
    *response = (struct response)RESPONSE_INIT;
}

/* `detail` is JSON, or NULL. */
static void add_error(struct buffer *out, const char *code, const char *message, const char *detail)
{
    json_open_object(out, NULL);
    json_text(out, "code", code);
    json_text(out, "message", message);
    if (detail) {
        json_raw(out, "detail", detail);
    }
    json_close_object(out);
}

void response_error(struct response *response, const struct error *error,
                    const struct buffer *details)
{
    const char *identifier = status_identifier(error->code);
    const char *message = error->message;
    const char *cursor = details->data;
    const char *only_ours = NULL;
    const char *item;
    size_t length;

    response->status = status_of_error(error->code);
    if (response->status == 500 && error->code != ERROR_DATA_LOST) {
        only_ours = "internal error: the operator finds the reason in the log";
    } else if (error->code == ERROR_NO_SPACE) {
        only_ours = "the registry's storage is full, or takes no writes";
    }
    if (only_ours) { /* what is said of an upstream may be just the same message again */
        message = only_ours;
        cursor = "";
    }
    response->body = BODY_BYTES;
    cleanup_close(&response->descriptor);
    response->descriptor = -1;
    buffer_clear(&response->bytes);
    buffer_clear(&response->content_headers);
    response_header(response, "Content-Type", "application/json");
    json_open_object(&response->bytes, NULL);
    json_open_array(&response->bytes, "errors");
    while (text_next_item(&cursor, '\n', &item, &length)) {
        AUTO_BUFFER struct buffer detail = BUFFER_INIT;

        buffer_add(&detail, item, length);
        add_error(&response->bytes, identifier, message, detail.data);
    }
    if (details->length == 0 || only_ours) {
        add_error(&response->bytes, identifier, message, NULL);
    }
    json_close_array(&response->bytes);
    json_close_object(&response->bytes);
}

static int write_all(struct request *request, const void *bytes, size_t length, struct error *error)
{
    size_t done = 0;

    if (request->fastcgi) {
        if (FCGX_PutStr(bytes, (int)length, request->fastcgi->out) != (int)length) {
            return error_set(error, ERROR_CLIENT_GONE, "the client has gone");
        }
        return 0;
    }
    while (done < length) {
        ssize_t put = write(STDOUT_FILENO, (const char *)bytes + done, length - done);

        if (put < 0 && errno != EINTR) {
            return error_set(error, ERROR_CLIENT_GONE, "the client has gone");
        }
        done += put > 0 ? (size_t)put : 0;
    }
    return 0;
}

/*
 * Ends a response that cannot be completed. A normal end leaves lighttpd's client waiting for the
 * rest, a closed connection nginx's; a record that is no FastCGI makes both cut the client off, and
 * Apache too once it was told to close the connection: see prepare().
 */
static void cut_off(struct request *request)
{
    static const char garbage[8] = {(char)0xff, (char)0xff, (char)0xff, (char)0xff,
                                    (char)0xff, (char)0xff, (char)0xff, (char)0xff};

    if (!request->fastcgi) {
        _exit(1);
    }
    (void)FCGX_FFlush(request->fastcgi->out);
    if (write(request->fastcgi->ipcFd, garbage, sizeof(garbage)) < 0) {
        /* It is being closed anyway. */
    }
    request->fastcgi->keepConnection = 0;
    (void)close(request->fastcgi->ipcFd);
    request->fastcgi->ipcFd = -1;
}

static ssize_t read_body(const struct response *response, uint64_t offset, void *bytes, size_t size,
                         struct error *error)
{
    if (response->body == BODY_STREAM) {
        return stream_read(response->stream, offset, bytes, size, error);
    }
    return file_read_at(response->descriptor, offset, bytes, size, error);
}

/* How many bytes of an open file may be taken from it at `offset`, which a stream has to wait for;
 * 0 if the body is to be read; -1. */
static ssize_t lend_body(const struct response *response, uint64_t offset, int *out_file,
                         struct error *error)
{
    if (response->body == BODY_STREAM) {
        return stream_lend(response->stream, offset, out_file, error);
    }
    if (response->size <= COPY_SIZE) {
        return 0; /* what is small leaves together with its head */
    }
    *out_file = response->descriptor;
    return (ssize_t)(response->size - offset);
}

/*
 * Sends what there is of a file at `offset`, past libfcgi and this process, and says how much; 0 if
 * it has to be copied; -1.
 */
static ssize_t pass_body(const struct response *response, const struct request *request,
                         const struct range *range, struct error *error)
{
    struct record_part part = {.offset = range->first};
    uint64_t most = range->last + 1 - range->first;
    ssize_t lent;

    if (!request->fastcgi) {
        return 0;
    }
    lent = lend_body(response, part.offset, &part.file, error);
    if (lent <= 0) {
        return lent;
    }
    part.length = (uint64_t)lent < most ? (uint64_t)lent : most;
    part.length = part.length < PASS_SIZE ? part.length : PASS_SIZE;
    if (FCGX_FFlush(request->fastcgi->out) != 0) {
        return error_set(error, ERROR_CLIENT_GONE, "the client has gone");
    }
    return record_send_file(request->fastcgi->ipcFd, request->fastcgi->requestId, part, error) < 0
               ? -1
               : (ssize_t)part.length;
}

static int copy_body(struct response *response, struct request *request, const struct range *range,
                     struct error *error)
{
    AUTO_FREE char *piece = memory_reserve(COPY_SIZE);
    uint64_t offset = range->first;
    uint64_t end = range->last + 1;

    while (offset < end) {
        size_t size = end - offset < COPY_SIZE ? (size_t)(end - offset) : COPY_SIZE;
        struct range left = {.first = offset, .last = range->last};
        ssize_t got = pass_body(response, request, &left, error);
        bool is_copied = got == 0;

        if (is_copied) {
            got = read_body(response, offset, piece, size, error);
        }
        if (got < 0 && error->code == ERROR_CLIENT_GONE) {
            return -1;
        }
        if (got <= 0) {
            break;
        }
        if (is_copied && write_all(request, piece, (size_t)got, error) < 0) {
            return -1;
        }
        offset += (uint64_t)got;
        response->sent += (uint64_t)got;
    }
    if (offset < end) {
        struct error reason = *error;

        cut_off(request);
        return error_set(error, ERROR_INTERNAL, "a response had to be cut short: %s",
                         reason.message);
    }
    return 0;
}

static int send_head(struct response *response, struct request *request, struct error *error)
{
    const char *policy = response->policy ? response->policy : "default-src 'none'; sandbox";
    AUTO_BUFFER struct buffer head = BUFFER_INIT;

    (void)buffer_reserve(&head, response->headers.length + response->content_headers.length +
                                    strlen(policy) + USUAL_HEADERS);
    buffer_format(&head, "Status: %d %s\r\n", response->status, status_reason(response->status));
    buffer_add(&head, response->headers.data, response->headers.length);
    buffer_add(&head, response->content_headers.data, response->content_headers.length);
    buffer_add_text(&head,
                    response->policy ? "" : "Docker-Distribution-API-Version: registry/2.0\r\n");
    buffer_add_text(&head, "X-Content-Type-Options: nosniff\r\nContent-Security-Policy: ");
    buffer_add_text(&head, policy);
    buffer_add_text(&head, "\r\nX-Request-Id: ");
    buffer_add_text(&head, request->id);
    buffer_add_text(&head, "\r\n\r\n");
    return write_all(request, head.data, head.length, error);
}

enum departure {
    LEAVE_AS_BYTES,
    LEAVE_BY_REDIRECT, /* X-Accel-Redirect */
    LEAVE_BY_SENDFILE, /* X-Sendfile */
    LEAVE_COPIED,
};

bool response_can_hand_over(const struct request *request)
{
    return request_parameter(request, "BERTH_SENDFILE") &&
           !request_parameter(request, "HTTP_IF_RANGE") &&
           !request_parameter(request, "HTTP_IF_MATCH"); /* nginx knows no ETag of ours */
}

bool response_is_asked_again(const struct request *request)
{
    const char *way = request_parameter(request, "BERTH_SENDFILE");

    return way && text_begins(way, REDIRECT_PREFIX);
}

static void hand_over(struct response *response, const char *way)
{
    AUTO_BUFFER struct buffer path = BUFFER_INIT;

    if (text_begins(way, REDIRECT_PREFIX)) {
        buffer_add_text(&path, way + strlen(REDIRECT_PREFIX));
        buffer_add_text(&path, response->store);
        buffer_add(&path, "/", 1);
        text_percent_encode(response->target.data, &path);
        response_header(response, "X-Accel-Redirect", "%s", path.data);
    } else {
        text_percent_encode(response->root, &path);
        buffer_add_text(&path, "/");
        text_percent_encode(response->target.data, &path);
        response_header(response, "X-Sendfile", "%s", path.data);
    }
    response->sent = response->size;
}

/* RFC 9110, 13.1.5: strong comparison. The only validator that we give out is our ETag. */
static bool validator_is_ours(const struct response *response, const char *validator)
{
    AUTO_BUFFER struct buffer line = BUFFER_INIT;
    const char *headers = response->content_headers.data;
    const char *found;

    buffer_format(&line, "ETag: %s\r\n", validator);
    found = strstr(headers, line.data);
    return found && (found == headers || found[-1] == '\n');
}

/* The part that the client asks for; for one that does not exist, the answer is complete. */
static enum range_answer choose_range(struct response *response, const struct request *request,
                                      struct range *out)
{
    const char *if_range = request_parameter(request, "HTTP_IF_RANGE");
    const char *wanted = request_parameter(request, "HTTP_RANGE");
    enum range_answer answer;

    if (if_range && !validator_is_ours(response, if_range)) {
        wanted = NULL;
    }
    out->first = 0;
    out->last = response->size - 1; /* wraps for an empty file, and last + 1 back */
    answer = range_parse(wanted, response->size, out);
    if (answer == RANGE_UNSATISFIABLE) {
        struct error error;
        struct buffer none = BUFFER_INIT;

        (void)error_set(&error, ERROR_RANGE, "the range begins behind the end of the blob");
        response_header(response, "Content-Range", "bytes */%" PRIu64, response->size);
        response_error(response, &error, &none);
    }
    return answer;
}

static void range_headers(struct response *response, const struct range *range, bool is_part)
{
    if (is_part) {
        response->status = 206;
        response_header(response, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                        range->first, range->last, response->size);
    }
    response_header(response, "Accept-Ranges", "bytes");
    response_header(response, "Content-Length", "%" PRIu64, range->last + 1 - range->first);
}

/* Whether the web server opens the file. */
static bool is_handed_over(const struct response *response)
{
    return response->body == BODY_FILE && response->descriptor < 0;
}

/*
 * A range that we ignore, lighttpd would not: it cuts small answers and files, or refuses them,
 * without asking, unless the answer says that there is nothing to cut.
 */
static void ignore_range(struct response *response, const struct request *request)
{
    if (response->status == 200 && request_parameter(request, "HTTP_RANGE")) {
        response_header(response, "Accept-Ranges", "none");
    }
}

/* Adds the headers that belong to the body, and decides how that leaves. */
static enum departure prepare(struct response *response, const struct request *request,
                              struct range *out_range)
{
    const char *way = request_parameter(request, "BERTH_SENDFILE");
    enum range_answer answer;

    if (response->body == BODY_NONE || response->body == BODY_BYTES) {
        ignore_range(response, request);
        return LEAVE_AS_BYTES;
    }
    if (strcmp(request->method, "HEAD") == 0) {
        response_header(response, "Accept-Ranges", "bytes");
        return LEAVE_AS_BYTES;
    }
    if (!is_handed_over(response) && response_is_asked_again(request)) {
        /* nginx has a place for answers that a worker sends: see deploy/nginx-snippet.conf. There
         * we are asked again, without BERTH_SENDFILE. */
        response_header(response, "X-Accel-Redirect", "%sstream", way + strlen(REDIRECT_PREFIX));
        buffer_clear(&response->content_headers);
        response->is_continued = true;
        return LEAVE_BY_REDIRECT;
    }
    answer = choose_range(response, request, out_range);
    if (answer == RANGE_UNSATISFIABLE) {
        return LEAVE_AS_BYTES;
    }
    if (is_handed_over(response)) {
        hand_over(response, way);
        if (text_begins(way, REDIRECT_PREFIX)) {
            return LEAVE_BY_REDIRECT;
        }
        if (answer == RANGE_WHOLE && request_parameter(request, "HTTP_RANGE")) {
            ignore_range(response, request);
        } else {
            response_header(response, "Accept-Ranges", "bytes"); /* which Apache does not add */
        }
        return LEAVE_BY_SENDFILE;
    }
    range_headers(response, out_range, answer == RANGE_PART);
    /* Apache keeps a connection although the answer was broken off, and its client waits for the
     * rest: the end of the connection has to tell it. nginx has its own way, above. */
    response_header(response, "Connection", "close");
    return LEAVE_COPIED;
}

/* How long the body is that the headers speak of: HEAD tells what GET would send. */
static uint64_t body_length(const struct response *response)
{
    return response->body == BODY_BYTES ? response->bytes.length : response->size;
}

/*
 * What libfcgi still has of the answer leaves with its end, in one write: if that fails, nothing
 * has left of an answer that was not copied piece by piece.
 */
static int answer_end(struct response *response, struct request *request, struct error *error)
{
    if (!request->fastcgi) {
        return 0;
    }
    (void)FCGX_FClose(request->fastcgi->err);
    if (FCGX_FClose(request->fastcgi->out) != 0) {
        if (response->descriptor < 0 && !response->stream) {
            response->sent = 0;
        }
        return error_set(error, ERROR_CLIENT_GONE, "the client has gone");
    }
    return 0;
}

static int answer_send(struct response *response, struct request *request, struct error *error)
{
    struct range range;
    enum departure departure = prepare(response, request, &range);

    if (departure == LEAVE_AS_BYTES && response->status != 204 && response->status != 304) {
        response_header(response, "Content-Length", "%" PRIu64, body_length(response));
    }
    if (send_head(response, request, error) < 0) {
        return -1;
    }
    if (departure == LEAVE_COPIED) {
        return copy_body(response, request, &range, error);
    }
    if (departure != LEAVE_AS_BYTES || response->body != BODY_BYTES ||
        strcmp(request->method, "HEAD") == 0) {
        return 0;
    }
    if (write_all(request, response->bytes.data, response->bytes.length, error) < 0) {
        return -1;
    }
    response->sent = response->bytes.length;
    return 0;
}

int response_send(struct response *response, struct request *request, struct error *error)
{
    return answer_send(response, request, error) < 0 ? -1 : answer_end(response, request, error);
}
