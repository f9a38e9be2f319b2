/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/page/view.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"

/*
 * What was served on the last days, for who may see everything: a picture, which says in words what
 * it shows, and the figures in a table. Days are those of UTC.
 */

enum { DAY_WIDTH = 20, DAY_GAP = 6, PICTURE_HEIGHT = 100, DAY_SECONDS = 86400 };

static struct totals_day days_sum(const struct totals_day *days)
{
    struct totals_day sum = {.served = 0};

    for (size_t i = 0; i < TOTALS_DAYS; i++) {
        sum.requests += days[i].requests;
        sum.served += days[i].served;
        sum.saved += days[i].saved;
        sum.pulls += days[i].pulls;
        sum.pushes += days[i].pushes;
    }
    return sum;
}

static const struct totals_day *days_greatest(const struct totals_day *days)
{
    const struct totals_day *greatest = days;

    for (size_t i = 1; i < TOTALS_DAYS; i++) {
        greatest = days[i].served > greatest->served ? &days[i] : greatest;
    }
    return greatest;
}

/* "2026-11-29" */
static void day_date(size_t ago, char out[CLOCK_TEXT_SIZE])
{
    (void)clock_write(clock_date() - (time_t)ago * DAY_SECONDS, out);
    out[sizeof("2026-11-29") - 1] = '\0';
}

/* What is little is seen all the same. */
static uint64_t day_height(uint64_t bytes, uint64_t most)
{
    uint64_t height = most > 0 ? (uint64_t)((double)bytes * PICTURE_HEIGHT / (double)most) : 0;

    return bytes > 0 && height == 0 ? 1 : height;
}

static void add_day(struct html *body, size_t ago, const struct totals_day *day, uint64_t most)
{
    struct html_box box = {.x = (TOTALS_DAYS - 1 - ago) * DAY_WIDTH + DAY_GAP / 2,
                           .width = DAY_WIDTH - DAY_GAP,
                           .height = day_height(day->served, most)};

    box.y = PICTURE_HEIGHT - box.height;
    html_rectangle(body, "fill", &box);
    if (day->saved > 0) {
        box.height = day_height(day->saved < day->served ? day->saved : day->served, most);
        box.y = PICTURE_HEIGHT - box.height;
        html_rectangle(body, "saved", &box);
    }
}

static void add_picture(struct html *body, const struct totals_day *days)
{
    const struct totals_day *greatest = days_greatest(days);
    struct totals_day sum = days_sum(days);
    char date[CLOCK_TEXT_SIZE];

    HTML(body, "<svg class=\"days\" viewBox=\"0 0 600 102\" preserveAspectRatio=\"none\" "
               "role=\"img\" aria-labelledby=\"traffic-title\" focusable=\"false\">"
               "<title id=\"traffic-title\">Bytes served on each of the last 30 days: ");
    html_bytes(body, sum.served);
    HTML(body, " in all, of which the cache saved ");
    html_bytes(body, sum.saved);
    HTML(body, "; most on ");
    day_date((size_t)(greatest - days), date);
    html_text(body, date);
    HTML(body, ", ");
    html_bytes(body, greatest->served);
    HTML(body, "; today ");
    html_bytes(body, days->served);
    HTML(body, "</title>");
    html_rectangle(body, "rail",
                   &(struct html_box){.y = PICTURE_HEIGHT,
                                      .width = (uint64_t)TOTALS_DAYS * DAY_WIDTH,
                                      .height = 2});
    for (size_t i = TOTALS_DAYS; i-- > 0;) {
        add_day(body, i, &days[i], greatest->served);
    }
    HTML(body, "</svg><p class=\"legend\"><span class=\"key\">served</span>"
               "<span class=\"key saved-key\">of that, saved by the cache</span><span>from ");
    day_date(TOTALS_DAYS - 1, date);
    html_text(body, date);
    HTML(body, " to today</span></p>");
}

static void add_figures(struct html *body, const struct totals_day *day)
{
    HTML(body, "</th><td>");
    html_bytes(body, day->served);
    HTML(body, "</td><td>");
    html_bytes(body, day->saved);
    HTML(body, "</td><td>");
    html_number(body, day->pulls);
    HTML(body, "</td><td>");
    html_number(body, day->pushes);
    HTML(body, "</td></tr>");
}

void view_traffic(struct view *view, const struct totals_day *days)
{
    struct html *body = &view->body;
    struct totals_day sum = days_sum(days);

    HTML(body, "<section aria-labelledby=\"traffic\"><h2 id=\"traffic\">Traffic</h2>");
    add_picture(body, days);
    HTML(body, "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Traffic\">"
               "<table class=\"traffic\"><thead><tr><th scope=\"col\">Days</th>"
               "<th scope=\"col\">Served</th><th scope=\"col\">Saved by the cache</th>"
               "<th scope=\"col\">Pulls</th><th scope=\"col\">Pushes</th></tr></thead><tbody>"
               "<tr><th scope=\"row\">Today, since 0:00 UTC");
    add_figures(body, days);
    HTML(body, "<tr><th scope=\"row\">The last 30");
    add_figures(body, &sum);
    HTML(body, "</tbody></table></div></section>");
}

static void write_figures_json(struct buffer *out, const struct totals_day *day)
{
    json_number(out, "requests", day->requests);
    json_number(out, "served", day->served);
    json_number(out, "saved", day->saved);
    json_number(out, "pulls", day->pulls);
    json_number(out, "pushes", day->pushes);
    json_close_object(out);
}

void view_traffic_json(struct view *view, const struct totals_day *days)
{
    struct buffer *out = &view->bytes;
    struct totals_day sum = days_sum(days);

    json_open_object(out, "traffic");
    json_open_object(out, "today");
    write_figures_json(out, days);
    json_open_object(out, "month");
    write_figures_json(out, &sum);
    json_open_array(out, "days");
    for (size_t i = 0; i < TOTALS_DAYS; i++) {
        char date[CLOCK_TEXT_SIZE];

        day_date(i, date);
        json_open_object(out, NULL);
        json_text(out, "date", date);
        write_figures_json(out, &days[i]);
    }
    json_close_array(out);
    json_close_object(out);
}
