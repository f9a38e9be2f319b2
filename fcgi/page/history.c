/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fcgi/page/form.h"
#include "lib/base/json.h"
#include "lib/store/history.h"
#include "lib/store/restore.h"

/* What a tag has stood for, and a way back to each of it. */

enum { HISTORY_SHOWN = 200 };

/* Whether it can be put back to this: to what it is not now, and of each manifest once. */
static bool history_is_choice(const struct history *history, size_t number,
                              const struct digest *current)
{
    const struct digest *digest = &history->entries[number].digest;

    if (digest_equal(digest, current)) {
        return false;
    }
    for (size_t i = 0; i < number; i++) {
        if (digest_equal(&history->entries[i].digest, digest)) {
            return false;
        }
    }
    return true;
}

static int history_add_form(struct view *view, const struct digest *digest, struct error *error)
{
    struct target target = form_target(view, "put-back");

    if (form_begin(view, &target, error) < 0) {
        return -1;
    }
    form_hidden(view, "digest", digest->text);
    HTML(&view->body, "<button>Put back</button>");
    form_end(view);
    return 0;
}

static void history_add_author(struct html *body, const char *author)
{
    if (!author) {
        HTML(body, "<span class=\"dim\">another program</span>");
    } else if (*author) {
        html_foreign(body, author, 100);
    } else {
        HTML(body, "<span class=\"dim\">anybody</span>");
    }
}

static void history_add_entry(struct view *view, const struct history_entry *entry)
{
    struct html *body = &view->body;

    HTML(body, "<tr><th scope=\"row\" class=\"when\">");
    html_time(body, entry->time);
    HTML(body, "</th><td>");
    html_text(body, history_event_word(entry->event));
    HTML(body, "</td><td class=\"hash\"><a href=\"");
    view_link_image(view, view->place.name, entry->digest.text);
    HTML(body, "\"><code>");
    html_text(body, entry->digest.text);
    HTML(body, "</code></a></td><td>");
    history_add_author(body, entry->author);
    HTML(body, "</td><td class=\"act\">");
}

static int history_write(struct view *view, const struct history *history,
                         const struct digest *current, struct error *error)
{
    struct html *body = &view->body;
    bool is_fixed =
        *current->text && tag_is_immutable(view_repository(view)->store, view->place.reference);
    bool may_move = !is_fixed && !view->exchange->source.is_proxied &&
                    form_may(view, view->place.name, PERMISSION_PUSH) &&
                    (!*current->text || form_may(view, view->place.name, PERMISSION_OVERWRITE));

    buffer_format(&view->title, "History of %s:%s", view->place.name, view->place.reference);
    view_trail(view, view->place.name, view->place.reference);
    HTML(body, "<h1>History of ");
    html_text(body, view->place.reference);
    HTML(body, "</h1>");
    if (is_fixed) {
        HTML(body, "<p class=\"lead\">This tag is immutable: it stays what it is.</p>");
    } else if (!*current->text) {
        HTML(body, "<p class=\"lead\">There is no such tag now.</p>");
    }
    HTML(body, "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">When</th>"
               "<th scope=\"col\">What</th><th scope=\"col\">Manifest</th><th scope=\"col\">By</th>"
               "<th scope=\"col\"><span class=\"hidden\">Action</span></th></tr></thead><tbody>");
    for (size_t i = 0; i < history->count; i++) {
        const struct history_entry *entry = &history->entries[i];

        history_add_entry(view, entry);
        if (may_move && history_is_choice(history, i, current) &&
            history_add_form(view, &entry->digest, error) < 0) {
            return -1;
        }
        HTML(body, "</td></tr>");
    }
    HTML(body, "</tbody></table></div>");
    return 0;
}

static void history_add_json(struct view *view, const struct history *history)
{
    struct buffer *out = &view->bytes;

    json_open_object(out, NULL);
    json_text(out, "name", view->place.name);
    json_text(out, "tag", view->place.reference);
    json_open_array(out, "history");
    for (size_t i = 0; i < history->count; i++) {
        const struct history_entry *entry = &history->entries[i];

        json_open_object(out, NULL);
        json_date(out, "time", entry->time);
        json_text(out, "event", history_event_word(entry->event));
        json_text(out, "digest", entry->digest.text);
        if (entry->author) {
            json_text(out, "by", entry->author);
        }
        json_close_object(out);
    }
    json_close_array(out);
    json_close_object(out);
}

int page_history(struct view *view, struct error *error)
{
    AUTO_HISTORY struct history history = HISTORY_INIT;
    struct digest current = {.text = ""};
    const char *tag = view->place.reference;
    int found = 0;

    if (!view->place.is_digest) {
        found = history_read(view_repository(view), tag, HISTORY_SHOWN, &history, error);
    }
    if (found <= 0) {
        return found < 0 ? -1 : error_set(error, ERROR_NOT_FOUND, "there is no such tag");
    }
    if (tag_get(view_repository(view), tag, &current, error) < 0) {
        return -1;
    }
    if (view->wants_json) {
        history_add_json(view, &history);
        return 0;
    }
    return history_write(view, &history, &current, error);
}

int page_put_back_sent(struct view *view, struct error *error)
{
    struct target target = form_target(view, "put-back");
    AUTO_FORM struct query form = QUERY_INIT;
    struct digest digest;
    int moved;

    if (view->place.is_digest) {
        return error_set(error, ERROR_NOT_FOUND, "there is no such tag");
    }
    if (form_read(view, &target, &form, error) < 0 ||
        digest_parse(&digest, form_value(&form, "digest"), error) < 0) {
        return -1;
    }
    moved = source_put_back(&view->exchange->source, view->place.reference, &digest, error);
    if (moved < 0) {
        return -1;
    }
    if (moved > 0) {
        form_note(view, DEED_PUSH, &digest);
    }
    form_done(view, "put-back", view->place.name, view->place.reference);
    return 0;
}
