/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/page/rows.h"
#include "fcgi/page/view.h"
#include "lib/base/clock.h"

/*
 * What was pushed to a repository, for readers of feeds (RFC 4287). XML escapes text and attributes
 * as HTML does, and the characters that html.h does not let through are those that XML 1.0 has not.
 */

enum { FEED_ENTRIES = 50 };

static void add_address(const struct view *view, struct html *feed, const char *reference)
{
    AUTO_BUFFER struct buffer path = BUFFER_INIT;

    view_add_path(view, view->place.name, reference, &path);
    html_text(feed, view->exchange->site.url);
    html_text(feed, path.data);
}

static void add_date(struct html *feed, int64_t seconds)
{
    char date[CLOCK_TEXT_SIZE];

    HTML(feed, "<updated>");
    html_text(feed,
              clock_write(seconds, date) ? date : "1970-01-01T00:00:00Z"); /* has to be there */
    HTML(feed, "</updated>");
}

/* The id changes with what the tags of a digest are: a tag that moves is news. */
static void add_entry(const struct view *view, struct html *feed, const struct rows *rows,
                      const struct row_of_tags *row)
{
    HTML(feed, "<entry><title>");
    html_text(feed, view->place.name);
    for (size_t i = 0; i < row->count && i < 12; i++) {
        if (i == 0) {
            HTML(feed, ":");
        } else {
            HTML(feed, ", ");
        }
        html_text(feed, rows->tags.items[row->first + i].tag);
    }
    HTML(feed, "</title><id>");
    add_address(view, feed, row->digest.text);
    HTML(feed, "#");
    html_digits(feed, row->moved > 0 ? (uint64_t)row->moved : 0);
    HTML(feed, "</id><link href=\"");
    add_address(view, feed, row->digest.text);
    HTML(feed, "\"/>");
    add_date(feed, row->moved);
    HTML(feed, "<summary>");
    html_text(feed, row->digest.text);
    HTML(feed, "</summary></entry>");
}

int page_feed(struct view *view, struct error *error)
{
    AUTO_ROWS struct rows rows = ROWS_INIT;
    AUTO_HTML struct html feed = HTML_INIT;
    struct rows_query query = {.filter = "", .order = ROWS_NEWEST, .with_commits = true};

    if (rows_read(view_repository(view), &query, &rows, error) < 0) {
        return -1;
    }
    HTML(&feed, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
                "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>");
    html_text(&feed, view->place.name);
    HTML(&feed, "</title><id>");
    add_address(view, &feed, NULL);
    HTML(&feed, "</id><link href=\"");
    add_address(view, &feed, NULL);
    HTML(&feed, "\"/><link rel=\"self\" href=\"");
    add_address(view, &feed, NULL);
    HTML(&feed, "?show=feed\"/><author><name>");
    html_text(&feed, view_host(view));
    HTML(&feed, "</name></author>");
    add_date(&feed, rows.count > 0 ? rows.rows[0].moved : 0);
    for (size_t i = 0; i < rows.count && i < FEED_ENTRIES; i++) {
        add_entry(view, &feed, &rows, &rows.rows[i]);
    }
    HTML(&feed, "</feed>\n");
    view->type = "application/atom+xml; charset=utf-8";
    html_take(&feed, &view->bytes);
    return 0;
}
