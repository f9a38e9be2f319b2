/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/proxy/ask/credentials.h"
#include "tests/unit/server.h"
#include "tests/unit/trace.h"

/* Who may see a password, and what is kept of a log-in. */

static struct upstream_options sections[] = {
    {.name = TEXT("bob.example.org"), .username = TEXT("bob"), .password = TEXT("secret")},
    {.name = TEXT("plain"),
     .url = TEXT("http://plain.example.org:5000"),
     .username = TEXT("bob"),
     .password = TEXT("secret")},
    {.name = TEXT("hosted.example.com"), .token_host = TEXT("login.example.net")},
    {.name = TEXT("number"), .url = TEXT("https://10.0.0.1:5000")},
    {.name = TEXT("shared"), .url = TEXT("https://one.github.io")},
    {.name = TEXT("bob.example.org/team"), .username = TEXT("team"), .password = TEXT("other")},
};

static const struct proxy_options options = {.enabled = true,
                                             .upstreams = TEXT("*"),
                                             .connect_timeout = 30,
                                             .stall_timeout = 30,
                                             .http_proxy = TEXT(""),
                                             .ca_file = TEXT(""),
                                             .sections = sections,
                                             .section_count = COUNT(sections)};

static struct error error;

static struct upstream upstream_named(const char *name)
{
    struct upstream upstream;

    assert_returns(0, upstream_find(&upstream, &options, name, &error));
    return upstream;
}

static const struct {
    const char *upstream;
    const char *realm;
    bool may;
} realms[] = {
    {"bob.example.org", "https://bob.example.org/token", true},
    {"bob.example.org", "https://bob.example.org:8443/token", true},
    {"bob.example.org", "https://BOB.Example.ORG/token", true},
    {"bob.example.org", "https://auth.example.org/token", true},
    {"bob.example.org", "https://example.org/token", true},
    {"docker.io", "https://auth.docker.io/token", true},
    /* In clear only where everything is. */
    {"bob.example.org", "http://bob.example.org/token", false},
    {"bob.example.org", "http://auth.example.org/token", false},
    {"plain", "http://plain.example.org:5001/token", true},
    {"plain", "http://auth.example.org/token", true},
    {"plain", "https://auth.example.org/token", true},
    /* Somebody else. */
    {"bob.example.org", "https://example.com/token", false},
    {"bob.example.org", "https://bob.example.org.evil.net/token", false},
    {"bob.example.org", "https://notexample.org/token", false},
    {"bob.example.org", "https://org/token", false},
    {"bob.example.org", "https://evil.net/bob.example.org", false},
    {"bob.example.org", "https://evil.net/?https://bob.example.org/", false},
    {"bob.example.org", "https://evil.net#bob.example.org", false},
    {"bob.example.org", "https://evil.net\\@bob.example.org/", false},
    /* Neighbours below a public suffix are strangers. */
    {"shared", "https://two.github.io/token", false},
    {"shared", "https://one.github.io/token", true},
    {"shared", "https://auth.one.github.io/token", true},
    /* An address has no domain: "0.1" is none. */
    {"number", "https://10.0.0.1/token", true},
    {"number", "https://192.168.0.1/token", false},
    {"number", "https://10.9.0.1/token", false},
    {"bob.example.org", "https://10.0.0.1/token", false},
    {"number", "https://[::1]/token", false},
    /* As it is configured, and as that is meant. */
    {"hosted.example.com", "https://login.example.net/token", true},
    {"hosted.example.com", "http://login.example.net/token", false},
    {"hosted.example.com", "https://other.example.net/token", false},
    {"hosted.example.com", "https://auth.example.com/token", true},
    /* What is no URL that we follow. */
    {"bob.example.org", "", false},
    {"bob.example.org", "bob.example.org/token", false},
    {"bob.example.org", "//bob.example.org/token", false},
    {"bob.example.org", "ftp://bob.example.org/token", false},
    {"bob.example.org", "file:///etc/passwd", false},
    {"bob.example.org", "https://user@bob.example.org/token", false},
    {"bob.example.org", "https://user:word@bob.example.org/token", false},
    {"bob.example.org", "https://bob.example.org%00.evil.net/token", false},
    {"bob.example.org", "https://bob.example.org:port/token", false},
};

