/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fcgi/request.h"
#include "lib/base/cleanup.h"

/* Requests come as plain CGI here: parameters are the environment. */
static void clear_parameters(void)
{
    static const char *const names[] = {
        "REQUEST_METHOD", "REQUEST_URI",     "SCRIPT_NAME",
        "PATH_INFO",      "QUERY_STRING",    "CONTENT_LENGTH",
        "REQUEST_ID",     "BERTH_BODY_FILE", "HTTP_TRANSFER_ENCODING"};

    for (size_t i = 0; i < COUNT(names); i++) {
        assert_int_equal(unsetenv(names[i]), 0);
    }
}

static int setup(void **state)
{
    clear_parameters();
    return directory_setup(state);
}

static int teardown(void **state)
{
    clear_parameters();
    return directory_teardown(state);
}

static void set(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
}

static void the_path_is_decoded_once_and_without_the_query(void **state)
{
    static const struct {
        const char *uri;
        const char *path;
    } rows[] = {
        {"/v2/", "/v2/"},
        {"/v2/a%2Fb/tags/list?n=5", "/v2/a/b/tags/list"},
        {"/v2/a%252fb", "/v2/a%2fb"},
        {"/v2/a?x=%zz", ""},
        {"/v2/%", ""},
        {"/v2/%00", ""},
        {"/v2/%0d%0aX", ""},
        {"/v2/a+b", "/v2/a+b"},
        {"?", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct request request;

        set("REQUEST_URI", rows[i].uri);
        set("PATH_INFO", "/ignored");
        request_begin(&request, NULL);
        assert_string_equal(request.path.data, rows[i].path);
        assert_string_equal(request_target(&request), rows[i].uri);
        request_end(&request);
    }
}

static void what_the_web_server_made_of_the_path_is_second_best(void **state)
{
    struct request request;

    (void)state;
    set("SCRIPT_NAME", "/v2");
    set("PATH_INFO", "/a b%2f");
    request_begin(&request, NULL);
    assert_string_equal(request.path.data, "/v2/a b%2f");
    request_end(&request);
    clear_parameters();
    request_begin(&request, NULL);
    assert_string_equal(request.path.data, "");
    assert_string_equal(request.method, "-");
    assert_null(request_query(&request, "n"));
    assert_string_equal(request_target(&request), "-");
    request_end(&request);
}

static void an_empty_parameter_is_none(void **state)
{
    struct request request;

    (void)state;
    set("HTTP_RANGE", "");
    request_begin(&request, NULL);
    assert_null(request_parameter(&request, "HTTP_RANGE"));
    set("HTTP_RANGE", "x");
    assert_string_equal(request_parameter(&request, "HTTP_RANGE"), "x");
    assert_int_equal(unsetenv("HTTP_RANGE"), 0);
    request_end(&request);
}

static void ids_that_could_forge_a_header_are_replaced(void **state)
{
    static const struct {
        const char *id;
        bool taken;
    } rows[] = {
        {"0123456789abcdef", true},
        {"ABC-def", true},
        {"000000000000000000000000000000000000000000000000000000000000000", true},
        {"0000000000000000000000000000000000000000000000000000000000000000", false},
        {"a\r\nX: y", false},
        {"a b", false},
        {"xyz", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct request request;

        set("REQUEST_ID", rows[i].id);
        request_begin(&request, NULL);
        assert_int_equal(strcmp(request.id, rows[i].id) == 0, rows[i].taken);
        assert_true(rows[i].taken || strlen(request.id) == 36);
        request_end(&request);
    }
}

static void path_and_query_are_what_the_client_sent(void **state)
{
    static const struct {
        const char *uri;    /* REQUEST_URI */
        const char *string; /* QUERY_STRING */
        const char *ns;
    } rows[] = {
        {"/v2/a/blobs/x?ns=docker.io", "", "docker.io"}, /* as in nginx's second pass */
        {"/v2/a/blobs/x?ns=docker.io", "ns=ghcr.io", "docker.io"},
        {"/v2/a/blobs/x", "ns=ghcr.io", NULL},
        {"/v2/a/blobs/x?", "ns=ghcr.io", NULL},
        {"/v2/a/blobs/x?ns=", "ns=ghcr.io", ""},
        {"/v2/a/blobs/x?a?ns=b&ns=c?", "", "c?"},
        {NULL, "ns=ghcr.io", "ghcr.io"},
        {NULL, "", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct request request;
        const char *ns;

        clear_parameters();
        if (rows[i].uri) {
            set("REQUEST_URI", rows[i].uri);
        }
        set("QUERY_STRING", rows[i].string);
        request_begin(&request, NULL);
        ns = request_query(&request, "ns");
        if (!ns != !rows[i].ns || (ns && strcmp(ns, rows[i].ns) != 0)) {
            fail_msg("row %zu: ns is '%s'", i, ns ? ns : "(none)");
        }
        request_end(&request);
    }
}

static void a_broken_escape_makes_the_request_malformed(void **state)
{
    static const struct {
        const char *uri;
        bool is_malformed;
    } rows[] = {
        {"/v2/a/tags/list?n=5", false}, {"/v2/%", true},     {"/v2/%00", true},
        {"/v2/a?n=%zz", true},          {"/v2/a?%=1", true}, {"/v2/a?x=1&n=%0", true},
        {"/v2/%2?n=1", true},           {"/v2/a?n", false},  {"/v2/a?%zz", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct request request;

        set("REQUEST_URI", rows[i].uri);
        request_begin(&request, NULL);
        if (request.is_malformed != rows[i].is_malformed) {
            fail_msg("'%s' is %smalformed", rows[i].uri, request.is_malformed ? "" : "not ");
        }
        if (request.is_malformed) {
            assert_string_equal(request.path.data, "");
            assert_null(request_query(&request, "n"));
        }
        request_end(&request);
    }
}

/* Puts a text on standard input for the time of a test. */
static int replace_input(struct fixture *fixture, const char *content)
{
    int saved = dup(STDIN_FILENO);
    AUTO_CLOSE int descriptor = -1;

    put_file(fixture->directory, "input", content);
    descriptor = openat(fixture->directory, "input", O_RDONLY | O_CLOEXEC);
    assert_true(descriptor >= 0);
    assert_int_equal(dup2(descriptor, STDIN_FILENO), STDIN_FILENO);
    return saved;
}

static void restore_input(int saved)
{
    if (saved >= 0) {
        (void)dup2(saved, STDIN_FILENO);
        (void)close(saved);
    }
}

static void a_body_is_as_long_as_it_says(void **state)
{
    static const struct {
        const char *length; /* NULL: not given */
        size_t limit;
        int result;
        const char *body;
        enum error_code code;
    } rows[] = {
        {"6", 100, 1, "abcdef", ERROR_NONE},
        {"6", 6, 1, "abcdef", ERROR_NONE},
        {"6", 5, 0, NULL, ERROR_NONE},
        {"3", 100, 1, "abc", ERROR_NONE},
        {"0", 100, 1, "", ERROR_NONE},
        {NULL, 100, 1, "", ERROR_NONE}, /* CGI: none is none */
        {"7", 100, -1, NULL, ERROR_CLIENT_GONE},
        {"x", 100, 1, "abcdef", ERROR_NONE},
        {"x", 6, 1, "abcdef", ERROR_NONE},
        {"x", 5, 0, NULL, ERROR_NONE},
        {"99999999999999999999", 5, 0, NULL, ERROR_NONE},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;
        struct error error = ERROR_INIT;
        struct request request;
        int saved = replace_input(*state, "abcdef");
        int result;

        clear_parameters();
        if (rows[i].length) {
            set("CONTENT_LENGTH", rows[i].length);
        }
        request_begin(&request, NULL);
        result = request_read_all(&request, rows[i].limit, &out, &error);
        request_end(&request);
        restore_input(saved);
        if (result != rows[i].result || error.code != rows[i].code ||
            (rows[i].body && strcmp(out.data, rows[i].body) != 0)) {
            fail_msg("row %zu: %d, code %d, '%s'", i, result, (int)error.code, out.data);
        }
    }
}

/* What is pushed would end anywhere, and be called whole. */
static void a_length_that_is_no_number_is_no_request(void **state)
{
    static const struct {
        const char *length;
        bool is_malformed;
    } rows[] = {
        {"x", true},   {"-1", true},  {"+5", true}, {"5, 5", true}, {"99999999999999999999", true},
        {"0x5", true}, {"5.0", true}, {" 5", true}, {"5", false},   {"0", false},
        {"", false}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct request request;

        clear_parameters();
        set("REQUEST_URI", "/v2/");
        set("CONTENT_LENGTH", rows[i].length);
        request_begin(&request, NULL);
        if (request.is_malformed != rows[i].is_malformed) {
            fail_msg("'%s'", rows[i].length);
        }
        request_end(&request);
    }
}

static void a_body_in_chunks_ends_with_the_input(void **state)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct request request;
    int saved = replace_input(*state, "abcdef");

    set("HTTP_TRANSFER_ENCODING", "chunked");
    request_begin(&request, NULL);
    assert_false(request.has_length);
    assert_returns(1, request_read_all(&request, 100, &out, &error));
    assert_string_equal(out.data, "abcdef");
    request_end(&request);
    restore_input(saved);
}

static void a_body_that_nobody_wants_resets_no_answer(void **state)
{
    static const char *const lengths[] = {"6", NULL};

    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct request request;
        int saved = dup(STDIN_FILENO);
        int pair[2];
        char answer[8];

        clear_parameters();
        set(lengths[i] ? "CONTENT_LENGTH" : "HTTP_TRANSFER_ENCODING",
            lengths[i] ? lengths[i] : "x");
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(dup2(pair[1], STDIN_FILENO), STDIN_FILENO);
        assert_int_equal(write(pair[0], "abcdef", 6), 6);
        assert_int_equal(shutdown(pair[0], SHUT_WR), 0);
        request_begin(&request, NULL);
        assert_int_equal(write(pair[1], "no", 2), 2);
        request_read_rest(&request);
        request_end(&request);
        restore_input(saved);
        assert_int_equal(close(pair[1]), 0);
        assert_int_equal(read(pair[0], answer, sizeof(answer)), 2);
        assert_int_equal(read(pair[0], answer, sizeof(answer)), 0);
        assert_int_equal(close(pair[0]), 0);
    }
}

static void a_body_file_takes_the_place_of_the_input(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct request request;
    char path[256];
    char bytes[4];

    put_file(fixture->directory, "body", "abcdef");
    (void)snprintf(path, sizeof(path), "%s/body", fixture->path);
    set("BERTH_BODY_FILE", path);
    set("CONTENT_LENGTH", "1");
    request_begin(&request, NULL);
    assert_true(request.has_length);
    assert_int_equal(request.length, 6);
    assert_returns(4, request_read(&request, bytes, sizeof(bytes), &error));
    assert_memory_equal(bytes, "abcd", 4);
    assert_returns(2, request_read(&request, bytes, sizeof(bytes), &error));
    assert_memory_equal(bytes, "ef", 2);
    assert_returns(0, request_read(&request, bytes, sizeof(bytes), &error));
    assert_int_equal(request.received, 6);
    request_end(&request);
    assert_int_equal(request.body_descriptor, -1);

    assert_int_equal(unlinkat(fixture->directory, "body", 0), 0);
    request_begin(&request, NULL);
    assert_fails(ERROR_INTERNAL, request_read_all(&request, 100, &out, &error));
    request_end(&request);
}

static void a_body_file_that_shrinks_is_a_broken_body(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct request request;
    char path[256];

    put_file(fixture->directory, "body", "abcdef");
    (void)snprintf(path, sizeof(path), "%s/body", fixture->path);
    set("BERTH_BODY_FILE", path);
    request_begin(&request, NULL);
    put_file(fixture->directory, "body", "abc");
    assert_fails(ERROR_CLIENT_GONE, request_read_all(&request, 100, &out, &error));
    request_end(&request);
}

#define IN_ENVIRONMENT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ENVIRONMENT(the_path_is_decoded_once_and_without_the_query),
        IN_ENVIRONMENT(what_the_web_server_made_of_the_path_is_second_best),
        IN_ENVIRONMENT(an_empty_parameter_is_none),
        IN_ENVIRONMENT(ids_that_could_forge_a_header_are_replaced),
        IN_ENVIRONMENT(path_and_query_are_what_the_client_sent),
        IN_ENVIRONMENT(a_broken_escape_makes_the_request_malformed),
        IN_ENVIRONMENT(a_body_is_as_long_as_it_says),
        IN_ENVIRONMENT(a_length_that_is_no_number_is_no_request),
        IN_ENVIRONMENT(a_body_in_chunks_ends_with_the_input),
        IN_ENVIRONMENT(a_body_that_nobody_wants_resets_no_answer),
        IN_ENVIRONMENT(a_body_file_takes_the_place_of_the_input),
        IN_ENVIRONMENT(a_body_file_that_shrinks_is_a_broken_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
