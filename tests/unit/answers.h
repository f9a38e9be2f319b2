/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_ANSWERS_H
#define UNIT_ANSWERS_H

/* What tests/unit/server answers to clients that are tested, and what these ask. */

#include "lib/http/client.h"
#include "tests/unit/server.h"

enum {
    LONG = 30000, /* milliseconds: never meant to be reached */
    SHORT = 300,
    DRIP = 20,
};

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define CLOSES OK "Connection: close\r\n\r\n"

#define LINE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define KILOBYTE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE

/* A request for it, without limits that could be reached. */
struct http_request server_request(const struct server *server, const char *scheme);

/* Each a server_answer. This text, and no more, or silence behind it. */
void answer_text(struct server *with, const void *text);
void answer_and_hold(struct server *with, const void *text);

/* What comes again and again behind a beginning. */
struct flood {
    const char *begin;
    const char *again;
    unsigned pause; /* milliseconds; 0: as fast as it goes */
};
void answer_flood(struct server *with, const void *flood);

/* So many times KILOBYTE: an unsigned. */
void answer_large(struct server *with, const void *kilobytes);

#endif
