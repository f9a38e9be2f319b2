/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

/* A question that another process asks, and its answer on the way back. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/local.h"
#include "lib/proxy/fill/errand.h"
#include "tests/unit/server.h"

enum { LONG_LIST = 100 * 1000, LIMIT = 200 * 1000 };

static struct error error;
static struct server server;
static struct proxy_options options;
static struct upstream upstream;
static int ends[2];

static void answer_with(struct server *with, const void *context)
{
    (void)server_send_text(with, context);
}

static void answer_at_length(struct server *with, const void *context)
{
    char head[64];
    size_t length = *(const size_t *)context;

    (void)snprintf(head, sizeof(head), "HTTP/1.1 200 x\r\nContent-Length: %zu\r\n\r\n", length);
    (void)server_send_text(with, head);
    for (size_t i = 0; i < length; i += 10) {
        (void)server_send(with, "0123456789", 10);
    }
}

static void begin(struct fixture *fixture, server_answer *answer, const void *context)
{
    server_start(&server, answer, context);
    options = (struct proxy_options){.enabled = true,
                                     .http_proxy = (char *)"",
                                     .ca_file = (char *)"",
                                     .connect_timeout = 60,
                                     .stall_timeout = 60};
    upstream = (struct upstream){.options = &options,
                                 .store = &fixture->store,
                                 .name = "registry.example",
                                 .via = "1.1 berth-x",
                                 .allow_http = true,
                                 .allow_private_address = true};
    (void)snprintf(upstream.url, sizeof(upstream.url), "http://127.0.0.1:%u", server.port);
    assert_returns(0, local_pair(ends, &error));
}

static void end(void)
{
    (void)close(ends[0]);
    (void)close(ends[1]);
    server_end(&server);
}

/* All the way: 1, 0, -1. */
static int ask(const struct question *question, struct answer *answer, struct report *report)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    errand_write(&upstream, question, &text);
    assert_true(errand_serve(&upstream, &text, ends[1]));
    assert_true(local_is_ready(ends[0], 0));
    return errand_take(ends[0], answer, report, &error);
}

static void an_answer_comes_with_headers_and_body(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Type: a/b\r\n"
                               "Docker-Content-Digest: sha256:x\r\n\r\nbody";
    struct question question = {.method = "GET",
                                .repository = "team/app",
                                .rest = "manifests/v1",
                                .accept = "a/b, c/d",
                                .limit = LIMIT};
    AUTO_ANSWER struct answer answer = ANSWER_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct report report = REPORT_INIT;

    begin(*state, answer_with, text);
    assert_returns(1, ask(&question, &answer, &report));
    assert_non_null(strstr(server.seen->request, "GET /v2/team/app/manifests/v1 HTTP/1.1\r\n"));
    assert_non_null(strstr(server.seen->request, "Accept: a/b, c/d\r\n"));
    assert_non_null(strstr(server.seen->request, "Via: 1.1 berth-x\r\n"));
    assert_int_equal(answer.transfer.status, 200);
    assert_true(answer.transfer.has_length && answer.transfer.length == 4);
    assert_true(http_header(&answer.transfer, "docker-content-digest", 0, &out));
    assert_string_equal(out.data, "sha256:x");
    buffer_clear(&out);
    assert_returns(1, http_read_all(&answer.transfer, LIMIT, &out, &error));
    assert_string_equal(out.data, "body");
    assert_int_not_equal(answer.request.deadline, 0);
    report_release(&report);
    end();
}

/* Longer than a message between processes, and than what is wanted. */
static void a_long_answer_is_whole_or_known_to_be_too_long(void **state)
{
    static const size_t lengths[] = {0, LONG_LIST, LIMIT, LIMIT + 10, 2 * LIMIT};
    struct question question = {
        .method = "GET", .repository = "app", .rest = "tags/list", .limit = LIMIT};

    for (size_t i = 0; i < COUNT(lengths); i++) {
        AUTO_ANSWER struct answer answer = ANSWER_INIT;
        AUTO_BUFFER struct buffer out = BUFFER_INIT;
        struct report report = REPORT_INIT;

        begin(*state, answer_at_length, &lengths[i]);
        assert_returns(1, ask(&question, &answer, &report));
        assert_returns(lengths[i] <= LIMIT, http_read_all(&answer.transfer, LIMIT, &out, &error));
        assert_true(lengths[i] > LIMIT || out.length == lengths[i]);
        report_release(&report);
        end();
    }
}

