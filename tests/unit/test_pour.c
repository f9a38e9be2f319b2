/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "lib/base/clock.h"
#include "lib/http/client.h"
#include "tests/unit/answers.h"

/* A body that is given away as it comes: http_pour(). */

static struct error error;
static struct server server;

/* Takes KILOBYTE over and over, and what else is asked of it. */
struct collector {
    struct http_taker taker;
    uint64_t size;
    int64_t pause;  /* milliseconds for each piece */
    uint64_t limit; /* bytes that it has room for; 0: no limit */
};

static int collector_take(struct http_taker *taker, const void *bytes, size_t length,
                          struct error *out_error)
{
    struct collector *collector = (struct collector *)taker;
    const char *text = bytes;

    assert_true(length > 0);
    for (size_t i = 0; i < length; i += 61) { /* not each, for there are many */
        assert_int_equal(text[i], KILOBYTE[(collector->size + i) % (sizeof(KILOBYTE) - 1)]);
    }
    collector->size += length;
    clock_pause(collector->pause);
    return collector->limit > 0 && collector->size >= collector->limit
               ? error_set(out_error, ERROR_NO_SPACE, "no room")
               : 0;
}

/* Also what has come before, until libcurl had to hold back the rest. */
static void pours_a_body_from_where_it_was_read(void **state)
{
    static const unsigned kilobytes = 4 * 1024;
    const uint64_t total = (sizeof(KILOBYTE) - 1) * kilobytes;
    static const size_t before[] = {0, 1, 100000};

    (void)state;
    for (size_t i = 0; i < COUNT(before); i++) {
        AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
        struct collector collector = {.taker = {collector_take}};
        struct http_request request;

        server_start(&server, answer_large, &kilobytes);
        request = server_request(&server, "http");
        assert_returns(0, http_open(&transfer, &request, &error));
        while (collector.size < before[i]) {
            char byte;

            assert_returns(1, http_read(&transfer, &byte, 1, &error));
            collector.size++;
        }
        assert_returns(0, http_pour(&transfer, &collector.taker, &error));
        assert_int_equal(collector.size, total);
        assert_int_equal(transfer.received, total);
        server_end(&server);
    }
}

/* From where libcurl had to hold back what came. */
static void pours_small_pieces(void **state)
{
    static const struct flood chunks = {CHUNKED, "400\r\n" KILOBYTE "\r\n", 0};
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    struct collector collector = {.taker = {collector_take}};
    struct http_request request;

    (void)state;
    server_start(&server, answer_flood, &chunks);
    request = server_request(&server, "http");
    assert_returns(0, http_open(&transfer, &request, &error));
    while (!transfer.is_paused) {
        char bytes[100000];
        ssize_t got = http_read(&transfer, bytes, sizeof(bytes), &error);

        assert_true(got > 0);
        collector.size += (uint64_t)got;
        clock_pause(1);
    }
    collector.limit = collector.size + 3000000;
    assert_fails(ERROR_NO_SPACE, http_pour(&transfer, &collector.taker, &error));
    assert_true(collector.size >= collector.limit);
    server_end(&server);
}

/* Nothing is kept back for more to come; and who takes no more ends the transfer in his words. */
static void what_has_come_is_poured_at_once(void **state)
{
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    struct collector collector = {.taker = {collector_take}, .limit = 3};
    struct http_request request;

    (void)state;
    server_start(&server, answer_and_hold, OK "Content-Length: 100\r\n\r\n012");
    request = server_request(&server, "http");
    assert_returns(0, http_open(&transfer, &request, &error));
    assert_fails(ERROR_NO_SPACE, http_pour(&transfer, &collector.taker, &error));
    assert_string_equal(error.message, "no room");
    assert_int_equal(collector.size, 3);
    server_end(&server);
}

/* Also where bytes have always come already when he asks for more. */
static void the_takers_time_is_not_the_upstreams(void **state)
{
    static const unsigned kilobytes = 32 * 1024;
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    struct collector collector = {.taker = {collector_take}, .pause = DRIP};
    struct http_request request;

    (void)state;
    server_start(&server, answer_large, &kilobytes);
    request = server_request(&server, "http");
    request.stall_milliseconds = 5 * SHORT;
    request.minimum_rate = 16 * 1024 * 1024; /* more than is taken in a second */
    assert_returns(0, http_open(&transfer, &request, &error));
    assert_returns(0, http_pour(&transfer, &collector.taker, &error));
    assert_int_equal(collector.size, (sizeof(KILOBYTE) - 1) * kilobytes);
    server_end(&server);
}

static void what_breaks_off_is_poured_and_told(void **state)
{
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    struct collector collector = {.taker = {collector_take}};
    struct http_request request;

    (void)state;
    server_start(&server, answer_text, OK "Content-Length: 6\r\n\r\n01234");
    request = server_request(&server, "http");
    assert_returns(0, http_open(&transfer, &request, &error));
    assert_fails(ERROR_UPSTREAM, http_pour(&transfer, &collector.taker, &error));
    assert_int_equal(collector.size, 5);
    server_end(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(pours_a_body_from_where_it_was_read),
        IN_DIRECTORY(pours_small_pieces),
        IN_DIRECTORY(what_has_come_is_poured_at_once),
        IN_DIRECTORY(the_takers_time_is_not_the_upstreams),
        IN_DIRECTORY(what_breaks_off_is_poured_and_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
