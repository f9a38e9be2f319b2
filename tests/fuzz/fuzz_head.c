/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <ctype.h>
#include <strings.h>

#include "lib/http/head.h"

/* Nobody takes more than this of what an upstream sends: see the limits in lib/http/head.c. */
enum { KEPT_LIMIT = 64 * 1024 };

/* All fields of a head begin at the start of a line and have no control characters. */
static void check_lines(const struct http_head *head)
{
    const char *c = head->lines.data;

    CHECK(head->lines.length <= KEPT_LIMIT && strlen(c) == head->lines.length);
    while (*c) {
        const char *colon = strchr(c, ':');
        const char *end = strchr(c, '\n');

        CHECK(colon && end && colon > c && colon < end);
        for (; c < colon; c++) {
            CHECK(!isupper((unsigned char)*c) && isgraph((unsigned char)*c));
        }
        for (; c < end; c++) {
            CHECK(!iscntrl((unsigned char)*c) || *c == '\t');
        }
        c = end + 1;
    }
}

/* Where its body ends is beyond doubt. */
static void check_complete(const struct http_head *head)
{
    AUTO_BUFFER struct buffer value = BUFFER_INIT;
    bool is_chunked = http_head_find(head, "transfer-encoding", 0, &value);
    char length[32];

    CHECK(!head->is_open && head->status >= 200 && head->status <= 999);
    CHECK(!is_chunked || (!head->has_length && strcasecmp(value.data, "chunked") == 0));
    CHECK(head->has_length == http_head_find(head, "content-length", 0, &value));
    if (head->has_length) {
        const char *digits = value.data + strspn(value.data, "0");

        (void)snprintf(length, sizeof(length), "%llu", (unsigned long long)head->length);
        CHECK(strcmp(*digits ? digits : "0", length) == 0);
    }
}

/* A head, line by line, as libcurl hands it over. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_head head = HTTP_HEAD_INIT;
    struct error error = ERROR_INIT;
    const char *cursor = (const char *)data;
    const char *end = cursor + size;
    int result = 0;

    while (cursor < end && result == 0) {
        const char *line_end = memchr(cursor, '\n', (size_t)(end - cursor));
        size_t length = line_end ? (size_t)(line_end - cursor) + 1 : (size_t)(end - cursor);
        bool was_complete = head.complete;
        char *line = copy_text((const uint8_t *)cursor, length);

        result = http_head_add(&head, line, length, &error);
        CHECK(result == 0 || (error.code == ERROR_UPSTREAM && *error.message));
        CHECK(head.complete || !was_complete);
        free(line);
        check_lines(&head);
        if (head.complete) {
            check_complete(&head);
        }
        cursor += length;
    }
    http_head_release(&head);
    return 0;
}
