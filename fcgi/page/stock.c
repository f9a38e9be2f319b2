/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/registry/stock.h"
#include "fcgi/page/view.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"

/* How full it is, below the repositories, for who may see all of them. */

enum { BAR_WIDTH = 1000, PERCENT = 100 };

static uint64_t part_of(uint64_t part, uint64_t whole)
{
    double width = whole > 0 ? (double)part * BAR_WIDTH / (double)whole : 0;

    return width > BAR_WIDTH ? BAR_WIDTH : (uint64_t)width;
}

static void add_part(struct html *body, const char *class, uint64_t from, uint64_t width)
{
    html_rectangle(body, class, &(struct html_box){.x = from, .width = width, .height = 16});
}

/* The disk: images, what else is on it, what is free. */
static void add_disk(struct html *body, const struct stock *stock)
{
    uint64_t used = stock->disk > stock->free ? stock->disk - stock->free : 0;
    uint64_t images = stock->is_counted && stock->census.bytes < used ? stock->census.bytes : 0;
    uint64_t end_of_images = part_of(images, stock->disk);
    uint64_t end = part_of(used, stock->disk);

    if (stock->disk == 0) {
        return;
    }
    HTML(body, "<svg class=\"disk\" viewBox=\"0 0 1000 16\" preserveAspectRatio=\"none\" "
               "aria-hidden=\"true\" focusable=\"false\">");
    add_part(body, "rail", 0, BAR_WIDTH);
    add_part(body, "other", end_of_images, end - end_of_images);
    add_part(body, "fill", 0, end_of_images);
    HTML(body, "</svg><p class=\"legend\">");
    if (stock->is_counted) {
        HTML(body, "<span class=\"key images-key\">");
        html_bytes(body, images);
        HTML(body, " of images</span>");
    }
    HTML(body, "<span class=\"key other-key\">");
    html_bytes(body, used - images);
    HTML(body, " of other things</span><span class=\"key free-key\">");
    html_bytes(body, stock->free);
    HTML(body, " free</span></p>");
}

static void add_fact(struct html *body, const char *term, uint64_t number)
{
    HTML(body, "<div><dt>");
    html_text(body, term);
    HTML(body, "</dt><dd>");
    html_number(body, number);
    HTML(body, "</dd></div>");
}

static void add_size(struct html *body, const char *term, uint64_t bytes)
{
    HTML(body, "<div><dt>");
    html_text(body, term);
    HTML(body, "</dt><dd>");
    html_bytes(body, bytes);
    HTML(body, "</dd></div>");
}

/* What each repository alone would need, but for those that have the same. */
static void add_sharing(struct html *body, const struct census *census)
{
    uint64_t saved =
        census->linked_bytes > census->bytes ? census->linked_bytes - census->bytes : 0;

    HTML(body, "<div><dt>Saved by sharing layers</dt><dd>");
    html_bytes(body, saved);
    HTML(body, " <span class=\"dim\">");
    html_number(body, part_of(saved, census->linked_bytes) * PERCENT / BAR_WIDTH);
    HTML(body, " % of ");
    html_bytes(body, census->linked_bytes);
    HTML(body, "</span></dd></div>");
}

static void add_chore(struct html *body, const char *term, const struct chore_past *past)
{
    HTML(body, "<div><dt>");
    html_text(body, term);
    HTML(body, "</dt><dd>");
    html_text(body, chore_outcome_name(past->outcome));
    if (past->problems > 0) {
        HTML(body, ", ");
        html_number(body, past->problems);
        HTML(body, " problems");
    }
    HTML(body, " <span class=\"dim\">");
    html_time(body, clock_date_ago(past->ago));
    HTML(body, "</span></dd></div>");
}

void view_stock(struct view *view)
{
    struct html *body = &view->body;
    struct stock stock;

    if (stock_take(view->exchange->registry, &view->exchange->permit, &stock) == 0) {
        return;
    }
    HTML(body, "<section aria-labelledby=\"storage\"><h2 id=\"storage\">Storage</h2>");
    add_disk(body, &stock);
    HTML(body, "<dl class=\"numbers\">");
    if (stock.is_counted) {
        const struct census *census = &stock.census;

        add_fact(body, "Repositories", census->repositories);
        add_fact(body, "Tags", census->tags);
        add_fact(body, "Manifests", census->manifests);
        add_size(body, "Images", census->bytes);
        add_sharing(body, census);
        add_size(body, "In the trash", census->trash[TRASH_COLLECTED].bytes);
    }
    if (stock.has_collected) {
        add_chore(body, "Last gc", &stock.collected);
    }
    if (stock.has_checked) {
        add_chore(body, "Last check", &stock.checked);
    }
    HTML(body, "</dl>");
    if (stock.is_counted) {
        HTML(body, "<p class=\"dim\">Counted ");
        html_time(body, clock_date_ago(stock.counted_ago));
        HTML(body, "</p>");
    } else {
        HTML(body,
             "<p class=\"dim\">Images are counted by <code>berth gc</code>, which has not run "
             "yet.</p>");
    }
    HTML(body, "</section>");
    if (stock.is_served) {
        view_traffic(view, stock.days);
    }
}

static void write_chore_json(struct buffer *out, const char *key, const struct chore_past *past)
{
    json_open_object(out, key);
    json_text(out, "outcome", chore_outcome_name(past->outcome));
    json_number(out, "problems", past->problems);
    json_number(out, "seconds", past->seconds);
    json_date(out, "date", clock_date_ago(past->ago));
    json_close_object(out);
}

void view_stock_json(struct view *view)
{
    struct buffer *out = &view->bytes;
    struct stock stock;

    if (stock_take(view->exchange->registry, &view->exchange->permit, &stock) == 0) {
        return;
    }
    json_open_object(out, "storage");
    json_number(out, "disk", stock.disk);
    json_number(out, "free", stock.free);
    if (stock.is_counted) {
        json_number(out, "repositories", stock.census.repositories);
        json_number(out, "tags", stock.census.tags);
        json_number(out, "manifests", stock.census.manifests);
        json_number(out, "bytes", stock.census.bytes);
        json_number(out, "bytesWithoutSharing", stock.census.linked_bytes);
        json_date(out, "counted", clock_date_ago(stock.counted_ago));
    }
    if (stock.has_collected) {
        write_chore_json(out, "gc", &stock.collected);
    }
    if (stock.has_checked) {
        write_chore_json(out, "check", &stock.checked);
    }
    json_close_object(out);
    if (stock.is_served) {
        view_traffic_json(view, stock.days);
    }
}
