/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/http/client.h"
#include "tests/unit/answers.h"
#include "tests/unit/server.h"

/*
 * Against a server of raw bytes. Time-outs are short; nothing here looks at how long something
 * took, only at what ended it: what would go on for ever ends by the test's alarm.
 */

static struct error error;
static struct server server;
/* The whole of a short answer, against the text that is served. */
static int fetch(const struct http_request *request, struct http_transfer *transfer,
                 struct buffer *out_body)
{
    if (http_open(transfer, request, &error) < 0) {
        return -1;
    }
    return http_read_all(transfer, 1024 * 1024, out_body, &error);
}

static const struct {
    const char *answer;
    const char *body;
    int status;
} understood[] = {
    {OK "Content-Length: 5\r\n\r\nhello", "hello", 200},
    {CHUNKED "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", "hello", 200},
    {CHUNKED "5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n", "hello", 200},
    {CLOSES "hello", "hello", 200},
    {"HTTP/1.0 404 Nothing here\n\nhello", "hello", 404},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
     "HTTP/1.1 102 Processing\r\n\r\n" OK "Content-Length: 5\r\n\r\nhello",
     "hello", 200},
    {OK "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\n\x1f\x8b\x08zz", "\x1f\x8b\x08zz", 200},
};

static void reads_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(understood); i++) {
        AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
        AUTO_BUFFER struct buffer body = BUFFER_INIT;
        AUTO_BUFFER struct buffer ignored = BUFFER_INIT;
        struct http_request request;

        server_start(&server, answer_text, understood[i].answer);
        request = server_request(&server, "http");
        assert_returns(1, fetch(&request, &transfer, &body));
        assert_int_equal(transfer.status, understood[i].status);
        assert_string_equal(body.data, understood[i].body);
        assert_false(http_header(&transfer, "x-trailer", 0, &ignored));
        assert_false(http_header(&transfer, "link", 0, &ignored));
        server_end(&server);
    }
}

static const struct {
    const char *answer;
    const char *words;
} misleading[] = {
    {"", "without an answer"},
    {"hello", "HTTP"},
    {"<html>\r\n\r\n", "HTTP"},
    {"HTTP/1.1 2\r\n\r\n", "HTTP"},
    {"HTTP/7.7 200 OK\r\n\r\n", "HTTP"},
    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nhello", "101"},
    {"HTTP/1.1 100 Continue\r\n\r\n", "without an answer"},
    {OK "Content-Length: 5\r\n", "broke"},
    {OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "length"},
    {OK "Content-Length: 5, 5\r\n\r\nhello", "length"},
    {OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "length"},
    {OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "encodes"},
    {OK "Content-Length: 99999999999999999999\r\n\r\nhello", "length"},
    {OK "Location: http://a.example/\rX: y\r\n\r\n", "control"},
    {OK "Content-Length: 6\r\n\r\nhello", "before the end"},
    {CHUNKED "5\r\nhello\r\n", "broke"},
    {CHUNKED "zz\r\nhello\r\n", "chunks"},
    {CHUNKED "fffffffffffffffff\r\nhello\r\n", "chunks"},
};

static void refuses_what_misleads(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(misleading); i++) {
        AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
        AUTO_BUFFER struct buffer body = BUFFER_INIT;
        struct http_request request;

        server_start(&server, answer_text, misleading[i].answer);
        request = server_request(&server, "http");
        assert_fails(ERROR_UPSTREAM, fetch(&request, &transfer, &body));
        if (!strstr(error.message, misleading[i].words)) {
            fail_msg("%s: '%s', not '%s'", misleading[i].answer, error.message,
                     misleading[i].words);
        }
        server_end(&server);
    }
}

static void answer_nul(struct server *with, const void *context)
{
    static const char text[] = OK "Location: /a\0b\r\nContent-Length: 0\r\n\r\n";

    (void)context;
    (void)server_send(with, text, sizeof(text) - 1);
}

static void refuses_a_nul_in_a_header(void **state)
{
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    struct http_request request;

    (void)state;
    server_start(&server, answer_nul, NULL);
    request = server_request(&server, "http");
    assert_fails(ERROR_UPSTREAM, http_open(&transfer, &request, &error));
    server_end(&server);
}

