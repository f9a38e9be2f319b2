/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/memory.h"
#include "lib/proxy/ask/question.h"
#include "tests/unit/server.h"

/*
 * What is said when an upstream does not give what is asked of it: the words, whole, since they are
 * all that somebody has who sees "502 Bad Gateway" and then a line of the log. '$' stands for the
 * address of the server.
 */

static struct error error;

/* An upstream of raw bytes, which says the same to all. */
struct trial {
    const char *answer; /* '$' in it too */
    const char *username;
    const char *message;
    enum error_code code;
    bool is_public;  /* private addresses are not allowed */
    bool has_tls;    /* is asked by https */
    bool looks_back; /* at earlier failures */
};

#define CLOSE "Connection: close\r\nContent-Length: 0\r\n\r\n"

static const struct trial trials[] = {
    {"HTTP/1.1 403 Forbidden\r\n" CLOSE, NULL,
     "upstream corp ($) does not let us in (403): username and password_file in [upstream corp]",
     ERROR_UPSTREAM_REFUSED, false, false, false},
    {"HTTP/1.1 403 Forbidden\r\n" CLOSE, "bob",
     "upstream corp ($) does not let the account in [upstream corp] in (403): look at its username "
     "and password_file",
     ERROR_UPSTREAM_REFUSED, false, false, false},
    {"HTTP/1.1 401 Unauthorized\r\n" CLOSE, NULL,
     "upstream corp ($) does not let us in (401): username and password_file in [upstream corp]",
     ERROR_UPSTREAM_REFUSED, false, false, false},
    {"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n" CLOSE, "bob",
     "upstream corp ($) does not let the account in [upstream corp] in (401): look at its username "
     "and password_file",
     ERROR_UPSTREAM_REFUSED, false, false, false},
    /* The token service answers as the registry does. */
    {"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"http://$/token\"\r\n" CLOSE,
     "bob",
     "upstream corp ($) does not let the account in [upstream corp] in (401): look at its username "
     "and password_file",
     ERROR_UPSTREAM, false, false, false},
    {"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer "
     "realm=\"http://localhost:%/token\"\r\n" CLOSE,
     "bob",
     "upstream corp ($) does not let us in: its token service on localhost does not see the "
     "account in [upstream corp] (token_host = localhost in [upstream corp])",
     ERROR_UPSTREAM, false, false, false},
    {"HTTP/1.1 429 Too Many Requests\r\n" CLOSE, NULL,
     "upstream corp ($) limits our requests (429): it may allow more to an account, username and "
     "password_file in [upstream corp]",
     ERROR_TOO_MANY_REQUESTS, false, false, false},
    {"HTTP/1.1 429 Too Many Requests\r\n" CLOSE, "bob",
     "upstream corp ($) limits the requests of the account in [upstream corp] (429)",
     ERROR_TOO_MANY_REQUESTS, false, false, false},
    {"HTTP/1.1 503 Service Unavailable\r\n" CLOSE, NULL, "upstream corp ($) answers 503",
     ERROR_UPSTREAM, false, false, false},
    {"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", NULL,
     "upstream corp ($) answers 400: it speaks TLS (url = https://... in [upstream corp])",
     ERROR_UPSTREAM, false, false, false},
    {"\x15\x03\x01", NULL,
     "upstream corp ($) does not speak HTTP as it should (if it speaks TLS, url = https://... in "
     "[upstream corp])",
     ERROR_UPSTREAM, false, false, false},
    {"HTTP/1.1 400 Bad Request\r\n\r\n", NULL,
     "upstream corp ($) cannot be reached: it does not speak TLS (url = http://... in [upstream "
     "corp])",
     ERROR_UPSTREAM_UNREACHABLE, false, true, false},
    {"HTTP/1.1 302 Found\r\nLocation: ftp://elsewhere/\r\n" CLOSE, NULL,
     "upstream corp ($) redirects to nowhere", ERROR_UPSTREAM, false, false, false},
    {"HTTP/1.1 302 Found\r\nLocation: /again?signature=secret\r\n" CLOSE, NULL,
     "upstream corp ($) redirects in circles", ERROR_UPSTREAM, false, false, false},
    {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/x?signature=secret\r\n" CLOSE, NULL,
     "upstream corp (127.0.0.1:1) cannot be reached: it refuses connections (look whether it runs, "
     "and at url in [upstream corp])",
     ERROR_UPSTREAM_UNREACHABLE, false, false, false},
    {"", NULL,
     "upstream corp ($) is not in the public internet: allow_private_address = yes in [upstream "
     "corp]",
     ERROR_DENIED, true, false, false},
};

static void add_with_address(struct buffer *out, const char *text, unsigned port)
{
    for (; *text; text++) {
        if (*text == '$' || *text == '%') {
            buffer_format(out, "%s%u", *text == '$' ? "127.0.0.1:" : "", port);
        } else {
            buffer_add(out, text, 1);
        }
    }
}

