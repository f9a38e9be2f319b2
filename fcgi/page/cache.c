/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fcgi/page/form.h"
#include "lib/base/json.h"
#include "lib/configuration/configuration.h"
#include "lib/registry/cached.h"

/*
 * The cache: which registries are behind it and how they are, what comes in now, what stays. A
 * browser that is to look again and again has to be told so, by a link: what moves by itself is not
 * for everybody.
 */

enum { CACHE_WATCH_SECONDS = 3 };

static bool cache_is_watched(const struct view *view)
{
    return strcmp(view_query(view, "watch"), "1") == 0;
}

static void cache_add_size(struct view *view, const struct cached *cached)
{
    const struct proxy_options *options = &view->exchange->configuration->registry.proxy;
    struct html *body = &view->body;

    if (options->maximum_size == 0) {
        HTML(body, "<p class=\"lead\">Its size is not limited but by the disk.");
    } else if (!cached->is_counted) {
        HTML(body, "<p class=\"lead\">At most ");
        html_bytes(body, options->maximum_size);
        if (cached->is_hidden) {
            HTML(body, " are cached.");
        } else {
            HTML(body, " are cached; nobody has counted yet.");
        }
    } else {
        HTML(body, "<p class=\"lead\" id=\"size\">");
        html_bytes(body, cached->usage.used);
        HTML(body, " of ");
        html_bytes(body, options->maximum_size);
        HTML(body, " are used, ");
        html_bytes(body, cached->usage.fixed);
        HTML(body, " of that by images that are kept.</p><p><progress class=\"wide\" "
                   "aria-labelledby=\"size\" max=\"");
        html_digits(body, options->maximum_size);
        HTML(body, "\" value=\"");
        html_digits(body, cached->usage.used);
        HTML(body, "\"></progress>");
    }
    HTML(body, "</p><p>A tag is asked for again after ");
    html_number(body, options->tag_ttl);
    HTML(body, " seconds.");
    if (options->maximum_age > 0) {
        HTML(body, " What nobody pulls for ");
        html_number(body, options->maximum_age / 86400);
        HTML(body, " days goes.");
    }
    HTML(body, "</p>");
}

static void cache_add_health(struct html *body, const struct cached_upstream *upstream)
{
    if (!upstream->is_bad) {
        HTML(body, "<span class=\"badge good\">no trouble</span>");
        return;
    }
    HTML(body, "<span class=\"badge bad\">trouble</span> ");
    html_foreign(body, upstream->trouble.data, 300);
    HTML(body, " (asked again in ");
    html_number(body, upstream->asked_again);
    HTML(body, " s)");
}

/* How many of 100 looks were answered here, and the bytes that this has saved. */
static void cache_add_traffic(struct html *body, const struct cached_upstream *upstream)
{
    if (!upstream->is_measured) {
        HTML(body, "<span class=\"dim\">not known</span>");
        return;
    }
    html_number(body, cached_hits(&upstream->traffic));
    HTML(body, " % of looks, ");
    html_bytes(body, upstream->traffic.saved);
    HTML(body, " of ");
    html_bytes(body, upstream->traffic.served);
}

static void cache_add_upstreams(struct view *view, const struct cached *cached)
{
    struct html *body = &view->body;

    HTML(body, "<h2>Other registries</h2>");
    if (cached->upstream_count == 0) {
        HTML(body, "<p>Nothing is cached yet that you may pull.</p>");
        return;
    }
    HTML(body, "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Registry</th>"
               "<th scope=\"col\" class=\"count\">Repositories</th><th scope=\"col\">Health</th>"
               "<th scope=\"col\">From the cache</th><th scope=\"col\">Requests left</th><th "
               "scope=\"col\" class=\"date\">Last "
               "change</th></tr></thead><tbody>");
    for (size_t i = 0; i < cached->upstream_count; i++) {
        const struct cached_upstream *upstream = &cached->upstreams[i];

        HTML(body, "<tr><th scope=\"row\"><a href=\"");
        view_link_namespace(view, upstream->name);
        HTML(body, "\">");
        html_text(body, upstream->name + strlen(UPSTREAM_PREFIX));
        HTML(body, "</a></th><td class=\"count\">");
        html_number(body, upstream->repositories);
        HTML(body, "</td><td>");
        cache_add_health(body, upstream);
        HTML(body, "</td><td>");
        cache_add_traffic(body, upstream);
        HTML(body, "</td><td>");
        if (upstream->has_limit) {
            html_number(body, upstream->limit.remaining);
            HTML(body, " of ");
            html_number(body, upstream->limit.limit);
        } else {
            HTML(body, "<span class=\"dim\">it does not say</span>");
        }
        HTML(body, "</td><td class=\"date\">");
        html_time(body, upstream->changed);
        HTML(body, "</td></tr>");
    }
    HTML(body, "</tbody></table></div>");
}

