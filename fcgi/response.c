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

#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/text.h"
#include "lib/oci/range.h"

enum { COPY_SIZE = 128 * 1024 };

void response_header(struct response *response, const char *name, const char *format, ...)
{
    char value[2048];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(value, sizeof(value), format, arguments);
    va_end(arguments);
    buffer_format(&response->headers, "%s: %s\r\n", name, value);
}

void response_reset(struct response *response)
{
    cleanup_close(&response->descriptor);
    buffer_release(&response->headers);
    buffer_release(&response->bytes);
    buffer_release(&response->target);
    *response = (struct response)RESPONSE_INIT;
}

struct mapping {
    int status;
    const char *code;
};

/* Without `default`: the compiler reports a code that is forgotten here. */
static struct mapping map_error(enum error_code code)
{
    switch (code) {
    case ERROR_BLOB_UNKNOWN:
        return (struct mapping){404, "BLOB_UNKNOWN"};
    case ERROR_UPLOAD_INVALID:
        return (struct mapping){400, "BLOB_UPLOAD_INVALID"};
    case ERROR_UPLOAD_UNKNOWN:
        return (struct mapping){404, "BLOB_UPLOAD_UNKNOWN"};
    case ERROR_UPLOAD_BUSY:
        return (struct mapping){409, "BLOB_UPLOAD_INVALID"};
    case ERROR_UPLOAD_RANGE:
        return (struct mapping){416, "BLOB_UPLOAD_INVALID"};
    case ERROR_DIGEST_INVALID:
        return (struct mapping){400, "DIGEST_INVALID"};
    case ERROR_MANIFEST_BLOB_UNKNOWN:
        return (struct mapping){400, "MANIFEST_BLOB_UNKNOWN"};
    case ERROR_MANIFEST_INVALID:
        return (struct mapping){400, "MANIFEST_INVALID"};
    case ERROR_MANIFEST_UNKNOWN:
        return (struct mapping){404, "MANIFEST_UNKNOWN"};
    case ERROR_MANIFEST_TOO_LARGE:
        return (struct mapping){413, "MANIFEST_INVALID"};
    case ERROR_NAME_INVALID:
        return (struct mapping){404, "NAME_INVALID"};
    case ERROR_NAME_UNKNOWN:
        return (struct mapping){404, "NAME_UNKNOWN"};
    case ERROR_SIZE_INVALID:
        return (struct mapping){400, "SIZE_INVALID"};
    case ERROR_UNAUTHORIZED:
        return (struct mapping){401, "UNAUTHORIZED"};
    case ERROR_DENIED:
        return (struct mapping){403, "DENIED"};
    case ERROR_UNSUPPORTED:
    case ERROR_READ_ONLY:
        return (struct mapping){405, "UNSUPPORTED"};
    case ERROR_PRECONDITION:
        return (struct mapping){412, "MANIFEST_INVALID"};
    case ERROR_TOO_MANY_REQUESTS:
        return (struct mapping){429, "TOOMANYREQUESTS"};
    case ERROR_NO_SPACE:
        return (struct mapping){507, "DENIED"};
    case ERROR_REQUEST_INVALID:
        return (struct mapping){400, "UNSUPPORTED"};
    case ERROR_NOT_FOUND:
        return (struct mapping){404, "UNSUPPORTED"};
    case ERROR_CLIENT_GONE:
        return (struct mapping){400, "BLOB_UPLOAD_INVALID"};
    case ERROR_NONE:
    case ERROR_INTERNAL:
        break;
    }
    return (struct mapping){500, "UNSUPPORTED"};
}

static void add_error(struct buffer *out, const char *code, const char *message, const char *digest)
{
    json_open_object(out, NULL);
    json_text(out, "code", code);
    json_text(out, "message", message);
    if (digest) {
        json_open_object(out, "detail");
        json_text(out, "digest", digest);
        json_close_object(out);
    }
    json_close_object(out);
}

void response_error(struct response *response, const struct error *error,
                    const struct buffer *details)
{
    struct mapping mapping = map_error(error->code);
    const char *message = error->message;
    const char *cursor = details->data;
    const char *item;
    size_t length;

    if (mapping.status == 500) {
        message = "internal error: the operator finds the reason in the log";
    } else if (error->code == ERROR_NO_SPACE) {
        message = "the registry's storage is full";
    }
    response->status = mapping.status;
    response->body = BODY_BYTES;
    cleanup_close(&response->descriptor);
    response->descriptor = -1;
    buffer_clear(&response->bytes);
    response_header(response, "Content-Type", "application/json");
    json_open_object(&response->bytes, NULL);
    json_open_array(&response->bytes, "errors");
    while (text_next_item(&cursor, '\n', &item, &length)) {
        AUTO_BUFFER struct buffer digest = BUFFER_INIT;

        buffer_add(&digest, item, length);
        add_error(&response->bytes, mapping.code, message, digest.data);
    }
    if (details->length == 0) {
        add_error(&response->bytes, mapping.code, message, NULL);
    }
    json_close_array(&response->bytes);
    json_close_object(&response->bytes);
}

static const char *reason_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {416, "Range Not Satisfiable"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {507, "Insufficient Storage"},
    };

    for (size_t i = 0; i < sizeof(phrases) / sizeof(*phrases); i++) {
        if (phrases[i].status == status) {
            return phrases[i].phrase;
        }
    }
    return "Status";
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
 * rest, a closed connection nginx's; a record that is no FastCGI makes both cut the client off.
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