/* Each would go on for ever. */
static const struct {
    struct flood flood;
    enum error_code code;
} floods[] = {
    {{"HTTP/1.1 101 Switching Protocols\r\n\r\n", KILOBYTE, 0}, ERROR_UPSTREAM},
    {{"HTTP/1.1 101 Switching Protocols\r\n\r\n", "x", DRIP}, ERROR_UPSTREAM},
    {{"", "HTTP/1.1 100 Continue\r\n\r\n", 0}, ERROR_UPSTREAM},
    {{"", "HTTP/1.1 100 Continue\r\n\r\n", DRIP}, ERROR_NONE}, /* too many, or too late */
    {{"", KILOBYTE, 0}, ERROR_UPSTREAM},
    {{"", "x", DRIP}, ERROR_UPSTREAM},
    {{"HTTP/1.1 200 ", KILOBYTE, 0}, ERROR_UPSTREAM},
    {{"HTTP/1.1 200 ", "x", DRIP}, ERROR_UPSTREAM_TIMEOUT},
    {{OK, "X-Header: " KILOBYTE "\r\n", 0}, ERROR_UPSTREAM},
    {{OK, "X: y\r\n", DRIP}, ERROR_UPSTREAM_TIMEOUT},
    {{OK "X: ", KILOBYTE, 0}, ERROR_UPSTREAM},
    {{OK "X: ", "y", DRIP}, ERROR_UPSTREAM_TIMEOUT},
    {{CHUNKED "0\r\n", "X-Trailer: " KILOBYTE "\r\n", 0}, ERROR_UPSTREAM},
    {{CHUNKED "0\r\n", "X: y\r\n", DRIP}, ERROR_UPSTREAM_TIMEOUT},
    {{CHUNKED "0\r\nX: ", KILOBYTE, 0}, ERROR_UPSTREAM},
    {{CHUNKED "5;x=", KILOBYTE, 0}, ERROR_UPSTREAM_TIMEOUT},
    {{CHUNKED "5;x=", "y", DRIP}, ERROR_UPSTREAM_TIMEOUT},
    {{CHUNKED, "0", DRIP}, ERROR_NONE},
    {{CHUNKED, "1\r\nx\r\n", DRIP}, ERROR_UPSTREAM_TIMEOUT},
    {{OK "Content-Length: 1000000\r\n\r\n", "x", DRIP}, ERROR_UPSTREAM_TIMEOUT},
    {{CLOSES, "x", DRIP}, ERROR_UPSTREAM_TIMEOUT},
};

/* Reads until it ends, for good or bad, and forgets what it read. */
static ssize_t drain(struct http_transfer *transfer)
{
    char bytes[4096];
    ssize_t got;

    do {
        got = http_read(transfer, bytes, sizeof(bytes), &error);
        assert_true(transfer->pending.length <= 2 * 1024 * 1024);
    } while (got > 0);
    return got;
}

static void floods_and_drips_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(floods); i++) {
        AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
        struct http_request request;
        ssize_t result;

        server_start(&server, answer_flood, &floods[i].flood);
        request = server_request(&server, "http");
        request.stall_milliseconds = floods[i].code == ERROR_UPSTREAM ? LONG : SHORT;
        request.minimum_rate = 1000;
        result = http_open(&transfer, &request, &error);
        if (result == 0) {
            result = drain(&transfer);
        }
        if (result != -1 || (error.code != floods[i].code && floods[i].code != ERROR_NONE)) {
            fail_msg("%s%.20s: %zd, %d, %s", floods[i].flood.begin, floods[i].flood.again, result,
                     (int)error.code, error.message);
        }
        server_end(&server);
    }
}

/* Reads whatever there is, taking its time for each piece. */
static void reads_slowly(struct http_transfer *transfer, int64_t pause, uint64_t total)
{
    char *bytes = malloc(1024 * 1024);
    uint64_t size = 0;
    ssize_t got;

    assert_non_null(bytes);
    while ((got = http_read(transfer, bytes, 1024 * 1024, &error)) > 0) {
        size += (uint64_t)got;
        clock_pause(pause);
    }
    assert_returns(0, got);
    assert_int_equal(size, total);
    free(bytes);
}

