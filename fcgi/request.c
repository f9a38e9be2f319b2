/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/request.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/id.h"
#include "lib/base/text.h"

const char *request_setting(const struct request *request, const char *name)
{
    return request->fastcgi ? parameters_find(&request->parameters, name) : getenv(name);
}

const char *request_parameter(const struct request *request, const char *name)
{
    const char *value = request_setting(request, name);

    return value && *value ? value : NULL;
}

const char *request_target(const struct request *request)
{
    const char *target = request_parameter(request, "REQUEST_URI");

    if (!target) {
        target = request_parameter(request, "PATH_INFO");
    }
    return target ? target : "-";
}

/* REQUEST_URI's path and query are taken from nowhere else, also where it has no query. */
static void read_target(struct request *request)
{
    const char *target = request_parameter(request, "REQUEST_URI");
    const char *name = request_parameter(request, "SCRIPT_NAME");
    const char *info = request_parameter(request, "PATH_INFO");
    const char *query = request_parameter(request, "QUERY_STRING");
    bool is_good = true;

    if (target) {
        size_t length = strcspn(target, "?");

        is_good = text_percent_decode(target, length, &request->path);
        query = target[length] == '?' ? target + length + 1 : NULL;
    } else {
        buffer_add_text(&request->path, name ? name : "");
        buffer_add_text(&request->path, info ? info : "");
    }
    if (!query_parse(&request->query, query ? query : "") || !is_good) {
        request->is_malformed = true;
        buffer_clear(&request->path);
        query_release(&request->query);
    }
}

static void read_id(struct request *request)
{
    const char *id = request_parameter(request, "REQUEST_ID");
    static const char plain[] = "0123456789abcdefABCDEF-";

    if (id && strlen(id) < sizeof(request->id) && strspn(id, plain) == strlen(id)) {
        (void)text_copy(request->id, sizeof(request->id), id, strlen(id));
    } else {
        char fresh[ID_SIZE];

        id_make(fresh);
        (void)snprintf(request->id, sizeof(request->id), "%s", fresh);
    }
}

static void read_length(struct request *request)
{
    const char *length = request_parameter(request, "CONTENT_LENGTH");
    struct stat status;

    if (request->pass != PASS_WHOLE && length) {
        (void)text_number(length, strlen(length), &request->announced);
    }
    if (request->pass == PASS_MAY || request->pass == PASS_AUTHORIZER) {
        request->has_length = true; /* what the parameter says is yet to come, if at all */
        return;
    }
    request->body_file = request_parameter(request, "BERTH_BODY_FILE");
    if (request->body_file) {
        if (stat(request->body_file, &status) == 0) {
            request->has_length = true;
            request->length = (uint64_t)status.st_size;
        }
    } else if (length) {
        request->has_length = text_number(length, strlen(length), &request->length);
        request->is_malformed |= !request->has_length; /* rather than a body that ends anywhere */
    } else if (!request->fastcgi && !request_parameter(request, "HTTP_TRANSFER_ENCODING")) {
        request->has_length = true; /* RFC 3875, 4.1.2: then there is none */
    }
}

/* By nginx's own names of its passes, which no client can ask for; by the role that FastCGI has. */
static enum request_pass read_pass(const struct request *request)
{
    const char *pass = request_parameter(request, "BERTH_PASS");
    const char *role = request_parameter(request, "FCGI_ROLE");

    if (request->fastcgi && role && strcmp(role, "AUTHORIZER") == 0) {
        return PASS_AUTHORIZER;
    }
    return pass && strcmp(pass, "/v2/_berth/may") == 0   ? PASS_MAY
           : pass && strcmp(pass, "/v2/_berth/why") == 0 ? PASS_WHY
                                                         : PASS_WHOLE;
}

void request_begin(struct request *request, struct FCGX_Request *fastcgi)
{
    const char *method;

    *request = (struct request){.fastcgi = fastcgi,
                                .path = BUFFER_INIT,
                                .query = QUERY_INIT,
                                .body_descriptor = -1,
                                .kept = BUFFER_INIT};
    (void)clock_gettime(CLOCK_MONOTONIC, &request->arrived);
    if (fastcgi) {
        parameters_read(&request->parameters, (const char *const *)fastcgi->envp);
    }
    method = request_parameter(request, "REQUEST_METHOD");
    request->method = method ? method : "-";
    read_target(request);
    request->pass = read_pass(request);
    read_id(request);
    read_length(request);
}

