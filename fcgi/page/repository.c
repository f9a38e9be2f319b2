/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fcgi/page/rows.h"
#include "fcgi/page/view.h"
#include "lib/base/json.h"
#include "lib/store/history.h"
#include "lib/store/portrait.h"
#include "lib/store/pulled.h"

/* A repository: what its tags stand for. */

enum { PAGE_ROWS = 50, ROW_TAGS = 12, ROW_PLATFORMS = 8 };

static const char *const kept[] = {"filter", "sort", "commits", "untagged", NULL};

/* What is read of a row. */
struct look {
    const struct row_of_tags *row;
    const struct tagged *tags;
    struct portrait portrait;
    char platform[PLATFORM_SIZE]; /* of an image that is no index */
    unsigned marks;
    bool is_immutable; /* one of its tags */
    struct pulled pulled;
    struct history history; /* the last that happened to the tag that was moved last */
};

static void look_release(struct look *look)
{
    portrait_release(&look->portrait);
    history_release(&look->history);
}

static void look_read_pulls(const struct repository *repository, struct look *look)
{
    struct error ignored;

    for (size_t i = 0; i < look->row->count; i++) {
        struct pulled pulled = {.count = 0};

        if (pulled_read(repository, look->tags[i].tag, &look->row->digest, &pulled, &ignored) < 0) {
            continue;
        }
        look->pulled.count = pulled.count > look->pulled.count ? pulled.count : look->pulled.count;
        look->pulled.last = pulled.last > look->pulled.last ? pulled.last : look->pulled.last;
    }
}

/* Of the tag that was moved last, since the row says when that was. */
static void look_read_author(const struct repository *repository, struct look *look)
{
    const struct tagged *newest = look->tags;
    struct error ignored;

    for (size_t i = 1; i < look->row->count; i++) {
        newest = look->tags[i].moved > newest->moved ? &look->tags[i] : newest;
    }
    if (look->row->count > 0) {
        (void)history_read(repository, newest->tag, 1, &look->history, &ignored);
    }
}

static const char *look_author(const struct look *look)
{
    return look->history.count > 0 && look->history.entries[0].author
               ? look->history.entries[0].author
               : "";
}

static void look_read(const struct view *view, struct gallery *gallery, const struct rows *rows,
                      size_t number, struct look *out)
{
    const struct repository *repository = gallery->repository;
    AUTO_IMAGE_CONFIG struct image_config config = IMAGE_CONFIG_INIT;
    struct error ignored;

    *out = (struct look){
        .row = &rows->rows[number], .portrait = PORTRAIT_INIT, .history = HISTORY_INIT};
    out->tags = rows->tags.items + out->row->first;
    if (portrait_read(gallery, &out->row->digest, &out->portrait, &ignored) > 0 &&
        out->portrait.description.kind == KIND_IMAGE && !view->exchange->source.is_proxied &&
        portrait_read_config(gallery, &out->portrait.description, &config)) {
        memcpy(out->platform, config.platform, strnlen(config.platform, PLATFORM_SIZE - 1));
    }
    out->marks = portrait_marks(gallery, &out->row->digest);
    for (size_t i = 0; i < out->portrait.description.part_count; i++) {
        out->marks |=
            out->portrait.description.parts[i].is_attestation ? 1U << KIND_ATTESTATION : 0;
    }
    if (!view->exchange->source.is_proxied) {
        for (size_t i = 0; i < out->row->count && !out->is_immutable; i++) {
            out->is_immutable = tag_is_immutable(repository->store, out->tags[i].tag);
        }
        look_read_pulls(repository, out);
        look_read_author(repository, out);
    }
}

/* The query with one parameter changed; "" takes it out. */
static void link_with(struct view *view, const char *name, const char *value)
{
    struct html *body = &view->body;

    HTML(body, "?");
    for (const char *const *each = kept; *each; each++) {
        const char *now = strcmp(*each, name) == 0 ? value : view_query(view, *each);

        if (*now) {
            html_argument(body, *each);
            HTML(body, "=");
            html_argument(body, now);
            HTML(body, "&amp;");
        }
    }
    HTML(body, "page=1");
}