static void the_readers_time_is_not_the_upstreams(void **state)
{
    static const unsigned kilobytes = 4 * 1024;
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    struct http_request request;

    (void)state;
    server_start(&server, answer_large, &kilobytes);
    request = server_request(&server, "http");
    request.stall_milliseconds = 3 * SHORT;
    request.minimum_rate = 2 * 1024 * 1024; /* more than we read in a second */
    assert_returns(0, http_open(&transfer, &request, &error));
    reads_slowly(&transfer, 4 * SHORT, (sizeof(KILOBYTE) - 1) * kilobytes);
    server_end(&server);
}

/* In pieces as long as asked for, one behind the other in what has come. */
static void what_is_lent_is_not_copied(void **state)
{
    static const unsigned kilobytes = 4 * 1024;
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    struct http_request request;
    uint64_t size = 0;
    const char *lent;
    ssize_t got;

    (void)state;
    server_start(&server, answer_large, &kilobytes);
    request = server_request(&server, "http");
    assert_returns(0, http_open(&transfer, &request, &error));
    while ((got = http_lend(&transfer, 1000, &lent, &error)) > 0) {
        assert_true(got <= 1000);
        assert_true(lent >= transfer.pending.data &&
                    lent + got <= transfer.pending.data + transfer.pending.length);
        for (ssize_t i = 0; i < got; i++) {
            assert_int_equal(lent[i], KILOBYTE[(size + (uint64_t)i) % (sizeof(KILOBYTE) - 1)]);
        }
        size += (uint64_t)got;
    }
    assert_returns(0, got);
    assert_int_equal(size, (sizeof(KILOBYTE) - 1) * kilobytes);
    server_end(&server);
}

static void a_rate_above_the_minimum_is_enough(void **state)
{
    static const struct flood drip = {OK "Content-Length: 150\r\n\r\n", "x", DRIP};
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    struct http_request request;

    (void)state;
    server_start(&server, answer_flood, &drip);
    request = server_request(&server, "http");
    request.stall_milliseconds = 5 * SHORT;
    request.minimum_rate = 1;
    assert_returns(1, fetch(&request, &transfer, &body));
    assert_int_equal(body.length, 150);
    server_end(&server);
}

/* An endless body, read by nobody: what libcurl holds has a limit, and so have we. */
static void what_nobody_reads_stays_in_the_connection(void **state)
{
    static const struct flood flood = {CHUNKED, "400\r\n" KILOBYTE "\r\n", 0};
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    struct http_request request;
    struct rusage before;
    struct rusage after;

    (void)state;
    server_start(&server, answer_flood, &flood);
    request = server_request(&server, "http");
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    assert_returns(0, http_open(&transfer, &request, &error));
    for (int i = 0; i < 100; i++) {
        char bytes[1000];

        assert_true(http_read(&transfer, bytes, sizeof(bytes), &error) > 0);
        clock_pause(1);
    }
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    assert_true(after.ru_maxrss - before.ru_maxrss < 4 * 1024); /* kilobytes */
    server_end(&server);
}

static void a_document_has_a_deadline(void **state)
{
    static const struct flood drips[] = {
        {CLOSES, "xxxxxxxxxx", DRIP}, /* fast enough, and never ready */
        {OK "X: ", "y", DRIP},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(drips); i++) {
        AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
        AUTO_BUFFER struct buffer body = BUFFER_INIT;
        struct http_request request;

        server_start(&server, answer_flood, &drips[i]);
        request = server_request(&server, "http");
        request.deadline = clock_milliseconds() + SHORT;
        assert_fails(ERROR_UPSTREAM_TIMEOUT, fetch(&request, &transfer, &body));
        assert_non_null(strstr(error.message, "too long"));
        server_end(&server);
    }
}

static void answer_nothing(struct server *with, const void *context)
{
    (void)context;
    server_hold(with);
}