static void answer_trial(struct server *server, const void *context)
{
    const struct trial *trial = context;
    AUTO_BUFFER struct buffer answer = BUFFER_INIT;

    add_with_address(&answer, trial->answer, server->port);
    (void)server_send(server, answer.data, strlen(answer.data) > 0 ? answer.length : 0);
}

/* Asks an upstream "corp" at this URL. */
static int ask(struct fixture *fixture, const struct trial *trial, const char *url,
               struct report *report)
{
    AUTO_ANSWER struct answer answer = ANSWER_INIT;
    AUTO_FREE char *copy = memory_text(url);
    AUTO_FREE char *username = memory_text(trial->username ? trial->username : "");
    struct upstream_options section = {.name = TEXT("corp"),
                                       .url = copy,
                                       .username = trial->username ? username : NULL,
                                       .password = TEXT("hidden"),
                                       .allow_private_address = !trial->is_public};
    struct proxy_options options = {.enabled = true,
                                    .upstreams = TEXT("*"),
                                    .connect_timeout = 30,
                                    .stall_timeout = 30,
                                    .http_proxy = TEXT(""),
                                    .ca_file = TEXT(""),
                                    .sections = &section,
                                    .section_count = 1};
    struct question question = {
        .method = "GET", .repository = "app", .rest = "tags/list", .again = !trial->looks_back};
    struct upstream upstream;

    assert_returns(0, upstream_find(&upstream, &options, "corp", &error));
    upstream.store = &fixture->store;
    return question_ask(&upstream, &question, &answer, report, &error);
}

static void names_whom_it_is_about_and_the_cure(void **state)
{
    for (size_t i = 0; i < COUNT(trials); i++) {
        AUTO_BUFFER struct buffer url = BUFFER_INIT;
        AUTO_BUFFER struct buffer expected = BUFFER_INIT;
        struct report report = REPORT_INIT;
        struct server server;

        server_start(&server, answer_trial, &trials[i]);
        add_with_address(&url, trials[i].has_tls ? "https://$" : "http://$", server.port);
        add_with_address(&expected, trials[i].message, server.port);
        assert_fails(trials[i].code, ask(*state, &trials[i], url.data, &report));
        server_end(&server);
        assert_string_equal(error.message, expected.data);
        /* A client gets it as a detail, with nothing that is a secret in it. */
        assert_non_null(strstr(report.detail.data, "\"upstream\":\"corp\""));
        assert_null(strstr(report.detail.data, "hidden"));
        assert_null(strstr(report.detail.data, "signature"));
        report_release(&report);
    }
}

/* What it was in trouble for is over, whatever it says to this one. */
static void whoever_gets_an_answer_ends_the_trouble_of_all(void **state)
{
    static const struct {
        const char *answer;
        bool is_trouble;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\n" CLOSE, false},
        {"HTTP/1.1 404 Not Found\r\n" CLOSE, false},
        {"HTTP/1.1 401 Unauthorized\r\n" CLOSE, false},
        {"HTTP/1.1 403 Forbidden\r\n" CLOSE, false},
        {"HTTP/1.1 500 Internal Server Error\r\n" CLOSE, false},
        {"HTTP/1.1 429 Too Many Requests\r\n" CLOSE, true},
        {"HTTP/1.1 503 Service Unavailable\r\n" CLOSE, true},
    };
    struct fixture *fixture = *state;
    struct path memo = layout_upstream("corp", "trouble");

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct trial trial = {.answer = cases[i].answer, .looks_back = true};
        AUTO_BUFFER struct buffer url = BUFFER_INIT;
        struct report report = REPORT_INIT;
        struct server server;

        put_file(fixture->store.root, memo.text, "1\n0\nlong ago\n");
        server_start(&server, answer_trial, &trial);
        add_with_address(&url, "http://$", server.port);
        (void)ask(fixture, &trial, url.data, &report);
        server_end(&server);
        assert_int_equal(is_there(fixture->store.root, memo.text), cases[i].is_trouble);
        report_release(&report);
    }
}

static void a_redirect_or_token_service_in_clear_is_not_followed(void **state)
{
    struct proxy_options options = {.enabled = true, .upstreams = TEXT("*")};
    struct upstream upstream;
    struct url clear;
    struct url port;

    (void)state;
    assert_returns(0, upstream_find(&upstream, &options, "ghcr.io", &error));
    assert_true(url_parse("http://cdn.example/x", &clear));
    assert_true(url_parse("https://cdn.example:8443/x", &port));
    assert_string_equal(upstream_obstacle(&upstream, &clear),
                        "plain http is only for url = http://...");
    assert_string_equal(upstream_obstacle(&upstream, &port),
                        "another port is only for allow_private_address = yes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(names_whom_it_is_about_and_the_cure),
        IN_STORE(whoever_gets_an_answer_ends_the_trouble_of_all),
        cmocka_unit_test(a_redirect_or_token_service_in_clear_is_not_followed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
