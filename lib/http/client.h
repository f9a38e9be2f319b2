/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

/*
 * One HTTP request to somewhere else, read at the caller's pace. Redirects are not followed and
 * nothing of the environment is used. Every new connection is checked after the name was resolved:
 * unless private addresses are allowed, it must lead to the public internet.
 *
 * Calling sequence: http_open() returns when the status and headers are there; http_read() until it
 * returns 0 or -1; http_close() in any case.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/buffer.h"
#include "lib/base/error.h"

struct http_request {
    const char *method; /* GET, HEAD or POST */
    const char *url;
    struct buffer headers;     /* "Name: value\n" each */
    const struct buffer *body; /* for POST; chunked if a header says so */
    const char *proxy;         /* "" for none */
    const char *ca_file;       /* "" for the system's */
    uint64_t connect_timeout;
    uint64_t stall_timeout; /* seconds without a byte */
    bool allow_private_address;
    bool allow_http; /* else https only */
};

struct http_transfer {
    void *multi; /* of libcurl */
    void *easy;
    void *header_list;
    const struct http_request *request;
    int status; /* 0 until it is known */
    bool headers_complete;
    bool is_connected;
    bool refused_address; /* the policy forbade the connection */
    bool has_length;
    uint64_t length;       /* bytes of the body, if the server told */
    struct buffer headers; /* "name: value\n" each, names in lower case */
    struct buffer pending; /* body that has come and was not read yet */
    size_t consumed;       /* bytes of it that were */
    int64_t waiting_since; /* milliseconds: the last byte, or when we began to wait for the next */
    bool finished;
    int result; /* of libcurl, when finished */
};

#define HTTP_TRANSFER_INIT                                                                         \
    {                                                                                              \
        .headers = BUFFER_INIT, .pending = BUFFER_INIT                                             \
    }
#define AUTO_HTTP_TRANSFER AUTO(http_close)

/*
 * ERROR_UPSTREAM_UNREACHABLE (resolving, connecting, TLS), ERROR_UPSTREAM_TIMEOUT, ERROR_DENIED (a
 * private address), ERROR_UPSTREAM for what is no HTTP. `request` must outlive the transfer.
 */
int http_open(struct http_transfer *transfer, const struct http_request *request,
              struct error *error);

/* More than 0 bytes; 0 when the body is complete; -1 if it broke off or stalled. */
ssize_t http_read(struct http_transfer *transfer, void *bytes, size_t size, struct error *error);

/* 1 and the whole body; 0 if it has more than `limit` bytes; -1. */
int http_read_all(struct http_transfer *transfer, size_t limit, struct buffer *out,
                  struct error *error);

/* The n-th header of this name (in lower case), copied to `out`. */
bool http_header(const struct http_transfer *transfer, const char *name, unsigned n,
                 struct buffer *out);

void http_close(struct http_transfer *transfer);

#endif