static bool is_by_version(const struct view *view)
{
    return strcmp(view_query(view, "sort"), "version") == 0;
}

static void add_head(struct view *view)
{
    struct html *body = &view->body;

    if (is_by_version(view)) {
        HTML(body, "<th scope=\"col\" aria-sort=\"descending\"><a href=\"");
    } else {
        HTML(body, "<th scope=\"col\"><a href=\"");
    }
    link_with(view, "sort", "version");
    HTML(body,
         "\">Tags</a></th><th scope=\"col\">Kind</th><th scope=\"col\" class=\"size\">Size</th>");
    if (is_by_version(view)) {
        HTML(body, "<th scope=\"col\" class=\"date\"><a href=\"");
    } else {
        HTML(body, "<th scope=\"col\" class=\"date\" aria-sort=\"descending\"><a href=\"");
    }
    link_with(view, "sort", "");
    HTML(body, "\">Pushed</a></th>");
    if (!view->exchange->source.is_proxied) {
        HTML(body, "<th scope=\"col\" class=\"count\">Pulls</th>"
                   "<th scope=\"col\" class=\"date\">Last pulled</th>");
    }
}

static void add_tags(struct view *view, const struct look *look)
{
    struct html *body = &view->body;
    const char *name = view->place.name;

    HTML(body, "<ul class=\"tags\">");
    for (size_t i = 0; i < look->row->count && i < ROW_TAGS; i++) {
        HTML(body, "<li><a class=\"tag\" href=\"");
        view_link_image(view, name, look->tags[i].tag);
        HTML(body, "\">");
        html_text(body, look->tags[i].tag);
        HTML(body, "</a></li>");
    }
    if (look->row->count > ROW_TAGS) {
        HTML(body, "<li class=\"dim\">and ");
        html_number(body, look->row->count - ROW_TAGS);
        HTML(body, " more</li>");
    }
    if (look->row->count == 0) {
        HTML(body, "<li class=\"dim\">untagged</li>");
    }
    HTML(body, "</ul><a class=\"digest\" href=\"");
    view_link_image(view, name, look->row->digest.text);
    HTML(body, "\">");
    view_short_digest(view, &look->row->digest);
    HTML(body, "</a>");
}

static void add_kind(struct view *view, const struct look *look)
{
    struct html *body = &view->body;
    const struct description *description = &look->portrait.description;
    size_t shown = 0;
    size_t more = 0;

    HTML(body, "<ul class=\"badges\">");
    if (!look->portrait.is_readable) {
        HTML(body, "<li class=\"dim\">not understood</li>");
    } else if (!*look->platform && description->kind != KIND_INDEX) {
        HTML(body, "<li>");
        view_badge(view, description->kind);
        HTML(body, "</li>");
    }
    if (*look->platform) {
        HTML(body, "<li class=\"platform\">");
        html_foreign(body, look->platform, PLATFORM_SIZE);
        HTML(body, "</li>");
    }
    for (size_t i = 0; description->kind == KIND_INDEX && i < description->part_count; i++) {
        if (!*description->parts[i].platform) {
            continue;
        }
        if (shown++ >= ROW_PLATFORMS) {
            more++;
            continue;
        }
        HTML(body, "<li class=\"platform\">");
        html_foreign(body, description->parts[i].platform, PLATFORM_SIZE);
        HTML(body, "</li>");
    }
    if (more > 0) {
        HTML(body, "<li class=\"dim\">and ");
        html_number(body, more);
        HTML(body, " more</li>");
    }
    for (enum description_kind kind = KIND_SIGNATURE; kind <= KIND_ARTIFACT; kind++) {
        if (look->marks & (1U << kind)) {
            HTML(body, "<li>");
            view_badge(view, kind);
            HTML(body, "</li>");
        }
    }
    if (look->is_immutable) {
        HTML(body, "<li><span class=\"badge\">immutable</span></li>");
    }
    HTML(body, "</ul>");
}

