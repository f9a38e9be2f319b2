/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/head.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "lib/base/text.h"

enum {
    BYTES_LIMIT = 64 * 1024,
    LINES_LIMIT = 256,
    INTERIM_LIMIT = 16,
};

void http_head_release(struct http_head *head)
{
    buffer_release(&head->lines);
    *head = (struct http_head)HTTP_HEAD_INIT;
}

static int head_refuse(struct error *error, const char *why)
{
    return error_set(error, ERROR_UPSTREAM, "%s", why);
}

/* "HTTP/1.1 200 OK", or what libcurl makes of HTTP/2: "HTTP/2 200". */
static int head_begin(struct http_head *head, const char *line, size_t length, struct error *error)
{
    const char *space = memchr(line, ' ', length);
    const char *digits = space ? space + 1 : line + length;
    size_t left = (size_t)(line + length - digits);
    uint64_t status;

    if (length < 5 || strncmp(line, "HTTP/", 5) != 0 || left < 3 ||
        (left > 3 && digits[3] != ' ') || !text_number(digits, 3, &status) || status < 100) {
        return head_refuse(error, "does not speak HTTP as it should");
    }
    if (status == 101) {
        return head_refuse(error, "switches to another protocol (101), which nobody has asked for");
    }
    if (status < 200 && ++head->interim > INTERIM_LIMIT) {
        return head_refuse(error, "sends interim answers without an end");
    }
    head->status = (int)status;
    head->is_open = true;
    buffer_clear(&head->lines);
    return 0;
}

static size_t token_length(const char *line, size_t length)
{
    static const char symbols[] = "!#$%&'*+-.^_`|~";
    size_t end = 0;

    while (end < length && (isalnum((unsigned char)line[end]) ||
                            (line[end] != '\0' && strchr(symbols, line[end])))) {
        end++;
    }
    return end;
}

/* What is no header (a folded line, a blank in front of the colon) is left out: libcurl does not
 * heed it either. */
static int head_keep(struct http_head *head, const char *line, size_t length, struct error *error)
{
    size_t name = token_length(line, length);

    for (size_t i = 0; i < length; i++) {
        if (iscntrl((unsigned char)line[i]) && line[i] != '\t') {
            return head_refuse(error, "sends control characters in its headers");
        }
    }
    if (name == 0 || name == length || line[name] != ':') {
        return 0;
    }
    for (size_t i = 0; i < name; i++) {
        char c = (char)tolower((unsigned char)line[i]);

        buffer_add(&head->lines, &c, 1);
    }
    buffer_add(&head->lines, line + name, length - name);
    buffer_add_text(&head->lines, "\n");
    return 0;
}

/* Where the body ends has to be beyond doubt. */
static int head_end(struct http_head *head, struct error *error)
{
    AUTO_BUFFER struct buffer value = BUFFER_INIT;
    uint64_t length = 0;
    unsigned count;

    head->is_open = false;
    if (head->status < 200) {
        return 0;
    }
    for (count = 0; http_head_find(head, "content-length", count, &value); count++) {
        uint64_t other;

        if (!text_number(value.data, value.length, &other) || (count > 0 && other != length)) {
            return head_refuse(error, "contradicts itself about the length of its answer");
        }
        length = other;
    }
    for (unsigned n = 0; http_head_find(head, "transfer-encoding", n, &value); n++) {
        if (strcasecmp(value.data, "chunked") != 0 || n > 0) {
            return head_refuse(error, "encodes its answer in a way that nobody has asked for");
        }
        if (count > 0) {
            return head_refuse(error, "contradicts itself about the length of its answer");
        }
    }
    head->has_length = count > 0;
    head->length = length;
    head->complete = true;
    return 0;
}

int http_head_add(struct http_head *head, const char *line, size_t length, struct error *error)
{
    while (length > 0 && (line[length - 1] == '\r' || line[length - 1] == '\n')) {
        length--;
    }
    head->bytes += length + 2;
    head->count++;
    if (head->bytes > BYTES_LIMIT || head->count > LINES_LIMIT) {
        return head_refuse(error, "sends too many headers");
    }
    if (head->complete) {
        return 0;
    }
    if (!head->is_open) {
        return head_begin(head, line, length, error);
    }
    return length > 0 ? head_keep(head, line, length, error) : head_end(head, error);
}

bool http_head_find(const struct http_head *head, const char *name, unsigned n, struct buffer *out)
{
    const char *cursor = head->lines.data;
    const char *line;
    size_t length;
    size_t name_length = strlen(name);

    while (text_next_item(&cursor, '\n', &line, &length)) {
        const char *value = line + name_length + 1;

        if (length <= name_length || line[name_length] != ':' ||
            strncmp(line, name, name_length) != 0 || n-- > 0) {
            continue;
        }
        while (value < line + length && (*value == ' ' || *value == '\t')) {
            value++;
        }
        buffer_clear(out);
        buffer_add(out, value, (size_t)(line + length - value));
        return true;
    }
    return false;
}
