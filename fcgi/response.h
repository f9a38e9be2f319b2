/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_RESPONSE_H
#define FCGI_RESPONSE_H

/*
 * An answer as a value: status, headers, and a body that is nothing, bytes or a file. Handlers fill
 * it in; response_send() alone decides how it leaves: as bytes, by X-Accel-Redirect or X-Sendfile,
 * or copied.
 */

#include "fcgi/request.h"
#include "fcgi/status.h"
#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "lib/proxy/fill/stream.h"

enum response_body {
    BODY_NONE,
    BODY_BYTES,
    BODY_FILE,
    BODY_STREAM, /* still on its way from another registry */
};

struct response {
    int status;
    struct buffer headers;         /* "Name: value\r\n" each */
    struct buffer content_headers; /* those that are true of the content only, not of an error */
    /* What a browser may do with a page of ours (Content-Security-Policy); NULL: it is what others
     * have pushed, with which it may do nothing. */
    const char *policy;
    enum response_body body;
    struct buffer bytes;
    /* For a file: */
    int descriptor; /* owned; -1 if the web server is to open it */
    uint64_t size;  /* bytes: of a file or stream, or of what is left out of an answer to HEAD */
    struct buffer target;  /* path below the root of its store */
    const char *root;      /* absolute path of that store */
    const char *store;     /* "registry" or "proxy": the name of the web server's location */
    struct stream *stream; /* owned, or NULL */
    bool is_continued;     /* in another request, which the web server makes of this one */
    uint64_t sent;         /* bytes of body that left, or were handed over */
};

#define RESPONSE_INIT                                                                              \
    {                                                                                              \
        .status = 200, .headers = BUFFER_INIT, .content_headers = BUFFER_INIT,                     \
        .bytes = BUFFER_INIT, .descriptor = -1, .target = BUFFER_INIT                              \
    }

void response_header(struct response *response, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* For what describes the content: an error drops it again. */
void response_content_header(struct response *response, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* No cache that others use may keep it: adds that to what is said of caching. */
void response_make_private(struct response *response);

/* Forgets everything. */
void response_reset(struct response *response);

/*
 * Turns an error into the answer that the distribution specification has for it ("Error Codes").
 * `details` holds JSON values, one a line, each to be reported on its own; it may be empty. Headers
 * that are set already stay, those of content excepted.
 */
void response_error(struct response *response, const struct error *error,
                    const struct buffer *details);

/* Whether a stream would make the web server ask again, in a place that is made for streams. */
bool response_is_asked_again(const struct request *request);

/* Whether the web server takes files off our hands for this request. */
bool response_can_hand_over(const struct request *request);

/*
 * Sends it to its end: what is left of the request is the connection. -1, ERROR_CLIENT_GONE, if the
 * client has gone; -1, ERROR_INTERNAL, if the body could not be sent whole: then the connection is
 * cut in such a way that the client notices.
 */
int response_send(struct response *response, struct request *request, struct error *error);

#endif
