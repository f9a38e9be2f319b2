/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/http/client.h"
#include "tests/unit/answers.h"

/* Which connections a server sees of a client that asks again. */

static struct error error;
static struct server server;

/* Answers each request of a connection, in a process of its own, so that others can come. */
static void answer_kept(struct server *with, const void *context)
{
    char more[4096];

    if (fork_child() == 0) {
        do {
            (void)server_send_text(with, context);
        } while (recv(with->connection, more, sizeof(more), 0) > 0);
        _exit(0);
    }
}

static int ask(const struct http_request *request, bool reads)
{
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    AUTO_BUFFER struct buffer body = BUFFER_INIT;

    if (http_open(&transfer, request, &error) < 0) {
        return -1;
    }
    return reads ? http_read_all(&transfer, 1024 * 1024, &body, &error) : 1;
}

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static const struct {
    const char *answer;
    bool reads;
    unsigned connections; /* for three requests */
} answers[] = {
    {HELLO, true, 1},
    {HELLO, false, 1}, /* a redirect's body, which nobody wants */
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true, 1},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true, 1},
    /* What would go on is not waited for. */
    {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", false, 3},
    {"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\nhello", false, 3},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", false, 3},
    {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", true, 3},
    /* Nobody may answer what was not asked yet. */
    {HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nworld", true, 3},
};

static void keeps_a_connection_that_is_done_with(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct http_request request;

        server_start(&server, answer_kept, answers[i].answer);
        request = server_request(&server, "http");
        for (int j = 0; j < 3; j++) {
            assert_returns(1, ask(&request, answers[i].reads));
        }
        assert_int_equal(server.seen->connections, answers[i].connections);
        server_end(&server);
    }
}

/* A log-in while the answer that asks for it is open. */
static void answers_that_are_open_together_do_not_meet(void **state)
{
    AUTO_HTTP_TRANSFER struct http_transfer outer = HTTP_TRANSFER_INIT;
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    struct http_request request;

    (void)state;
    server_start(&server, answer_kept, HELLO);
    request = server_request(&server, "http");
    assert_returns(0, http_open(&outer, &request, &error));
    assert_returns(1, ask(&request, true));
    assert_returns(1, http_read_all(&outer, 1024, &body, &error));
    assert_string_equal(body.data, "hello");
    server_end(&server);
}

static void a_policy_gets_no_connection_of_another(void **state)
{
    struct http_request request;
    struct http_request other;

    (void)state;
    server_start(&server, answer_kept, HELLO);
    request = server_request(&server, "http");
    assert_returns(1, ask(&request, true));
    other = request;
    other.allow_private_address = false;
    assert_fails(ERROR_DENIED, ask(&other, true));
    other = request;
    other.allow_http = false;
    assert_returns(-1, ask(&other, true));
    other = request;
    other.proxy = "http://127.0.0.1:1";
    assert_returns(-1, ask(&other, true));
    assert_int_equal(server.seen->connections, 1);
    other = request;
    other.ca_file = "/etc/ssl/certs/ca-certificates.crt";
    assert_returns(1, ask(&other, true));
    assert_int_equal(server.seen->connections, 2);
    assert_returns(1, ask(&request, true));
    assert_int_equal(server.seen->connections, 2);
    server_end(&server);
}

/* More policies than are kept: the last one begins anew. */
static void old_policies_make_room(void **state)
{
    static const char *const files[] = {"/1", "/2", "/3", "/4", "/5", "/6", "/1"};
    struct http_request request;

    (void)state;
    server_start(&server, answer_kept, HELLO);
    request = server_request(&server, "http");
    for (size_t i = 0; i < COUNT(files); i++) {
        request.ca_file = files[i];
        assert_returns(1, ask(&request, true));
    }
    assert_int_equal(server.seen->connections, COUNT(files));
    server_end(&server);
}

static int ask_in_child(struct fixture *fixture)
{
    struct http_request request = server_request(&server, "http");

    (void)fixture;
    EXPECT(ask(&request, true) == 1);
    EXPECT(ask(&request, true) == 1);
    EXPECT(server.seen->connections == 2);
    return 0;
}

static void a_forked_process_leaves_its_parents_connections_alone(void **state)
{
    struct http_request request;

    server_start(&server, answer_kept, HELLO);
    request = server_request(&server, "http");
    assert_returns(1, ask(&request, true));
    run_in_child(ask_in_child, *state);
    assert_returns(1, ask(&request, true));
    assert_int_equal(server.seen->connections, 2);
    server_end(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(keeps_a_connection_that_is_done_with),
        IN_DIRECTORY(answers_that_are_open_together_do_not_meet),
        IN_DIRECTORY(a_policy_gets_no_connection_of_another),
        IN_DIRECTORY(old_policies_make_room),
        IN_DIRECTORY(a_forked_process_leaves_its_parents_connections_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