void request_end(struct request *request)
{
    cleanup_close(&request->body_descriptor);
    request->body_descriptor = -1;
    buffer_release(&request->path);
    query_release(&request->query);
    buffer_wipe(&request->kept);
    request->has_kept = false;
}

const char *request_query(const struct request *request, const char *name)
{
    return query_value(&request->query, name, 0);
}

static ssize_t read_body_file(struct request *request, void *bytes, size_t size,
                              struct error *error)
{
    if (request->body_descriptor < 0) {
        request->body_descriptor = open(request->body_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (request->body_descriptor < 0) {
        return error_errno(error,
                           "open the request body '%s' (the workers must run as the web server's "
                           "user)",
                           request->body_file);
    }
    return file_read_at(request->body_descriptor, request->received, bytes, size, error);
}

/* Bytes from the connection; 0 at its end, whatever the reason for that. */
static ssize_t read_connection(struct request *request, void *bytes, size_t size,
                               struct error *error)
{
    ssize_t got;

    if (request->fastcgi) {
        int asked = size > INT32_MAX ? INT32_MAX : (int)size;

        got = FCGX_GetStr(bytes, asked, request->fastcgi->in);
        /* What came before the break is worth keeping; the next call reports it. */
        if (got <= 0 && FCGX_GetError(request->fastcgi->in) != 0) {
            return error_set(error, ERROR_CLIENT_GONE, "the client broke off the request");
        }
        return got;
    }
    do {
        got = read(STDIN_FILENO, bytes, size);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? error_set(error, ERROR_CLIENT_GONE, "the client broke off the request") : got;
}

ssize_t request_read(struct request *request, void *bytes, size_t size, struct error *error)
{
    ssize_t got;

    if (request->has_length && size > request->length - request->received) {
        size = (size_t)(request->length - request->received);
    }
    if (size == 0) {
        return 0;
    }
    got = request->body_file ? read_body_file(request, bytes, size, error)
                             : read_connection(request, bytes, size, error);
    if (got < 0) {
        return -1;
    }
    request->received += (uint64_t)got;
    if (got == 0 && request->has_length) {
        return error_set(error, ERROR_CLIENT_GONE, "the body ended before its length");
    }
    return got;
}

bool request_is_consumed(const struct request *request)
{
    bool has_body = strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0;

    if (request->pass == PASS_AUTHORIZER) {
        return false; /* there is no such record: one would wait for it */
    }
    if (has_body && !request->body_file &&
        !(request->has_length && request->received == request->length)) {
        return false;
    }
    /* The record that ends the body may still be on its way, also that of an empty one. */
    return FCGX_GetChar(request->fastcgi->in) == EOF && FCGX_GetError(request->fastcgi->in) == 0;
}

void request_read_rest(struct request *request)
{
    char rest[16 * 1024];
    struct error gone;
    struct stat status;

    if (request->fastcgi || request->body_file || fstat(STDIN_FILENO, &status) < 0 ||
        !S_ISSOCK(status.st_mode)) {
        return;
    }
    while (request_read(request, rest, sizeof(rest), &gone) > 0) {
    }
}

int request_read_all(struct request *request, size_t limit, struct buffer *out, struct error *error)
{
    if (request->has_length && request->length > limit) {
        return 0;
    }
    for (;;) {
        enum { PIECE = 64 * 1024 };
        size_t room = limit + 1 - out->length < PIECE ? limit + 1 - out->length : PIECE;
        ssize_t got = request_read(request, buffer_reserve(out, room), room, error);

        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            return 1;
        }
        buffer_added(out, (size_t)got);
        if (out->length > limit) {
            return 0;
        }
    }
}

int request_read_form(struct request *request, size_t limit, struct buffer *out,
                      struct error *error)
{
    (void)buffer_reserve(out, limit + 1);
    if (!request->has_kept) {
        int fits;

        (void)buffer_reserve(&request->kept, limit + 1);
        fits = request_read_all(request, limit, &request->kept, error);
        if (fits <= 0) {
            return fits;
        }
        request->has_kept = true;
    }
    buffer_add(out, request->kept.data, request->kept.length);
    return 1;
}
