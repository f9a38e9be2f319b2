/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "lib/http/head.h"

static struct error error;

/* Line by line, as libcurl hands them over. */
static int add_all(struct http_head *head, const char *text, size_t length)
{
    int result = 0;

    while (length > 0 && result == 0) {
        const char *end = memchr(text, '\n', length);
        size_t line = end ? (size_t)(end - text) + 1 : length;

        result = http_head_add(head, text, line, &error);
        text += line;
        length -= line;
    }
    return result;
}

static const char *value_of(const struct http_head *head, const char *name, unsigned n)
{
    static struct buffer value = BUFFER_INIT;

    return http_head_find(head, name, n, &value) ? value.data : NULL;
}

static void keeps_status_and_headers(void **state)
{
    static const char text[] = "HTTP/1.1 206 Partial Content\r\n"
                               "Content-Length:  17 \r\n"
                               "X-Two: one\r\n"
                               "X-Two:two\r\n"
                               "X-Empty:\r\n"
                               "\r\n";
    struct http_head head = HTTP_HEAD_INIT;

    (void)state;
    assert_returns(0, add_all(&head, text, strlen(text)));
    assert_true(head.complete && head.has_length);
    assert_int_equal(head.status, 206);
    assert_int_equal(head.length, 17);
    assert_string_equal(value_of(&head, "content-length", 0), "17");
    assert_string_equal(value_of(&head, "x-two", 0), "one");
    assert_string_equal(value_of(&head, "x-two", 1), "two");
    assert_string_equal(value_of(&head, "x-empty", 0), "");
    assert_null(value_of(&head, "x-two", 2));
    assert_null(value_of(&head, "x", 0));
    http_head_release(&head);
}

static void reads_over_interim_answers(void **state)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n"
                               "HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\n\r\n"
                               "HTTP/1.1 199\r\n\r\n"
                               "HTTP/2 200\r\nX-Late: 1\r\n\r\n";
    struct http_head head = HTTP_HEAD_INIT;

    (void)state;
    assert_returns(0, add_all(&head, text, strlen(text)));
    assert_true(head.complete);
    assert_false(head.has_length);
    assert_int_equal(head.status, 200);
    assert_null(value_of(&head, "x-early", 0));
    assert_string_equal(value_of(&head, "x-late", 0), "1");
    http_head_release(&head);
}

static void leaves_out_what_is_no_header(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\n"
                               "X-First: 1\r\n"
                               " Location: http://folded.example/\r\n"
                               "Content-Length : 5\r\n"
                               ": no name\r\n"
                               "no colon\r\n"
                               "\r\n"
                               "Content-Type: of/a-trailer\r\n";
    struct http_head head = HTTP_HEAD_INIT;

    (void)state;
    assert_returns(0, add_all(&head, text, strlen(text)));
    assert_true(head.complete);
    assert_string_equal(head.lines.data, "x-first: 1\n");
    http_head_release(&head);
}

#define OK "HTTP/1.1 200 OK\r\n"

static const struct {
    const char *text;
    const char *words;
    size_t length; /* 0: as the text is */
} refused[] = {
    {"\r\n", "HTTP", 0},
    {"Content-Length: 5\r\n", "HTTP", 0},
    {"HTTP/1.1\r\n", "HTTP", 0},
    {"HTTP/1.1 20\r\n", "HTTP", 0},
    {"HTTP/1.1 2000 OK\r\n", "HTTP", 0},
    {"HTTP/1.1 2x0 OK\r\n", "HTTP", 0},
    {"HTTP/1.1 099 OK\r\n", "HTTP", 0},
    {"HTTP/1.1 101 Switching Protocols\r\n", "101", 0},
    {OK "Location: http://a.example/\rSet-Cookie: x\r\n", "control", 0},
    {OK "WWW-Authenticate: Bearer realm=\"a\x1b\"\r\n", "control", 0},
    {OK "Location: a\0b\r\n", "control", sizeof(OK "Location: a\0b\r\n") - 1},
    {OK "X: \x7f\r\n", "control", 0},
    {OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "length", 0},
    {OK "Content-Length: 5, 5\r\n\r\n", "length", 0},
    {OK "Content-Length: -5\r\n\r\n", "length", 0},
    {OK "Content-Length: +5\r\n\r\n", "length", 0},
    {OK "Content-Length: 0x5\r\n\r\n", "length", 0},
    {OK "Content-Length: \r\n\r\n", "length", 0},
    {OK "Content-Length: 99999999999999999999\r\n\r\n", "length", 0},
    {OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "length", 0},
    {OK "Transfer-Encoding: gzip, chunked\r\n\r\n", "encodes", 0},
    {OK "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", "encodes", 0},
    {OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "encodes", 0},
};

static void refuses_heads_that_mislead(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct http_head head = HTTP_HEAD_INIT;
        size_t length = refused[i].length ? refused[i].length : strlen(refused[i].text);
        int result = add_all(&head, refused[i].text, length);

        if (result == 0 || error.code != ERROR_UPSTREAM ||
            !strstr(error.message, refused[i].words)) {
            fail_msg("%s: %d, '%s'", refused[i].text, result, error.message);
        }
        assert_false(head.complete);
        http_head_release(&head);
    }
}

static void takes_lengths_that_agree(void **state)
{
    static const char text[] = OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n";
    static const char chunked[] = OK "Transfer-Encoding: Chunked\r\n\r\n";
    struct http_head head = HTTP_HEAD_INIT;

    (void)state;
    assert_returns(0, add_all(&head, text, strlen(text)));
    assert_true(head.complete && head.has_length && head.length == 5);
    http_head_release(&head);
    assert_returns(0, add_all(&head, chunked, strlen(chunked)));
    assert_true(head.complete && !head.has_length);
    http_head_release(&head);
}

/* Of one kind of line again and again: how many bytes and lines were taken before it was refused.
 */
static void assert_ends(const char *begin, const char *line, size_t most_bytes, unsigned most_lines)
{
    struct http_head head = HTTP_HEAD_INIT;
    size_t bytes = 0;
    unsigned lines = 0;

    assert_returns(0, add_all(&head, begin, strlen(begin)));
    while (add_all(&head, line, strlen(line)) == 0) {
        bytes += strlen(line);
        lines++;
        assert_true(bytes <= most_bytes && lines <= most_lines);
        assert_true(head.lines.length <= most_bytes);
    }
    assert_int_equal(error.code, ERROR_UPSTREAM);
    http_head_release(&head);
}

static void caps_lines_and_bytes(void **state)
{
    char *line = malloc(30000);

    (void)state;
    assert_non_null(line);
    memset(line, 'x', 30000);
    memcpy(line, "X: ", 3);
    line[29998] = '\n';
    line[29999] = '\0';
    assert_ends(OK, "a:\r\n", 65536, 256);
    assert_ends(OK, "not a header\r\n", 65536, 256);
    assert_ends(OK, line, 65536, 3);
    assert_ends(OK "\r\n", "X-Trailer: 1\r\n", 65536, 256);
    assert_ends(OK "\r\n", line, 65536, 3);
    assert_ends("", "HTTP/1.1 100 Continue\r\n\r\n", 65536, 64);
    assert_ends("", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 65536, 64);
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_status_and_headers),
        cmocka_unit_test(reads_over_interim_answers),
        cmocka_unit_test(leaves_out_what_is_no_header),
        cmocka_unit_test(refuses_heads_that_mislead),
        cmocka_unit_test(takes_lengths_that_agree),
        cmocka_unit_test(caps_lines_and_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
