/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

/*
 * The status and the headers of a response, line by line, as somebody sends them whom nobody has
 * to trust (RFC 9112, 4 to 6; RFC 9110, 15). Pure.
 *
 * Responses of 1xx are read over, but for 101: nothing was asked to be switched to, and what
 * follows would be no HTTP. A head is refused when it, with all that went before and the trailers
 * behind, has too many lines or bytes; when a value has control characters; and when it leaves
 * open where the body ends (RFC 9112, 6.3): several lengths, a length beside chunks, a coding that
 * was not asked for.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buffer.h"
#include "lib/base/error.h"

struct http_head {
    int status;   /* of the last status line */
    bool is_open; /* a status line has come, the empty line behind its headers has not */
    bool complete;
    bool has_length;
    uint64_t length;     /* Content-Length: bytes of the body, if it was told */
    struct buffer lines; /* "name: value\n" each, names in lower case */
    unsigned count;      /* lines that came, whether or not they are kept */
    size_t bytes;
    unsigned interim; /* responses of 1xx */
};

#define HTTP_HEAD_INIT                                                                             \
    {                                                                                              \
        .lines = BUFFER_INIT                                                                       \
    }

/*
 * Takes the next line, with or without its line break; an empty one ends the head. What comes
 * behind a complete head is a trailer: counted, not kept. ERROR_UPSTREAM: it is refused.
 */
int http_head_add(struct http_head *head, const char *line, size_t length, struct error *error);

/* The n-th header of this name (in lower case), copied to `out`. */
bool http_head_find(const struct http_head *head, const char *name, unsigned n, struct buffer *out);

void http_head_release(struct http_head *head);

#endif
