/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_PAGE_HTML_H
#define FCGI_PAGE_HTML_H

/*
 * The one writer of HTML. What a page says itself is written by HTML(), which takes string literals
 * and nothing else; what comes from anywhere else goes through the function for the place that it
 * goes to. There is no other way in: `make lint` finds markup in a literal that is not HTML()'s,
 * and whoever touches the bytes.
 *
 *   HTML(html, "<a href=\"");
 *   html_path(html, prefix);            a path that is made of names
 *   HTML(html, "?q=");
 *   html_argument(html, query);         the value of a parameter
 *   HTML(html, "\" title=\"");
 *   html_attribute(html, title);        between double quotes
 *   HTML(html, "\">");
 *   html_text(html, words);             between tags
 *   HTML(html, "</a>");
 *
 * Attributes stand in double quotes. Bytes that are no UTF-8, control characters, and those that
 * turn the direction of a text, become U+FFFD. What others have chosen to say (labels, annotations)
 * is html_foreign()'s: its direction then does not turn what stands around it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buffer.h"

struct html {
    struct buffer markup; /* for html.c alone */
};

#define HTML_INIT                                                                                  \
    {                                                                                              \
        .markup = BUFFER_INIT                                                                      \
    }
#define AUTO_HTML AUTO(html_release)
void html_release(struct html *html);

/* A literal, as it is. */
#define HTML(html, literal) html_literal((html), "" literal, sizeof(literal) - 1)
void html_literal(struct html *html, const char *literal, size_t length); /* HTML()'s */

/* Between tags, and between the double quotes of an attribute. */
void html_text(struct html *html, const char *text);
void html_attribute(struct html *html, const char *text);
/* Between double quotes: the path of a URL, and what stands behind `name=` in its query. */
void html_path(struct html *html, const char *path);
void html_argument(struct html *html, const char *value);
/* Between tags, what others say, in a direction of its own; no more than `limit` characters of it
 * and an ellipsis. */
void html_foreign(struct html *html, const char *text, size_t limit);

/* Between double quotes: somebody else's URL, if it is one of http or https. False, with nothing
 * written, if not. */
bool html_url_is_good(const char *url);
bool html_url(struct html *html, const char *url);

/* "1,234" */
void html_number(struct html *html, uint64_t number);
/* Digits alone, for attributes. */
void html_digits(struct html *html, uint64_t number);
/* "12.3 MiB" */
void html_bytes(struct html *html, uint64_t bytes);
/* <time> with the date and time in UTC, of seconds since the epoch; a dash for what is no
 * date (clock_write). */
void html_time(struct html *html, int64_t seconds);

/* A rectangle in an <svg>, in the units of its viewBox. */
struct html_box {
    uint64_t x;
    uint64_t y;
    uint64_t width;
    uint64_t height;
};
void html_rectangle(struct html *html, const char *class, const struct html_box *box);

/* What another one has, and the bytes of it all. */
void html_join(struct html *html, const struct html *other);
bool html_is_empty(const struct html *html);
/* Moves the bytes to `out`, in the place of what it has. */
void html_take(struct html *html, struct buffer *out);

#endif