static void what_an_upstream_refuses_is_told_as_it_was(void **state)
{
    static const char text[] = "HTTP/1.1 429 x\r\nRetry-After: 7\r\nContent-Length: 42\r\n\r\n"
                               "{\"errors\":[{\"code\":\"X\",\"message\":\"slowly\"}]}";
    struct question question = {
        .method = "HEAD", .repository = "app", .rest = "manifests/1", .limit = LIMIT};
    AUTO_ANSWER struct answer answer = ANSWER_INIT;
    struct report report = REPORT_INIT;

    begin(*state, answer_with, text);
    assert_fails(ERROR_TOO_MANY_REQUESTS, ask(&question, &answer, &report));
    assert_non_null(strstr(error.message, "limits our requests"));
    assert_int_equal(report.retry_after, 7);
    assert_non_null(strstr(report.detail.data, "registry.example"));
    assert_non_null(strstr(server.seen->request, "HEAD /v2/app/manifests/1 "));
    report_release(&report);
    end();
}

static void what_is_absent_is_absent(void **state)
{
    struct question question = {
        .method = "HEAD", .repository = "app", .rest = "manifests/1", .limit = LIMIT};
    AUTO_ANSWER struct answer answer = ANSWER_INIT;
    struct report report = REPORT_INIT;

    begin(*state, answer_with, "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n");
    assert_returns(0, ask(&question, &answer, &report));
    report_release(&report);
    end();
}

static void what_is_no_errand_is_left_alone(void **state)
{
    static const char *const texts[] = {
        "",
        ERRAND_TITLE "\n",
        ERRAND_TITLE "\nvia\nGET\n../app\nmanifests/1\n\n0\n10\n",
        ERRAND_TITLE "\nvia\nGET\napp\nmanifests/1\n\nsoon\n10\n",
        ERRAND_TITLE "\nvia\nGET\napp\nmanifests/1\n\n0\n\n",
    };

    begin(*state, answer_with, "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n");
    for (size_t i = 0; i < COUNT(texts); i++) {
        AUTO_BUFFER struct buffer text = BUFFER_INIT;

        buffer_add_text(&text, texts[i]);
        assert_false(errand_serve(&upstream, &text, ends[1]));
    }
    assert_int_equal(server.seen->connections, 0);
    end();
}

static void nobody_answers_or_says_something_else(void **state)
{
    AUTO_ANSWER struct answer answer = ANSWER_INIT;
    AUTO_BUFFER struct buffer word = BUFFER_INIT;
    struct report report = REPORT_INIT;

    begin(*state, answer_with, "");
    buffer_add_text(&word, "answer");
    assert_true(local_send(ends[1], &word, NULL, 0));
    assert_int_equal(errand_take(ends[0], &answer, &report, &error), ERRAND_LOST);
    assert_true(local_send(ends[1], &word, &ends[1], 1)); /* nothing that can be read at a place */
    assert_int_equal(errand_take(ends[0], &answer, &report, &error), ERRAND_LOST);
    (void)close(ends[1]);
    assert_int_equal(errand_take(ends[0], &answer, &report, &error), ERRAND_LOST);
    (void)close(ends[0]);
    report_release(&report);
    server_end(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(an_answer_comes_with_headers_and_body),
        IN_STORE(a_long_answer_is_whole_or_known_to_be_too_long),
        IN_STORE(what_an_upstream_refuses_is_told_as_it_was),
        IN_STORE(what_is_absent_is_absent),
        IN_STORE(what_is_no_errand_is_left_alone),
        IN_STORE(nobody_answers_or_says_something_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