static void add_row(struct view *view, const struct look *look)
{
    struct html *body = &view->body;

    HTML(body, "<tr><th scope=\"row\">");
    add_tags(view, look);
    HTML(body, "</th><td>");
    add_kind(view, look);
    HTML(body, "</td><td class=\"size\">");
    html_bytes(body, look->portrait.size);
    HTML(body, "</td><td class=\"date\">");
    html_time(body, look->row->moved);
    if (*look_author(look)) {
        HTML(body, "<span class=\"by\">by ");
        html_foreign(body, look_author(look), 100);
        HTML(body, "</span>");
    }
    HTML(body, "</td>");
    if (!view->exchange->source.is_proxied) {
        HTML(body, "<td class=\"count\">");
        html_number(body, look->pulled.count);
        HTML(body, "</td><td class=\"date\">");
        html_time(body, (int64_t)look->pulled.last);
        HTML(body, "</td>");
    }
    HTML(body, "</tr>");
}

static void add_choice(struct view *view, const char *name, bool is_on)
{
    if (is_on) {
        HTML(&view->body, "<a class=\"button on\" aria-pressed=\"true\" role=\"button\" href=\"");
    } else {
        HTML(&view->body, "<a class=\"button\" href=\"");
    }
    link_with(view, name, is_on ? "" : "1");
    HTML(&view->body, "\">");
}

static void add_tools(struct view *view, const struct rows *rows)
{
    struct html *body = &view->body;
    bool with_commits = *view_query(view, "commits");
    bool with_untagged = *view_query(view, "untagged");

    HTML(body, "<div class=\"tools\"><form class=\"filter\" action=\"");
    view_link_repository(view, view->place.name);
    HTML(body,
         "\"><label class=\"hidden\" for=\"filter\">Filter tags</label><input id=\"filter\" "
         "type=\"search\" name=\"filter\" maxlength=\"128\" placeholder=\"Filter tags\" value=\"");
    html_attribute(body, view_query(view, "filter"));
    if (is_by_version(view)) {
        HTML(body, "\"><input type=\"hidden\" name=\"sort\" value=\"version");
    }
    HTML(body, "\"><button>Filter</button></form>");
    if (rows->commits > 0 || with_commits) {
        if (with_commits) {
            add_choice(view, "commits", true);
            HTML(body, "Hide images of commits</a>");
        } else {
            add_choice(view, "commits", false);
            HTML(body, "Show ");
            html_number(body, rows->commits);
            HTML(body, " images of commits</a>");
        }
    }
    add_choice(view, "untagged", with_untagged);
    if (with_untagged) {
        HTML(body, "Hide untagged</a>");
    } else {
        HTML(body, "Show untagged</a>");
    }
    HTML(body, "<a class=\"button\" type=\"application/atom+xml\" href=\"");
    view_link_repository(view, view->place.name);
    HTML(body, "?show=feed\">Feed</a></div>");
}

/* The rows of this page. */
static void page_range(const struct view *view, const struct rows *rows, size_t *first, size_t *end)
{
    *first = (size_t)(view->page - 1) * PAGE_ROWS;
    *first = *first < rows->count ? *first : rows->count;
    *end = rows->count - *first < PAGE_ROWS ? rows->count : *first + PAGE_ROWS;
}

