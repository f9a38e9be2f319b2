/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/test.h"

static void server_read_request(struct server *server)
{
    size_t length = 0;

    while (length < sizeof(server->request) - 1) {
        ssize_t got = recv(server->connection, server->request + length,
                           sizeof(server->request) - 1 - length, 0);

        if (got <= 0) {
            break;
        }
        length += (size_t)got;
        server->request[length] = '\0';
        if (strstr(server->request, "\r\n\r\n") || server->request[0] == 0x16) {
            break; /* or somebody begins with TLS */
        }
    }
    server->request[length] = '\0';
    (void)snprintf(server->seen->request, sizeof(server->seen->request), "%.4000s",
                   server->request);
}

static void server_run(struct server *server, int listener, server_answer *answer,
                       const void *context)
{
    int yes = 1;

    while ((server->connection = accept(listener, NULL, NULL)) >= 0) {
        server->seen->connections++;
        (void)setsockopt(server->connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        server_read_request(server);
        answer(server, context);
        (void)close(server->connection);
    }
}

void server_start(struct server *server, server_answer *answer, const void *context)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)(const void *)&address, length), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)(void *)&address, &length), 0);
    *server = (struct server){.port = ntohs(address.sin_port)};
    server->seen = mmap(NULL, sizeof(*server->seen), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(server->seen != MAP_FAILED);
    server->process = fork_child();
    if (server->process == 0) {
        server_run(server, listener, answer, context);
        _exit(0);
    }
    (void)close(listener);
}

void server_end(struct server *server)
{
    end_child(server->process);
    (void)munmap(server->seen, sizeof(*server->seen));
}

bool server_send(struct server *server, const void *bytes, size_t length)
{
    const char *cursor = bytes;

    while (length > 0) {
        ssize_t sent = send(server->connection, cursor, length, MSG_NOSIGNAL);

        if (sent <= 0) {
            server->seen->left++;
            return false;
        }
        cursor += sent;
        length -= (size_t)sent;
        server->seen->sent += (uint64_t)sent;
    }
    return true;
}

bool server_send_text(struct server *server, const char *text)
{
    return server_send(server, text, strlen(text));
}

/* Waits; true if the client has left meanwhile. */
static bool server_is_left(struct server *server, int milliseconds)
{
    struct pollfd wish = {.fd = server->connection, .events = POLLIN};
    char byte;

    if (poll(&wish, 1, milliseconds) > 0 && recv(server->connection, &byte, 1, 0) <= 0) {
        server->seen->left++;
        return true;
    }
    return false;
}

bool server_repeat(struct server *server, const char *text, unsigned pause, unsigned count)
{
    for (unsigned i = 0; count == 0 || i < count; i++) {
        if (!server_send_text(server, text) || (pause > 0 && server_is_left(server, (int)pause))) {
            return false;
        }
    }
    return true;
}

void server_hold(struct server *server)
{
    while (!server_is_left(server, 1000)) {
    }
}