static int copy_file(struct response *response, struct request *request, const struct range *range,
                     struct error *error)
{
    AUTO_FREE char *piece = malloc(COPY_SIZE);
    uint64_t offset = range->first;
    uint64_t end = range->last + 1;

    while (piece && offset < end) {
        size_t size = end - offset < COPY_SIZE ? (size_t)(end - offset) : COPY_SIZE;
        ssize_t got = file_read_at(response->descriptor, offset, piece, size, error);

        if (got <= 0) {
            break;
        }
        if (write_all(request, piece, (size_t)got, error) < 0) {
            return -1;
        }
        offset += (uint64_t)got;
        response->sent += (uint64_t)got;
    }
    if (offset < end) {
        cut_off(request);
        return error_set(error, ERROR_INTERNAL, "'%s' could not be read to its end",
                         response->target.data);
    }
    return 0;
}

static int send_head(struct response *response, struct request *request, struct error *error)
{
    AUTO_BUFFER struct buffer head = BUFFER_INIT;

    buffer_format(&head, "Status: %d %s\r\n", response->status, reason_phrase(response->status));
    buffer_add(&head, response->headers.data, response->headers.length);
    buffer_format(&head,
                  "Docker-Distribution-API-Version: registry/2.0\r\n"
                  "X-Content-Type-Options: nosniff\r\n"
                  "X-Request-Id: %s\r\n\r\n",
                  request->id);
    return write_all(request, head.data, head.length, error);
}

bool response_can_hand_over(const struct request *request)
{
    return request_parameter(request, "BERTH_SENDFILE") &&
           !request_parameter(request, "HTTP_IF_RANGE");
}

/* Lets the web server send the file: it knows about ranges and slow clients. */
static int hand_over(struct response *response, struct request *request, struct error *error)
{
    const char *way = request_parameter(request, "BERTH_SENDFILE");
    AUTO_BUFFER struct buffer path = BUFFER_INIT;

    if (text_begins(way, "x-accel-redirect:")) {
        buffer_format(&path, "%s%s/", strchr(way, ':') + 1, response->store);
        text_percent_encode(response->target.data, &path);
        response_header(response, "X-Accel-Redirect", "%s", path.data);
    } else if (strcmp(way, "x-sendfile") == 0) {
        text_percent_encode(response->root, &path);
        buffer_add_text(&path, "/");
        text_percent_encode(response->target.data, &path);
        response_header(response, "X-Sendfile", "%s", path.data);
    } else {
        return error_set(error, ERROR_INTERNAL,
                         "BERTH_SENDFILE is neither x-accel-redirect:/LOCATION/ nor x-sendfile");
    }
    response->sent = response->size;
    return send_head(response, request, error);
}

/* The part of the file that the client asks for; sets status and headers. False for 416. */
static bool choose_range(struct response *response, const struct request *request,
                         struct range *out)
{
    const char *if_range = request_parameter(request, "HTTP_IF_RANGE");
    const char *wanted = request_parameter(request, "HTTP_RANGE");

    /* The only validator that we give out is the ETag among our headers. */
    if (if_range && !strstr(response->headers.data, if_range)) {
        wanted = NULL;
    }
    out->first = 0;
    out->last = response->size - 1; /* wraps for an empty file, and last + 1 back */
    switch (range_parse(wanted, response->size, out)) {
    case RANGE_WHOLE:
        break;
    case RANGE_PART:
        response->status = 206;
        response_header(response, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                        out->first, out->last, response->size);
        break;
    case RANGE_UNSATISFIABLE:
        response->status = 416;
        response_header(response, "Content-Range", "bytes */%" PRIu64, response->size);
        response_header(response, "Content-Length", "0");
        return false;
    }
    response_header(response, "Accept-Ranges", "bytes");
    response_header(response, "Content-Length", "%" PRIu64, out->last + 1 - out->first);
    return true;
}

static int send_file(struct response *response, struct request *request, struct error *error)
{
    struct range range;
    bool head_only = strcmp(request->method, "HEAD") == 0;

    if (head_only) {
        response_header(response, "Accept-Ranges", "bytes");
        response_header(response, "Content-Length", "%" PRIu64, response->size);
        return send_head(response, request, error);
    }
    if (response->descriptor < 0) {
        return hand_over(response, request, error);
    }
    if (!choose_range(response, request, &range)) {
        return send_head(response, request, error);
    }
    if (send_head(response, request, error) < 0) {
        return -1;
    }
    return copy_file(response, request, &range, error);
}

int response_send(struct response *response, struct request *request, struct error *error)
{
    bool head_only = strcmp(request->method, "HEAD") == 0;

    if (response->body == BODY_FILE) {
        return send_file(response, request, error);
    }
    if (response->status != 204 && response->status != 304) {
        response_header(response, "Content-Length", "%zu", response->bytes.length);
    }
    if (send_head(response, request, error) < 0) {
        return -1;
    }
    if (head_only || response->body == BODY_NONE) {
        return 0;
    }
    response->sent = response->bytes.length;
    return write_all(request, response->bytes.data, response->bytes.length, error);
}
