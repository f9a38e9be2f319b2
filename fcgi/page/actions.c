/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fcgi/page/form.h"
#include "lib/base/log.h"
#include "lib/registry/cached.h"

/* What this caller may do about the repository or the image that is shown. */

static void actions_link(struct view *view, const char *key, const char *words)
{
    HTML(&view->body, "<a class=\"button\" href=\"");
    if (view->place.kind == PLACE_IMAGE) {
        view_link_image(view, view->place.name, view->place.reference);
    } else {
        view_link_repository(view, view->place.name);
    }
    HTML(&view->body, "?show=");
    html_argument(&view->body, key);
    HTML(&view->body, "\">");
    html_text(&view->body, words);
    HTML(&view->body, "</a>");
}

/* Of what is cached: keeping, and asking now. */
static int actions_add_cached(struct view *view, struct error *error)
{
    int is_kept = cached_is_kept(&view->exchange->source, view->place.reference, error);
    struct target keep = form_target(view, is_kept > 0 ? "unkeep" : "keep");
    struct target refresh = form_target(view, "refresh");

    if (is_kept < 0 ||
        form_button(view, &keep, is_kept > 0 ? "Keep no longer" : "Keep in the cache", error) < 0) {
        return -1;
    }
    return view->place.is_digest ? 0 : form_button(view, &refresh, "Ask the upstream now", error);
}

void actions_add(struct view *view)
{
    bool is_cached = view->exchange->source.is_proxied;
    bool is_image = view->place.kind == PLACE_IMAGE;
    bool may_delete = form_may(view, view->place.name, PERMISSION_DELETE);
    struct error error;

    HTML(&view->body, "<div class=\"buttons\">");
    if (is_image && !view->place.is_digest && !is_cached) {
        actions_link(view, "history", "History");
    }
    if (may_delete && is_image && is_cached && actions_add_cached(view, &error) < 0) {
        /* Whoever only looks need not be kept from it by a disk that takes no writes. */
        log_warning("there are no buttons on a page: %s", error.message);
    }
    if (may_delete && !is_image && !is_cached) {
        actions_link(view, "trash", "Trash");
    }
    if (may_delete) {
        actions_link(view, "delete", is_cached ? "Drop from the cache" : "Delete");
    }
    HTML(&view->body, "</div>");
}
