/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

/*
 * One HTTP request to somewhere else, read at the caller's pace. Redirects are not followed and
 * nothing of the environment is used. Every new connection is checked after the name was resolved:
 * unless private addresses are allowed, it must lead to the public internet. Through a proxy it is
 * the proxy that connects: there the target is looked up before, as far as it can be from here.
 *
 * Connections are kept for the next request of this process under the same policy: see
 * lib/http/connections.
 *
 * Calling sequence: http_open() returns when the status and headers are there; http_read() or
 * http_lend() until it returns 0 or -1, or http_pour(); http_close() in any case.
 *
 * Nobody at the other end is trusted with our time or memory. Each step has a limit, looked at also
 * while bytes keep coming: connecting (name, connection and TLS together), the headers from then
 * on, a silence in the body, and the body's rate on average over as long as a silence may last.
 * What the caller takes between two reads does not count against the other side. What comes before
 * it is asked for is left in the connection.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "lib/http/head.h"
#include "lib/http/party.h"

struct http_request {
    const char *method; /* GET, HEAD or POST */
    const char *url;
    const char *upstream;          /* for messages: X of [upstream X]; NULL: it has no section */
    struct buffer headers;         /* "Name: value\n" each */
    const struct buffer *body;     /* for POST; chunked if a header says so */
    const char *proxy;             /* "" for none */
    const char *ca_file;           /* "" for the system's */
    uint64_t connect_milliseconds; /* until a connection stands */
    uint64_t stall_milliseconds;   /* from then to the end of the headers; without a byte of body */
    uint64_t minimum_rate;         /* bytes of body per second; 0: any */
    int64_t deadline;              /* of clock_milliseconds(), for the headers and for
                                      http_read_all(); 0: none */
    bool allow_private_address;
    bool allow_http; /* else https only */
};

/* Who is given a body as it comes: first in a structure of the caller's. 0, or -1 and an error to
 * end the transfer with. */
struct http_taker {
    int (*take)(struct http_taker *taker, const void *bytes, size_t length, struct error *error);
};

struct http_transfer {
    void *multi; /* of libcurl, shared with other transfers of this process */
    void *easy;
    void *header_list;
    const struct http_request *request;
    int status;      /* 0 until the headers are complete */
    bool has_length; /* the server has told how long the body is */
    uint64_t length; /* bytes */
    struct http_head head;
    struct buffer pending;    /* body that has come and was not read yet */
    size_t consumed;          /* bytes of it that were: all of them, until the next is asked for */
    struct http_taker *taker; /* of what comes next; NULL: it is pending */
    uint64_t received;        /* bytes of body that have come */
    bool is_closing;          /* what comes now is wanted by nobody */
    bool is_paused;           /* libcurl holds more of the body back */
    bool is_document;         /* the request's deadline is for the body, too */
    int64_t opened;           /* milliseconds, as all times here */
    int64_t connected;        /* 0: not yet */
    int64_t waiting_since;    /* the last byte of body, or when we began to wait for the next */
    int64_t window_waited;    /* how long we waited until then, since the rate was last judged */
    uint64_t window_bytes;    /* and what came */
    bool finished;
    int result;           /* of libcurl, when finished */
    struct error failure; /* why we ended it ourselves */
    bool refused_address; /* the policy forbade a connection */
    int own_errno;        /* of a socket that we could not have */
    char details[256];    /* libcurl's words */
};

#define HTTP_TRANSFER_INIT                                                                         \
    {                                                                                              \
        .head = HTTP_HEAD_INIT, .pending = BUFFER_INIT                                             \
    }
#define AUTO_HTTP_TRANSFER AUTO(http_close)

/*
 * ERROR_UPSTREAM_UNREACHABLE (resolving, connecting, TLS), ERROR_UPSTREAM_TIMEOUT, ERROR_DENIED (a
 * private address), ERROR_UPSTREAM for what is no HTTP; ERROR_INTERNAL when it is we who have no
 * descriptors or memory; ERROR_CLIENT_GONE when nobody wants the answer any more
 * (process_serve()). `request` must outlive the transfer.
 */
int http_open(struct http_transfer *transfer, const struct http_request *request,
              struct error *error);

/* What the other side of an https request turned out to speak, whether or not http_open() failed.
 */
enum http_language { HTTP_LANGUAGE_UNKNOWN, HTTP_LANGUAGE_PLAIN, HTTP_LANGUAGE_TLS };
enum http_language http_language(const struct http_transfer *transfer);

/* More than 0 bytes; 0 when the body is complete; -1 if it broke off, stalled or dripped. */
ssize_t http_read(struct http_transfer *transfer, void *bytes, size_t size, struct error *error);

/* The same without a copy: at most `size` bytes, which are the transfer's, and stay where they are
 * until something is asked of any transfer. */
ssize_t http_lend(struct http_transfer *transfer, size_t size, const char **out_bytes,
                  struct error *error);

/*
 * Gives all that is left of the body to the taker as soon as it is there, in pieces that stay in a
 * processor's cache meanwhile (libcurl hands over 16 KiB at a time): 0 when the body is complete;
 * -1 as http_read(), or with the taker's own error, after which he is given nothing more. Nothing
 * of this transfer may be asked for meanwhile.
 */
int http_pour(struct http_transfer *transfer, struct http_taker *taker, struct error *error);

/* 1 and the whole body; 0 if it has more than `limit` bytes; -1, also at the request's deadline. */
int http_read_all(struct http_transfer *transfer, size_t limit, struct buffer *out,
                  struct error *error);

/* The n-th header of this name (in lower case), copied to `out`. */
bool http_header(const struct http_transfer *transfer, const char *name, unsigned n,
                 struct buffer *out);

/* Lets go. The little that may be left of a body is read over, if it is there, for the connection
 * to be of use to the next request. */
void http_close(struct http_transfer *transfer);

#endif
