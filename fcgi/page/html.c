/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/page/html.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/character.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

void html_release(struct html *html)
{
    buffer_release(&html->markup);
}

void html_literal(struct html *html, const char *literal, size_t length)
{
    buffer_add(&html->markup, literal, length);
}

static void add_character(struct buffer *out, const char *character, size_t length)
{
    switch (length == 1 ? *character : 'x') {
    case '<':
        buffer_add_text(out, "&lt;");
        break;
    case '>':
        buffer_add_text(out, "&gt;");
        break;
    case '&':
        buffer_add_text(out, "&amp;");
        break;
    case '"':
        buffer_add_text(out, "&#34;");
        break;
    case '\'':
        buffer_add_text(out, "&#39;");
        break;
    default:
        buffer_add(out, character, length);
        break;
    }
}

/* At most `limit` characters. */
static void add_escaped(struct html *html, const char *text, size_t limit)
{
    size_t written = 0;

    while (*text && written < limit) {
        size_t length = character_length(text);

        if (character_is_tame(text) || *text == '\n' || *text == '\t') {
            add_character(&html->markup, text, length);
        } else {
            buffer_add_text(&html->markup, "\xef\xbf\xbd");
        }
        text += length + (length == 0);
        written++;
    }
    if (*text) {
        buffer_add_text(&html->markup, "\xe2\x80\xa6");
    }
}

void html_text(struct html *html, const char *text)
{
    add_escaped(html, text, SIZE_MAX);
}

void html_attribute(struct html *html, const char *text)
{
    add_escaped(html, text, SIZE_MAX);
}

void html_foreign(struct html *html, const char *text, size_t limit)
{
    HTML(html, "<bdi>");
    add_escaped(html, text, limit);
    HTML(html, "</bdi>");
}

void html_path(struct html *html, const char *path)
{
    text_percent_encode(path, &html->markup);
}

void html_argument(struct html *html, const char *value)
{
    text_percent_encode(value, &html->markup);
}

bool html_url_is_good(const char *url)
{
    size_t scheme = strncasecmp(url, "https://", 8) == 0  ? 8
                    : strncasecmp(url, "http://", 7) == 0 ? 7
                                                          : 0;

    for (const char *c = url; *c; c++) {
        if (*c <= ' ' || *c == 0x7f || strchr("\\\"<>`", *c)) {
            return false; /* also what is not ASCII: a URL says that, and these, in escapes */
        }
    }
    return scheme > 0 && url[scheme] != '\0' && url[scheme] != '/';
}

bool html_url(struct html *html, const char *url)
{
    if (!html_url_is_good(url)) {
        return false;
    }
    html_attribute(html, url);
    return true;
}

void html_number(struct html *html, uint64_t number)
{
    char digits[24];
    size_t length = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, number);

    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            buffer_add_text(&html->markup, ",");
        }
        buffer_add(&html->markup, digits + i, 1);
    }
}

void html_digits(struct html *html, uint64_t number)
{
    buffer_format(&html->markup, "%" PRIu64, number);
}

void html_bytes(struct html *html, uint64_t bytes)
{
    text_add_bytes(bytes, &html->markup);
}

void html_time(struct html *html, int64_t seconds)
{
    char date[CLOCK_TEXT_SIZE];

    if (!clock_write(seconds, date)) {
        HTML(html, "<span class=\"dim\">\xe2\x80\x93</span>");
        return;
    }
    HTML(html, "<time datetime=\"");
    html_attribute(html, date);
    HTML(html, "\">");
    date[10] = ' ';
    date[16] = '\0';
    html_text(html, date);
    HTML(html, "</time>");
}

static void add_length(struct html *html, uint64_t number)
{
    html_digits(html, number);
    HTML(html, "\"");
}

void html_rectangle(struct html *html, const char *class, const struct html_box *box)
{
    HTML(html, "<rect class=\"");
    html_attribute(html, class);
    HTML(html, "\" x=\"");
    add_length(html, box->x);
    HTML(html, " y=\"");
    add_length(html, box->y);
    HTML(html, " width=\"");
    add_length(html, box->width);
    HTML(html, " height=\"");
    add_length(html, box->height);
    HTML(html, "></rect>");
}

void html_join(struct html *html, const struct html *other)
{
    buffer_add(&html->markup, other->markup.data, other->markup.length);
}

bool html_is_empty(const struct html *html)
{
    return html->markup.length == 0;
}

void html_take(struct html *html, struct buffer *out)
{
    buffer_release(out);
    *out = html->markup;
    html->markup = (struct buffer)BUFFER_INIT;
}