static void repository_write(struct view *view, const struct rows *rows)
{
    struct html *body = &view->body;
    struct gallery gallery = gallery_make(view_repository(view));
    size_t first;
    size_t end;

    view_trail(view, view->place.name, NULL);
    HTML(body, "<h1>");
    html_text(body, view->place.name);
    HTML(body, "</h1><p class=\"lead\">");
    html_number(body, rows->tag_count);
    HTML(body, " tags");
    if (rows->is_cut) {
        HTML(body, ", and more that were not looked at");
    }
    if (view->exchange->source.is_proxied) {
        HTML(body, " in the cache; the registry that it is of may have more");
    }
    HTML(body, "</p>");
    add_tools(view, rows);
    page_range(view, rows, &first, &end);
    if (first == end) {
        HTML(body, "<p class=\"lead\">No tag is shown.</p>");
        return;
    }
    HTML(body, "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Tags\"><table "
               "class=\"images\"><thead><tr>");
    add_head(view);
    HTML(body, "</tr></thead><tbody>");
    for (size_t i = first; i < end; i++) {
        struct look look;

        look_read(view, &gallery, rows, i, &look);
        add_row(view, &look);
        look_release(&look);
    }
    HTML(body, "</tbody></table></div>");
    view_pager(view, (rows->count + PAGE_ROWS - 1) / PAGE_ROWS, kept);
}

static void write_row_json(struct buffer *out, const struct look *look)
{
    const struct description *description = &look->portrait.description;

    json_open_object(out, NULL);
    json_text(out, "digest", look->row->digest.text);
    json_open_array(out, "tags");
    for (size_t i = 0; i < look->row->count; i++) {
        json_text(out, NULL, look->tags[i].tag);
    }
    json_close_array(out);
    json_text(out, "kind", description_kind_word(description->kind));
    json_open_array(out, "platforms");
    if (*look->platform) {
        json_text(out, NULL, look->platform);
    }
    for (size_t i = 0; i < description->part_count; i++) {
        if (*description->parts[i].platform) {
            json_text(out, NULL, description->parts[i].platform);
        }
    }
    json_close_array(out);
    json_open_array(out, "referrers");
    for (enum description_kind kind = KIND_IMAGE; kind <= KIND_ARTIFACT; kind++) {
        if (look->marks & (1U << kind)) {
            json_text(out, NULL, description_kind_word(kind));
        }
    }
    json_close_array(out);
    json_raw(out, "immutable", look->is_immutable ? "true" : "false");
    json_number(out, "size", look->portrait.size);
    json_date(out, "pushed", look->row->moved);
    json_text(out, "pushedBy", look_author(look));
    json_number(out, "pulls", look->pulled.count);
    json_date(out, "lastPulled", (int64_t)look->pulled.last);
    json_close_object(out);
}

static void repository_write_json(struct view *view, const struct rows *rows)
{
    struct buffer *out = &view->bytes;
    struct gallery gallery = gallery_make(view_repository(view));
    size_t first;
    size_t end;

    page_range(view, rows, &first, &end);
    json_open_object(out, NULL);
    json_text(out, "name", view->place.name);
    json_text(out, "origin", view->exchange->source.is_proxied ? "cache" : "hosted");
    json_number(out, "total", rows->count);
    json_number(out, "tags", rows->tag_count);
    view_rules_json(view);
    json_open_array(out, "images");
    for (size_t i = first; i < end; i++) {
        struct look look;

        look_read(view, &gallery, rows, i, &look);
        write_row_json(out, &look);
        look_release(&look);
    }
    json_close_array(out);
    json_close_object(out);
}

int page_repository(struct view *view, struct error *error)
{
    AUTO_ROWS struct rows rows = ROWS_INIT;
    struct rows_query query = {.filter = view_query(view, "filter"),
                               .order = is_by_version(view) ? ROWS_BY_VERSION : ROWS_NEWEST,
                               .with_commits = *view_query(view, "commits"),
                               .with_untagged = *view_query(view, "untagged")};

    if (rows_read(view_repository(view), &query, &rows, error) < 0) {
        return -1;
    }
    if (rows.count == 0 && rows.commits > 0) {
        rows_release(&rows); /* there is nothing else */
        query.with_commits = true;
        if (rows_read(view_repository(view), &query, &rows, error) < 0) {
            return -1;
        }
    }
    buffer_add_text(&view->title, view->place.name);
    if (view->wants_json) {
        repository_write_json(view, &rows);
        return 0;
    }
    repository_write(view, &rows);
    view_rules(view);
    actions_add(view);
    return 0;
}