static void silence_ends_wherever_it_begins(void **state)
{
    static const struct {
        const char *scheme;
        const char *words;
    } silent[] = {
        {"http", "does not answer in time"},
        {"https", "cannot be connected to in time"}, /* TLS does not come about */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(silent); i++) {
        AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
        struct http_request request;

        server_start(&server, answer_nothing, NULL);
        request = server_request(&server, silent[i].scheme);
        request.connect_milliseconds = i == 0 ? LONG : SHORT;
        request.stall_milliseconds = i == 0 ? SHORT : LONG;
        assert_fails(ERROR_UPSTREAM_TIMEOUT, http_open(&transfer, &request, &error));
        assert_non_null(strstr(error.message, silent[i].words));
        server_end(&server);
    }
}

/* A server that shows what it was asked for. */
static void answer_echo(struct server *with, const void *context)
{
    char head[128];

    (void)context;
    (void)snprintf(head, sizeof(head), OK "Content-Length: %zu\r\n\r\n", strlen(with->request));
    (void)(server_send_text(with, head) && server_send_text(with, with->request));
}

static void asks_as_it_is_told(void **state)
{
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    struct http_request request;

    (void)state;
    server_start(&server, answer_echo, NULL);
    request = server_request(&server, "http");
    buffer_add_text(&request.headers, "X-One: 1\nX-Two: 2\n");
    assert_returns(1, fetch(&request, &transfer, &body));
    assert_non_null(strstr(body.data, "GET /x HTTP/1.1\r\n"));
    assert_non_null(strstr(body.data, "\r\nX-One: 1\r\n"));
    assert_non_null(strstr(body.data, "\r\nX-Two: 2\r\n"));
    assert_non_null(strstr(body.data, "\r\nAccept-Encoding: identity\r\n"));
    buffer_release(&request.headers);
    server_end(&server);
}

static void says_why_it_cannot_connect(void **state)
{
    struct http_request request;

    (void)state;
    server_start(&server, answer_text, "HTTP/1.1 400 Bad Request\r\n\r\n");
    {
        AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;

        request = server_request(&server, "https");
        assert_fails(ERROR_UPSTREAM_UNREACHABLE, http_open(&transfer, &request, &error));
        assert_non_null(strstr(error.message, "url = http://"));
    }
    {
        AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;

        request = server_request(&server, "http");
        request.allow_private_address = false;
        assert_fails(ERROR_DENIED, http_open(&transfer, &request, &error));
        assert_non_null(strstr(error.message, "allow_private_address = yes"));
        assert_int_equal(server.seen->connections, 1);
    }
    server_end(&server);
    {
        AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;

        request = server_request(&server, "http");
        assert_fails(ERROR_UPSTREAM_UNREACHABLE, http_open(&transfer, &request, &error));
        assert_non_null(strstr(error.message, "refuses connections"));
    }
}

static int open_without_descriptors(struct fixture *fixture)
{
    static const char *const names[] = {"http://127.0.0.1:1/", "http://localhost:1/"};
    struct rlimit limit;

    (void)fixture;
    EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 0;
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (size_t i = 0; i < COUNT(names); i++) {
        struct http_transfer transfer = HTTP_TRANSFER_INIT;
        struct http_request request = server_request(&server, "http");

        request.url = names[i];
        error = (struct error)ERROR_INIT;
        EXPECT(http_open(&transfer, &request, &error) == -1);
        EXPECT(error.code == ERROR_INTERNAL);
        http_close(&transfer);
    }
    return 0;
}

static void own_shortage_is_internal(void **state)
{
    run_in_child(open_without_descriptors, *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(reads_answers),
        IN_DIRECTORY(refuses_what_misleads),
        IN_DIRECTORY(refuses_a_nul_in_a_header),
        IN_DIRECTORY(floods_and_drips_end),
        IN_DIRECTORY(the_readers_time_is_not_the_upstreams),
        IN_DIRECTORY(what_is_lent_is_not_copied),
        IN_DIRECTORY(a_rate_above_the_minimum_is_enough),
        IN_DIRECTORY(what_nobody_reads_stays_in_the_connection),
        IN_DIRECTORY(a_document_has_a_deadline),
        IN_DIRECTORY(silence_ends_wherever_it_begins),
        IN_DIRECTORY(asks_as_it_is_told),
        IN_DIRECTORY(says_why_it_cannot_connect),
        IN_DIRECTORY(own_shortage_is_internal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