static void cache_add_watch(struct view *view)
{
    HTML(&view->body, "<p><a class=\"button\" href=\"");
    view_link_own(view, "cache");
    if (cache_is_watched(view)) {
        HTML(&view->body, "\">Stop watching</a></p>");
    } else {
        HTML(&view->body, "?watch=1\">Watch: look again every three seconds</a></p>");
    }
}

static void cache_add_progress(struct html *body, const struct cached_fetch *fetch)
{
    if (fetch->total == 0) {
        html_bytes(body, fetch->bytes);
        HTML(body, " so far");
        return;
    }
    HTML(body, "<progress aria-label=\"");
    html_attribute(body, fetch->digest.text);
    HTML(body, "\" max=\"");
    html_digits(body, fetch->total);
    HTML(body, "\" value=\"");
    html_digits(body, fetch->bytes);
    HTML(body, "\"></progress> ");
    html_bytes(body, fetch->bytes);
    HTML(body, " of ");
    html_bytes(body, fetch->total);
}

static void cache_add_fetches(struct view *view, const struct cached *cached)
{
    struct html *body = &view->body;

    HTML(body, "<h2>Coming in now</h2>");
    if (cached->fetch_count == 0) {
        HTML(body, "<p>Nothing is being fetched.</p>");
    } else {
        HTML(body, "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">For</th>"
                   "<th scope=\"col\">Blob</th><th scope=\"col\">So far</th></tr></thead><tbody>");
        for (size_t i = 0; i < cached->fetch_count; i++) {
            const struct cached_fetch *fetch = &cached->fetches[i];

            HTML(body, "<tr><th scope=\"row\"><a href=\"");
            view_link_repository(view, fetch->name);
            HTML(body, "\">");
            html_text(body, fetch->name);
            HTML(body, "</a></th><td class=\"hash\"><code>");
            html_text(body, fetch->digest.text);
            HTML(body, "</code></td><td>");
            cache_add_progress(body, fetch);
            HTML(body, "</td></tr>");
        }
        HTML(body, "</tbody></table></div>");
    }
    cache_add_watch(view);
}

static int cache_add_images(struct view *view, const struct cached *cached, struct error *error)
{
    struct html *body = &view->body;

    HTML(body, "<h2>Kept</h2>");
    if (cached->image_count == 0) {
        HTML(body, "<p>No image is kept: each goes when its time comes, and is fetched again when "
                   "somebody pulls it.</p>");
        return 0;
    }
    HTML(body, "<ul class=\"plain kept\">");
    for (size_t i = 0; i < cached->image_count; i++) {
        const struct cached_image *image = &cached->images[i];
        struct target target = {PLACE_IMAGE, "unkeep", image->name, image->reference};

        HTML(body, "<li><a href=\"");
        view_link_image(view, image->name, image->reference);
        HTML(body, "\">");
        html_text(body, image->name);
        html_text(body, strchr(image->reference, ':') ? "@" : ":");
        html_text(body, image->reference);
        HTML(body, "</a>");
        if (form_may(view, image->name, PERMISSION_DELETE) &&
            form_button(view, &target, "Keep no longer", error) < 0) {
            return -1;
        }
        HTML(body, "</li>");
    }
    HTML(body, "</ul>");
    return 0;
}