static void only_its_own_may_see_a_password(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(realms); i++) {
        struct upstream upstream = upstream_named(realms[i].upstream);

        if (credentials_may_see(&upstream, realms[i].realm) != realms[i].may) {
            fail_msg("%s: %s", realms[i].upstream, realms[i].realm);
        }
    }
}

/* A token service whose token tells whether it was shown a password. */
static void answer_token(struct server *server, const void *context)
{
    const char *token = strstr(server->request, "Authorization: Basic Ym9iOnNlY3JldA==")
                            ? "{\"token\":\"with\",\"expires_in\":300}"
                        : strstr(server->request, "Authorization")
                            ? "{\"token\":\"something\",\"expires_in\":300}"
                            : "{\"token\":\"without\",\"expires_in\":300}";

    (void)context;
    (void)server_send_text(server, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    (void)server_send_text(server, token);
}

/* An upstream in this machine, with bob's account. */
static struct upstream upstream_at(struct fixture *fixture, const struct server *server)
{
    struct upstream upstream = upstream_named("bob.example.org");

    upstream.store = &fixture->store;
    upstream.allow_http = true;
    upstream.allow_private_address = true;
    (void)snprintf(upstream.url, sizeof(upstream.url), "http://127.0.0.1:%u", server->port);
    return upstream;
}

/* As after a 401 with this challenge. */
static int obtain(const struct upstream *upstream, const char *repository, const char *challenge,
                  struct buffer *out)
{
    struct http_request request = {.method = "GET", .deadline = INT64_MAX};
    struct http_transfer transfer = HTTP_TRANSFER_INIT;
    int result;

    transfer.request = &request;
    buffer_format(&transfer.head.lines, "www-authenticate: %s\n", challenge);
    result = credentials_obtain(upstream, repository, &transfer, out, &error);
    http_head_release(&transfer.head);
    return result;
}

/* One that is its own token service, which has given "app" a token. */
static struct upstream begin_with_token(struct fixture *fixture, struct server *service,
                                        struct buffer *out_challenge)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct upstream upstream;

    server_start(service, answer_token, NULL);
    upstream = upstream_at(fixture, service);
    buffer_format(out_challenge, "Bearer realm=\"http://127.0.0.1:%u/token\"", service->port);
    assert_returns(1, obtain(&upstream, "app", out_challenge->data, &out));
    assert_string_equal(out.data, "Bearer with");
    return upstream;
}

static void the_same_host_sees_it_and_another_does_not(void **state)
{
    AUTO_BUFFER struct buffer challenge = BUFFER_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct server service;
    struct upstream upstream = begin_with_token(*state, &service, &challenge);

    /* The upstream is somebody else now, and names the same service. */
    (void)snprintf(upstream.url, sizeof(upstream.url), "http://127.0.0.2:%u", service.port);
    assert_returns(1, obtain(&upstream, "app", challenge.data, &out));
    assert_string_equal(out.data, "Bearer without");
    server_end(&service);
}

