/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fcgi/page/view.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/base/text.h"
#include "lib/registry/shelf.h"

/* The front, and what is below a namespace: repositories. */

enum { FRONT_ROWS = 50, FRONT_ROWS_MOST = 1000 };

static const char *const kept[] = {"q", "sort", "n", NULL};

static size_t front_limit(const struct view *view)
{
    const char *text = view_query(view, "n");
    uint64_t number = FRONT_ROWS;

    if (!text_number(text, strlen(text), &number) || number == 0) {
        number = FRONT_ROWS;
    }
    return number < FRONT_ROWS_MOST ? (size_t)number : FRONT_ROWS_MOST;
}

static bool front_is_newest(const struct view *view)
{
    return strcmp(view_query(view, "sort"), "newest") == 0;
}

/* The very front, rather than a part of it. */
static bool front_is_all(const struct view *view)
{
    return !*view->place.name && !*view_query(view, "q") && view->page == 1;
}

/* A head that sorts by itself when it is followed. */
static void add_sort(struct view *view, bool is_newest)
{
    struct html *body = &view->body;
    bool is_now = front_is_newest(view) == is_newest;

    if (!is_now) {
        HTML(body, "<th scope=\"col\"><a href=\"?");
    } else if (is_newest) {
        HTML(body, "<th scope=\"col\" aria-sort=\"descending\"><a href=\"?");
    } else {
        HTML(body, "<th scope=\"col\" aria-sort=\"ascending\"><a href=\"?");
    }
    if (*view_query(view, "q")) {
        HTML(body, "q=");
        html_argument(body, view_query(view, "q"));
        HTML(body, "&amp;");
    }
    if (is_newest) {
        HTML(body, "sort=newest\">Changed");
    } else {
        HTML(body, "sort=name\">Name");
    }
    HTML(body, "</a></th>");
}

static void add_count(struct html *body, const struct shelf_entry *entry)
{
    html_number(body, entry->count);
    if (entry->is_namespace && entry->count == 1) {
        HTML(body, " repository");
    } else if (entry->is_namespace) {
        HTML(body, " repositories");
    } else if (entry->count == 1) {
        HTML(body, " tag");
    } else {
        HTML(body, " tags");
    }
}

/* The names of what is cached begin alike: it is put where it disturbs least. */
static void add_name(struct view *view, const struct shelf_entry *entry)
{
    struct html *body = &view->body;
    const char *name = entry->name;
    size_t within = strlen(view->place.name);

    if (within > 0 && !*view_query(view, "q")) {
        name += within + 1;
    } else if (entry->is_proxied && text_begins(name, "proxy/")) {
        HTML(body, "<span class=\"dim\">proxy/</span>");
        name += strlen("proxy/");
    }
    html_text(body, name);
}

static void add_row(struct view *view, const struct shelf_entry *entry)
{
    struct html *body = &view->body;

    if (entry->is_namespace) {
        HTML(body, "<tr class=\"namespace\"><th scope=\"row\"><a href=\"");
        view_link_namespace(view, entry->name);
    } else {
        HTML(body, "<tr><th scope=\"row\"><a href=\"");
        view_link_repository(view, entry->name);
    }
    HTML(body, "\">");
    add_name(view, entry);
    if (entry->is_namespace) {
        HTML(body, "/");
    }
    HTML(body, "</a></th><td class=\"count\">");
    add_count(body, entry);
    HTML(body, "</td><td class=\"size\">");
    if (entry->has_size) {
        html_bytes(body, entry->size);
    }
    HTML(body, "</td><td class=\"date\">");
    html_time(body, entry->changed);
    HTML(body, "</td></tr>");
}

static void add_table(struct view *view, const struct shelf *shelf, bool is_proxied)
{
    struct html *body = &view->body;
    bool is_begun = false;

    for (size_t i = 0; i < shelf->count; i++) {
        if (shelf->entries[i].is_proxied != is_proxied) {
            continue;
        }
        if (!is_begun && is_proxied) {
            HTML(body, "<section class=\"shelf\"><h2>Cached from other registries</h2>"
                       "<table class=\"list\"><thead><tr>");
        } else if (!is_begun) {
            HTML(body, "<section class=\"shelf\"><h2>Hosted here</h2>"
                       "<table class=\"list\"><thead><tr>");
        }
        if (!is_begun) {
            add_sort(view, false);
            HTML(body, "<th scope=\"col\" class=\"count\">Holds</th>"
                       "<th scope=\"col\" class=\"size\">Size</th>");
            add_sort(view, true);
            HTML(body, "</tr></thead><tbody>");
            is_begun = true;
        }
        add_row(view, &shelf->entries[i]);
    }
    if (is_begun) {
        HTML(body, "</tbody></table></section>");
    }
}