static void cache_add_json_upstreams(struct buffer *out, const struct cached *cached)
{
    json_open_array(out, "upstreams");
    for (size_t i = 0; i < cached->upstream_count; i++) {
        const struct cached_upstream *upstream = &cached->upstreams[i];

        json_open_object(out, NULL);
        json_text(out, "name", upstream->name);
        json_number(out, "repositories", upstream->repositories);
        json_date(out, "changed", upstream->changed);
        if (upstream->is_bad) {
            json_text(out, "trouble", upstream->trouble.data);
            json_number(out, "asked_again_in_seconds", upstream->asked_again);
        }
        if (upstream->is_measured) {
            json_number(out, "hits_percent", cached_hits(&upstream->traffic));
            json_number(out, "served_bytes", upstream->traffic.served);
            json_number(out, "saved_bytes", upstream->traffic.saved);
        }
        if (upstream->has_limit) {
            json_number(out, "requests_left", upstream->limit.remaining);
            json_number(out, "requests_limit", upstream->limit.limit);
        }
        json_close_object(out);
    }
    json_close_array(out);
}

static void cache_add_json(struct view *view, const struct cached *cached)
{
    struct buffer *out = &view->bytes;

    json_open_object(out, NULL);
    json_number(out, "maximum_bytes", view->exchange->configuration->registry.proxy.maximum_size);
    if (cached->is_counted) {
        json_number(out, "used_bytes", cached->usage.used);
        json_number(out, "kept_bytes", cached->usage.fixed);
    }
    cache_add_json_upstreams(out, cached);
    json_open_array(out, "fetches");
    for (size_t i = 0; i < cached->fetch_count; i++) {
        json_open_object(out, NULL);
        json_text(out, "name", cached->fetches[i].name);
        json_text(out, "digest", cached->fetches[i].digest.text);
        json_number(out, "bytes", cached->fetches[i].bytes);
        json_number(out, "total", cached->fetches[i].total);
        json_close_object(out);
    }
    json_close_array(out);
    json_open_array(out, "kept");
    for (size_t i = 0; i < cached->image_count; i++) {
        json_open_object(out, NULL);
        json_text(out, "name", cached->images[i].name);
        json_text(out, "reference", cached->images[i].reference);
        json_close_object(out);
    }
    json_close_array(out);
    json_close_object(out);
}

int page_cache(struct view *view, struct error *error)
{
    struct exchange *exchange = view->exchange;
    AUTO_CACHED struct cached *cached = NULL;

    if (cached_find(exchange->registry, &exchange->permit, &cached, error) < 0) {
        return -1;
    }
    if (view->wants_json) {
        cache_add_json(view, cached);
        return 0;
    }
    if (cache_is_watched(view)) {
        response_header(&exchange->response, "Refresh", "%d", CACHE_WATCH_SECONDS);
    }
    buffer_add_text(&view->title, "Cache");
    HTML(&view->body, "<h1>Cache</h1>");
    cache_add_size(view, cached);
    cache_add_upstreams(view, cached);
    cache_add_fetches(view, cached);
    return cache_add_images(view, cached, error);
}

/* What one of the functions has done. */
static int cache_end(struct view *view, int result, const char *what, struct error *error)
{
    if (result < 0) {
        return -1;
    }
    if (result == 0) {
        return error_set(error, ERROR_NOT_FOUND, "there is no such image");
    }
    form_done(view, what, view->place.name, view->place.reference);
    return 0;
}

int page_keep_sent(struct view *view, struct error *error)
{
    struct target target = form_target(view, "keep");
    AUTO_FORM struct query form = QUERY_INIT;

    return form_read(view, &target, &form, error) < 0
               ? -1
               : cache_end(view, cached_keep(&view->exchange->source, view->place.reference, error),
                           "kept", error);
}

int page_unkeep_sent(struct view *view, struct error *error)
{
    struct target target = form_target(view, "unkeep");
    AUTO_FORM struct query form = QUERY_INIT;

    return form_read(view, &target, &form, error) < 0
               ? -1
               : cache_end(view, cached_drop(&view->exchange->source, view->place.reference, error),
                           "unkept", error);
}

int page_refresh_sent(struct view *view, struct error *error)
{
    struct exchange *exchange = view->exchange;
    struct target target = form_target(view, "refresh");
    AUTO_FORM struct query form = QUERY_INIT;

    if (form_read(view, &target, &form, error) < 0 ||
        (exchange->may_wait &&
         source_let_wait(&exchange->source, request_parameter(exchange->request, "HTTP_VIA"),
                         error) < 0)) {
        return -1;
    }
    return cache_end(view, cached_refresh(&exchange->source, view->place.reference, error),
                     "refreshed", error);
}
