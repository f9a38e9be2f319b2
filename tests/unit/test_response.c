/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fcgi/response.h"
#include "lib/base/cleanup.h"

/* What response_send() writes, as plain CGI, to standard output. */
static int send_captured(struct fixture *fixture, struct response *response, const char *method,
                         struct buffer *out)
{
    struct request request = {.method = method, .id = "0-1", .body_descriptor = -1};
    struct error error = ERROR_INIT;
    AUTO_CLOSE int file =
        openat(fixture->directory, "output", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int saved;
    int result;

    (void)fflush(stdout);
    saved = dup(STDOUT_FILENO);
    assert_true(saved >= 0 && file >= 0);
    assert_int_equal(dup2(file, STDOUT_FILENO), STDOUT_FILENO);
    result = response_send(response, &request, &error);
    assert_int_equal(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
    (void)close(saved);
    buffer_clear(out);
    assert_returns(1, file_read(fixture->directory, "output", 1024 * 1024, out, &error));
    return result;
}

static const char *body_of(const struct buffer *out)
{
    const char *end = strstr(out->data, "\r\n\r\n");

    assert_non_null(end);
    return end + 4;
}

static int forget_parameters(void **state)
{
    (void)state;
    (void)unsetenv("BERTH_SENDFILE");
    (void)unsetenv("HTTP_RANGE");
    (void)unsetenv("HTTP_IF_RANGE");
    return 0;
}

static int setup(void **state)
{
    (void)forget_parameters(state);
    return directory_setup(state);
}

static int teardown(void **state)
{
    (void)forget_parameters(state);
    return directory_teardown(state);
}

static const struct {
    enum error_code code;
    int status;
    const char *identifier;
} mappings[] = {
    {ERROR_BLOB_UNKNOWN, 404, "BLOB_UNKNOWN"},
    {ERROR_UPLOAD_INVALID, 400, "BLOB_UPLOAD_INVALID"},
    {ERROR_UPLOAD_UNKNOWN, 404, "BLOB_UPLOAD_UNKNOWN"},
    {ERROR_UPLOAD_RANGE, 416, "BLOB_UPLOAD_INVALID"},
    {ERROR_DIGEST_INVALID, 400, "DIGEST_INVALID"},
    {ERROR_MANIFEST_BLOB_UNKNOWN, 400, "MANIFEST_BLOB_UNKNOWN"},
    {ERROR_MANIFEST_INVALID, 400, "MANIFEST_INVALID"},
    {ERROR_MANIFEST_UNKNOWN, 404, "MANIFEST_UNKNOWN"},
    {ERROR_MANIFEST_TOO_LARGE, 413, "MANIFEST_INVALID"},
    {ERROR_NAME_INVALID, 404, "NAME_INVALID"},
    {ERROR_NAME_UNKNOWN, 404, "NAME_UNKNOWN"},
    {ERROR_SIZE_INVALID, 400, "SIZE_INVALID"},
    {ERROR_UNAUTHORIZED, 401, "UNAUTHORIZED"},
    {ERROR_DENIED, 403, "DENIED"},
    {ERROR_UNSUPPORTED, 405, "UNSUPPORTED"},
    {ERROR_READ_ONLY, 405, "UNSUPPORTED"},
    {ERROR_RANGE, 416, "UNSUPPORTED"},
    {ERROR_PRECONDITION, 412, "MANIFEST_INVALID"},
    {ERROR_TOO_MANY_REQUESTS, 429, "TOOMANYREQUESTS"},
    {ERROR_REQUEST_INVALID, 400, "UNSUPPORTED"},
    {ERROR_NOT_FOUND, 404, "UNSUPPORTED"},
    {ERROR_UPLOAD_BUSY, 409, "BLOB_UPLOAD_INVALID"},
    {ERROR_UPSTREAM, 502, "UNSUPPORTED"},
    {ERROR_UPSTREAM_UNREACHABLE, 502, "UNSUPPORTED"},
    {ERROR_UPSTREAM_TIMEOUT, 504, "UNSUPPORTED"},
};

static void every_error_has_its_status_and_identifier(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(mappings); i++) {
        struct response response = RESPONSE_INIT;
        struct buffer none = BUFFER_INIT;
        struct error error = ERROR_INIT;
        char expected[256];

        (void)error_set(&error, mappings[i].code, "why \"it\" is");
        response_error(&response, &error, &none);
        (void)snprintf(expected, sizeof(expected),
                       "{\"errors\":[{\"code\":\"%s\",\"message\":\"why \\\"it\\\" is\"}]}",
                       mappings[i].identifier);
        assert_int_equal(response.status, mappings[i].status);
        assert_string_equal(response.bytes.data, expected);
        assert_int_equal(response.body, BODY_BYTES);
        response_reset(&response);
    }
}

static void what_is_internal_is_not_told(void **state)
{
    static const struct {
        enum error_code code;
        int status;
    } rows[] = {{ERROR_INTERNAL, 500}, {ERROR_NONE, 500}, {ERROR_NO_SPACE, 507}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct response response = RESPONSE_INIT;
        AUTO_BUFFER struct buffer details = BUFFER_INIT;
        struct error error = ERROR_INIT;

        (void)error_set(&error, rows[i].code, "open '/srv/secret': Permission denied");
        for (int j = 0; j < 2; j++) {
            response_error(&response, &error, &details);
            assert_int_equal(response.status, rows[i].status);
            assert_null(strstr(response.bytes.data, "secret"));
            assert_non_null(strstr(response.bytes.data, "\"message\""));
            response_reset(&response);
            buffer_add_text(&details, "{\"message\":\"open '/srv/secret': No such file\"}\n");
        }
    }
}

static void each_detail_is_an_error_of_its_own(void **state)
{
    struct response response = RESPONSE_INIT;
    AUTO_BUFFER struct buffer details = BUFFER_INIT;
    struct error error = ERROR_INIT;

    (void)state;
    buffer_add_text(&details, "{\"digest\":\"sha256:a\"}\n{\"digest\":\"sha256:b\"}\n");
    (void)error_set(&error, ERROR_MANIFEST_BLOB_UNKNOWN, "gone");
    response_error(&response, &error, &details);
    assert_string_equal(response.bytes.data,
                        "{\"errors\":[{\"code\":\"MANIFEST_BLOB_UNKNOWN\",\"message\":\"gone\","
                        "\"detail\":{\"digest\":\"sha256:a\"}},{\"code\":\"MANIFEST_BLOB_UNKNOWN\","
                        "\"message\":\"gone\",\"detail\":{\"digest\":\"sha256:b\"}}]}");
    response_reset(&response);
}

static void an_error_drops_what_described_the_content(void **state)
{
    struct fixture *fixture = *state;
    struct response response = RESPONSE_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct buffer none = BUFFER_INIT;
    struct error error = ERROR_INIT;
    int descriptor;

    put_file(fixture->directory, "blob", "content");
    descriptor = openat(fixture->directory, "blob", O_RDONLY | O_CLOEXEC);
    response.body = BODY_FILE;
    response.descriptor = descriptor;
    response_header(&response, "Allow", "GET");
    response_content_header(&response, "Content-Type", "application/octet-stream");
    response_content_header(&response, "Cache-Control", "max-age=31536000, immutable");
    (void)error_set(&error, ERROR_BLOB_UNKNOWN, "gone");
    response_error(&response, &error, &none);
    assert_int_equal(fcntl(descriptor, F_GETFD), -1); /* closed */
    assert_int_equal(send_captured(fixture, &response, "GET", &out), 0);
    assert_null(strstr(out.data, "immutable"));
    assert_null(strstr(out.data, "octet-stream"));
    assert_non_null(strstr(out.data, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(out.data, "Allow: GET\r\n"));
    assert_memory_equal(out.data, "Status: 404 Not Found\r\n", 23);
    response_reset(&response);
}

static void bytes_leave_with_their_length(void **state)
{
    struct response response = RESPONSE_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    response.body = BODY_BYTES;
    buffer_add(&response.bytes, "a\0b", 3);
    assert_int_equal(send_captured(*state, &response, "GET", &out), 0);
    assert_memory_equal(out.data, "Status: 200 OK\r\n", 16);
    assert_non_null(strstr(out.data, "Content-Length: 3\r\n"));
    assert_non_null(strstr(out.data, "X-Request-Id: 0-1\r\n"));
    assert_non_null(strstr(out.data, "Docker-Distribution-API-Version: registry/2.0\r\n"));
    assert_non_null(strstr(out.data, "X-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(out.data, "Content-Security-Policy: default-src 'none'; sandbox\r\n"));
    assert_memory_equal(out.data + out.length - 7, "\r\n\r\na\0b", 7);
    assert_int_equal(response.sent, 3);
    response_reset(&response);
}

static void head_has_the_length_and_no_body(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct response bytes = RESPONSE_INIT;
    struct response file = RESPONSE_INIT;

    bytes.body = BODY_BYTES;
    buffer_add_text(&bytes.bytes, "abc");
    assert_int_equal(send_captured(fixture, &bytes, "HEAD", &out), 0);
    assert_non_null(strstr(out.data, "Content-Length: 3\r\n"));
    assert_string_equal(body_of(&out), "");
    file.body = BODY_FILE;
    file.size = 1099511627776;
    assert_int_equal(setenv("HTTP_RANGE", "bytes=0-1", 1), 0);
    assert_int_equal(send_captured(fixture, &file, "HEAD", &out), 0);
    assert_non_null(strstr(out.data, "Content-Length: 1099511627776\r\n"));
    assert_memory_equal(out.data, "Status: 200 ", 12);
    assert_string_equal(body_of(&out), "");
    response_reset(&bytes);
    response_reset(&file);
}

static void some_answers_have_no_length(void **state)
{
    static const int statuses[] = {204, 304};

    for (size_t i = 0; i < COUNT(statuses); i++) {
        struct response response = RESPONSE_INIT;
        AUTO_BUFFER struct buffer out = BUFFER_INIT;

        response.status = statuses[i];
        assert_int_equal(send_captured(*state, &response, "GET", &out), 0);
        assert_null(strstr(out.data, "Content-Length"));
        response_reset(&response);
    }
}

static void a_file_is_copied_in_the_part_that_was_asked_for(void **state)
{
    static const struct {
        const char *range;
        const char *if_range;
        int status;
        const char *body;
        const char *content_range; /* NULL: none */
    } rows[] = {
        {NULL, NULL, 200, "content", NULL},
        {"bytes=1-3", NULL, 206, "ont", "bytes 1-3/7"},
        {"bytes=-2", NULL, 206, "nt", "bytes 5-6/7"},
        {"bytes=3-", "\"sha256:x\"", 206, "tent", "bytes 3-6/7"},
        {"bytes=3-", "\"other\"", 200, "content", NULL},
        {"bytes=1-2,4-5", NULL, 200, "content", NULL},
        {"bytes=7-", NULL, 416, NULL, "bytes */7"},
    };
    struct fixture *fixture = *state;

    put_file(fixture->directory, "blob", "content");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct response response = RESPONSE_INIT;
        AUTO_BUFFER struct buffer out = BUFFER_INIT;
        char line[128];

        (void)forget_parameters(state);
        if (rows[i].range) {
            assert_int_equal(setenv("HTTP_RANGE", rows[i].range, 1), 0);
        }
        if (rows[i].if_range) {
            assert_int_equal(setenv("HTTP_IF_RANGE", rows[i].if_range, 1), 0);
        }
        response.body = BODY_FILE;
        response.size = 7;
        response.descriptor = openat(fixture->directory, "blob", O_RDONLY | O_CLOEXEC);
        response_content_header(&response, "ETag", "\"sha256:x\"");
        assert_int_equal(send_captured(fixture, &response, "GET", &out), 0);
        (void)snprintf(line, sizeof(line), "Status: %d ", rows[i].status);
        assert_memory_equal(out.data, line, strlen(line));
        (void)snprintf(line, sizeof(line), "Content-Range: %s\r\n",
                       rows[i].content_range ? rows[i].content_range : "");
        assert_int_equal(strstr(out.data, line) != NULL, rows[i].content_range != NULL);
        (void)snprintf(line, sizeof(line), "Content-Length: %zu\r\n", strlen(body_of(&out)));
        assert_non_null(strstr(out.data, line));
        if (rows[i].body) {
            assert_string_equal(body_of(&out), rows[i].body);
            assert_int_equal(response.sent, strlen(rows[i].body));
        }
        response_reset(&response);
    }
}

static void an_empty_file_is_copied_as_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct response response = RESPONSE_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    put_file(fixture->directory, "blob", "");
    response.body = BODY_FILE;
    response.descriptor = openat(fixture->directory, "blob", O_RDONLY | O_CLOEXEC);
    assert_int_equal(send_captured(fixture, &response, "GET", &out), 0);
    assert_non_null(strstr(out.data, "Content-Length: 0\r\n"));
    assert_string_equal(body_of(&out), "");
    response_reset(&response);
}

static void a_file_is_handed_over_as_the_web_server_wants(void **state)
{
    static const struct {
        const char *way;
        const char *header;
    } rows[] = {
        {"x-accel-redirect:/_berth/", "X-Accel-Redirect: /_berth/registry/docker/a%20b/data\r\n"},
        {"x-sendfile", "X-Sendfile: /srv/my%20registry/docker/a%20b/data\r\n"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct response response = RESPONSE_INIT;
        AUTO_BUFFER struct buffer out = BUFFER_INIT;

        assert_int_equal(setenv("BERTH_SENDFILE", rows[i].way, 1), 0);
        response.body = BODY_FILE;
        response.size = 7;
        response.root = "/srv/my registry";
        response.store = "registry";
        buffer_add_text(&response.target, "docker/a b/data");
        assert_int_equal(send_captured(*state, &response, "GET", &out), 0);
        assert_non_null(strstr(out.data, rows[i].header));
        assert_string_equal(body_of(&out), "");
        assert_int_equal(response.sent, 7);
        response_reset(&response);
    }
}

/* lighttpd would apply a range by itself, or refuse it with headers of its own. */
static void a_range_that_is_ignored_is_ignored_by_the_web_server_too(void **state)
{
    static const struct {
        const char *way;
        enum response_body body;
        const char *range;
        bool is_told;
    } rows[] = {
        {"x-sendfile", BODY_BYTES, NULL, false},
        {"x-sendfile", BODY_BYTES, "bytes=1-2", true},
        {"x-sendfile", BODY_FILE, NULL, false},
        {"x-sendfile", BODY_FILE, "bytes=1-2", false},
        {"x-sendfile", BODY_FILE, "bytes=1-2,4-5", true},
        {"x-sendfile", BODY_FILE, "bytes=5-3", true},
        {"x-accel-redirect:/_berth/", BODY_FILE, "bytes=5-3", false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct response response = RESPONSE_INIT;
        AUTO_BUFFER struct buffer out = BUFFER_INIT;

        (void)forget_parameters(state);
        assert_int_equal(setenv("BERTH_SENDFILE", rows[i].way, 1), 0);
        if (rows[i].range) {
            assert_int_equal(setenv("HTTP_RANGE", rows[i].range, 1), 0);
        }
        response.body = rows[i].body;
        response.size = 7;
        response.root = "/srv/registry";
        response.store = "registry";
        buffer_add_text(&response.bytes, "content");
        assert_int_equal(send_captured(*state, &response, "GET", &out), 0);
        assert_memory_equal(out.data, "Status: 200 OK\r\n", 16);
        assert_int_equal(strstr(out.data, "Accept-Ranges: none\r\n") != NULL, rows[i].is_told);
        response_reset(&response);
    }
}

static void long_values_are_not_cut(void **state)
{
    struct response response = RESPONSE_INIT;
    char value[5000];

    (void)state;
    memset(value, 'v', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    response_header(&response, "Link", "<%s>; rel=\"next\"", value);
    assert_int_equal(response.headers.length, strlen("Link: <>; rel=\"next\"\r\n") + 4999);
    assert_non_null(strstr(response.headers.data, ">; rel=\"next\"\r\n"));
    response_reset(&response);
    assert_int_equal(response.status, 200);
    assert_string_equal(response.headers.data, "");
}

static int send_what_cannot_be_read_whole(struct fixture *fixture)
{
    struct response response = RESPONSE_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    put_file(fixture->directory, "blob", "cont");
    response.body = BODY_FILE;
    response.size = 7;
    response.descriptor = openat(fixture->directory, "blob", O_RDONLY | O_CLOEXEC);
    (void)send_captured(fixture, &response, "GET", &out);
    return 0; /* a plain CGI process cannot say so but by its end */
}

static void a_body_that_breaks_off_is_no_success(void **state)
{
    struct fixture *fixture = *state;
    pid_t child = fork_child();

    if (child == 0) {
        _exit(send_what_cannot_be_read_whole(fixture));
    }
    assert_int_equal(wait_for_child(child), 1);
}

#define IN_ENVIRONMENT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_its_status_and_identifier),
        cmocka_unit_test(what_is_internal_is_not_told),
        cmocka_unit_test(each_detail_is_an_error_of_its_own),
        IN_ENVIRONMENT(an_error_drops_what_described_the_content),
        IN_ENVIRONMENT(bytes_leave_with_their_length),
        IN_ENVIRONMENT(head_has_the_length_and_no_body),
        IN_ENVIRONMENT(some_answers_have_no_length),
        IN_ENVIRONMENT(a_file_is_copied_in_the_part_that_was_asked_for),
        IN_ENVIRONMENT(an_empty_file_is_copied_as_nothing),
        IN_ENVIRONMENT(a_file_is_handed_over_as_the_web_server_wants),
        IN_ENVIRONMENT(a_range_that_is_ignored_is_ignored_by_the_web_server_too),
        cmocka_unit_test(long_values_are_not_cut),
        IN_ENVIRONMENT(a_body_that_breaks_off_is_no_success),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