static void basic_goes_to_the_upstream_only_and_is_not_written_down(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    AUTO_BUFFER struct buffer again = BUFFER_INIT;
    struct server nobody = {.port = 9};
    struct upstream upstream = upstream_at(fixture, &nobody);
    struct upstream_options changed_sections[] = {sections[0]};
    struct proxy_options changed = options;

    changed.section_count = COUNT(changed_sections);
    assert_returns(1, obtain(&upstream, "app", "Basic realm=\"https://evil.net/\"", &out));
    assert_string_equal(out.data, "Basic Ym9iOnNlY3JldA==");
    assert_returns(0, credentials_cached(&upstream, "app", &again, &error));
    assert_string_equal(again.data, out.data);
    /* That it is wanted is remembered; with another password it would be another one. */
    changed_sections[0].password = TEXT("changed");
    changed.sections = changed_sections;
    upstream.options = &changed;
    buffer_clear(&again);
    assert_returns(0, credentials_cached(&upstream, "app", &again, &error));
    assert_string_equal(again.data, "Basic Ym9iOmNoYW5nZWQ=");
}

static void an_account_for_a_prefix_is_for_that(void **state)
{
    struct fixture *fixture = *state;
    struct server nobody = {.port = 9};
    struct upstream upstream = upstream_at(fixture, &nobody);
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    assert_returns(1, obtain(&upstream, "team/app", "Basic realm=\"x\"", &out));
    assert_string_equal(out.data, "Basic dGVhbTpvdGhlcg==");
    assert_returns(1, obtain(&upstream, "teams/app", "Basic realm=\"x\"", &out));
    assert_string_equal(out.data, "Basic Ym9iOnNlY3JldA==");
}

static void nobody_else_gets_what_one_repository_got(void **state)
{
    AUTO_BUFFER struct buffer challenge = BUFFER_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct server service;
    struct upstream upstream = begin_with_token(*state, &service, &challenge);

    server_end(&service);
    assert_returns(0, credentials_cached(&upstream, "app", &out, &error));
    assert_string_equal(out.data, "Bearer with");
    buffer_clear(&out);
    assert_returns(0, credentials_cached(&upstream, "app/other", &out, &error));
    assert_string_equal(out.data, "");
    (void)snprintf(upstream.url, sizeof(upstream.url), "http://127.0.0.2:1");
    assert_returns(0, credentials_cached(&upstream, "app", &out, &error));
    assert_string_equal(out.data, "");
}

/* A disk that fails costs a log-in, and no answer. */
static void what_cannot_be_read_is_asked_for_anew(void **state)
{
    AUTO_BUFFER struct buffer challenge = BUFFER_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct server service;
    struct upstream upstream = begin_with_token(*state, &service, &challenge);

    server_end(&service);
    trace_begin_with_fault(0, EIO);
    trace_fault_only("pread");
    assert_returns(0, credentials_cached(&upstream, "app", &out, &error));
    assert_true(trace_end());
    assert_string_equal(out.data, "");
    assert_returns(0, credentials_cached(&upstream, "app", &out, &error));
    assert_string_equal(out.data, "Bearer with");
}

/* The challenge is the upstream's; none of these is a reason to show anything to anybody. */
static void an_odd_challenge_gets_nothing(void **state)
{
    static const char *const challenges[] = {"",
                                             "Negotiate",
                                             "Digest realm=\"x\", nonce=\"y\"",
                                             "Bearer",
                                             "Bearer realm=\"\"",
                                             "Bearer realm=\"file:///etc/passwd\"",
                                             "Bearer realm=\"http://u:p@127.0.0.1/\""};
    struct fixture *fixture = *state;
    struct server nobody = {.port = 9};
    struct upstream upstream = upstream_at(fixture, &nobody);

    for (size_t i = 0; i < COUNT(challenges); i++) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;

        assert_true(obtain(&upstream, "app", challenges[i], &out) <= 0);
        assert_string_equal(out.data, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_its_own_may_see_a_password),
        IN_STORE(the_same_host_sees_it_and_another_does_not),
        IN_STORE(basic_goes_to_the_upstream_only_and_is_not_written_down),
        IN_STORE(an_account_for_a_prefix_is_for_that),
        IN_STORE(nobody_else_gets_what_one_repository_got),
        IN_STORE(what_cannot_be_read_is_asked_for_anew),
        IN_STORE(an_odd_challenge_gets_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
