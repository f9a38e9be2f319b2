/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_SERVER_H
#define UNIT_SERVER_H

/*
 * A server of raw bytes in a child process, on a port of its own of 127.0.0.1: it reads a request
 * up to the empty line and then does what the test wants, however wrong. One connection at a time.
 * Declare it `struct server server; server_start(&server, …)`, and end it with server_end().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct server_seen { /* shared with the child */
    volatile uint64_t sent;
    volatile unsigned connections;
    volatile unsigned left; /* clients that closed a connection before we did */
    char request[4096];     /* the beginning of the last one that was read */
};

struct server {
    pid_t process;
    unsigned port;
    struct server_seen *seen;
    int connection;      /* in the child */
    char request[65536]; /* in the child: the last one */
};

typedef void server_answer(struct server *server, const void *context);

void server_start(struct server *server, server_answer *answer, const void *context);
void server_end(struct server *server);

/* For answers. False when the client has left. */
bool server_send(struct server *server, const void *bytes, size_t length);
bool server_send_text(struct server *server, const char *text);
/* Again and again, with a pause of so many milliseconds. `count` 0: until the client leaves. */
bool server_repeat(struct server *server, const char *text, unsigned pause, unsigned count);
/* Silence until the client leaves. */
void server_hold(struct server *server);

#endif