/* Nothing there yet: what to do about it. */
static void add_welcome(struct view *view)
{
    struct html *body = &view->body;
    AUTO_BUFFER struct buffer push = BUFFER_INIT;
    AUTO_BUFFER struct buffer pull = BUFFER_INIT;

    if (*view_query(view, "q")) {
        HTML(body, "<p class=\"lead\">No repository has \xe2\x80\x9c");
        html_foreign(body, view_query(view, "q"), 100);
        HTML(body, "\xe2\x80\x9d in its name.</p>");
        return;
    }
    buffer_format(&push, "docker tag alpine %s/hello\ndocker push %s/hello", view_host(view),
                  view_host(view));
    buffer_format(&pull, "docker pull %s/proxy/docker.io/library/alpine", view_host(view));
    HTML(body, "<section class=\"welcome\"><p class=\"lead\">There is nothing here yet, or nothing "
               "that you may see.</p><h2>Push an image</h2>");
    view_code(view, push.data);
    if (view->exchange->caller.options->proxy.enabled) {
        HTML(body, "<h2>Or pull one through the cache</h2>");
        view_code(view, pull.data);
    }
    HTML(body, "</section>");
}

/* When sizes were counted, in seconds since the epoch. */
static int64_t front_sized(const struct shelf *shelf)
{
    return clock_date_ago(shelf->sized_ago);
}

static void add_summary(struct html *body, const struct shelf *shelf)
{
    HTML(body, "<p class=\"lead\">");
    html_number(body, shelf->hosted_count);
    HTML(body, " hosted, ");
    html_number(body, shelf->proxied_count);
    HTML(body, " cached");
    if (shelf->is_cut) {
        HTML(body, ", and more that were not looked at: search, or open a namespace");
    }
    if (shelf->has_sizes) {
        HTML(body, "; sizes as <code>berth gc</code> has counted ");
        html_time(body, front_sized(shelf));
    }
    HTML(body, "</p>");
}

static void front_write(struct view *view, const struct shelf *shelf)
{
    struct html *body = &view->body;
    size_t limit = front_limit(view);

    if (*view->place.name) {
        view_trail(view, view->place.name, NULL);
        HTML(body, "<h1>");
        html_text(body, view->place.name);
        HTML(body, "/</h1>");
    } else if (*view_query(view, "q")) {
        HTML(body, "<h1>Search</h1>");
    } else {
        HTML(body, "<h1>Repositories</h1>");
    }
    if (shelf->total == 0) {
        add_welcome(view);
        return;
    }
    add_summary(body, shelf);
    HTML(body, "<div class=\"shelves\">");
    add_table(view, shelf, false);
    add_table(view, shelf, true);
    HTML(body, "</div>");
    view_pager(view, (shelf->total + limit - 1) / limit, kept);
    if (front_is_all(view)) {
        view_stock(view);
    }
}

static void front_write_json(struct view *view, const struct shelf *shelf)
{
    struct buffer *out = &view->bytes;

    json_open_object(out, NULL);
    json_number(out, "total", shelf->total);
    json_number(out, "hosted", shelf->hosted_count);
    json_number(out, "cached", shelf->proxied_count);
    if (shelf->has_sizes) {
        json_date(out, "sizesCounted", front_sized(shelf));
    }
    json_open_array(out, "entries");
    for (size_t i = 0; i < shelf->count; i++) {
        const struct shelf_entry *entry = &shelf->entries[i];

        json_open_object(out, NULL);
        json_text(out, "name", entry->name);
        json_text(out, "kind", entry->is_namespace ? "namespace" : "repository");
        json_text(out, "origin", entry->is_proxied ? "cache" : "hosted");
        json_number(out, entry->is_namespace ? "repositories" : "tags", entry->count);
        if (entry->has_size) {
            json_number(out, "bytes", entry->size);
        }
        json_date(out, "changed", entry->changed);
        json_close_object(out);
    }
    json_close_array(out);
    if (front_is_all(view)) {
        view_stock_json(view);
    }
    json_close_object(out);
}

/* What fits on one page is shown as it is, and what does not by its namespaces. */
static int front_find(const struct view *view, struct shelf_query *query, struct shelf *out,
                      struct error *error)
{
    AUTO_SHELF struct shelf shelf = SHELF_INIT;
    struct registry *registry = view->exchange->registry;
    const struct permit *permit = &view->exchange->permit;

    if (shelf_find(registry, permit, query, &shelf, error) < 0) {
        return -1;
    }
    query->every = shelf.hosted_count + shelf.proxied_count <= query->limit;
    if (query->every) {
        return shelf_find(registry, permit, query, out, error);
    }
    *out = shelf;
    shelf = (struct shelf)SHELF_INIT;
    return 0;
}

int page_front(struct view *view, struct error *error)
{
    AUTO_SHELF struct shelf shelf = SHELF_INIT;
    size_t limit = front_limit(view);
    struct shelf_query query = {.within = view->place.name,
                                .filter = view_query(view, "q"),
                                .order = front_is_newest(view) ? SHELF_NEWEST : SHELF_BY_NAME,
                                .skip = (size_t)(view->page - 1) * limit,
                                .limit = limit};

    if (front_find(view, &query, &shelf, error) < 0) {
        return -1;
    }
    if (*view->place.name && shelf.total == 0) {
        return error_set(error, ERROR_NOT_FOUND, "there is nothing here that you may see");
    }
    buffer_add_text(&view->title, view->place.name);
    view->is_searched = true;
    if (view->wants_json) {
        front_write_json(view, &shelf);
    } else {
        front_write(view, &shelf);
    }
    return 0;
}
