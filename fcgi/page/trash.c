/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fcgi/page/form.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/configuration/configuration.h"
#include "lib/store/deleted.h"
#include "lib/store/restore.h"

/*
 * What was deleted, and the way back: of all repositories in which this caller may delete, and of
 * one of them. A cache has no trash.
 */

enum { TRASH_ROWS = 50 /* of a page */ };

static const char *const kept[] = {"show", NULL};

static void trash_add_days(struct view *view)
{
    HTML(&view->body, "<p class=\"lead\">What was deleted stays here for ");
    html_number(&view->body, view->exchange->configuration->registry.collect.trash_days);
    HTML(&view->body, " days, then <code>berth gc</code> removes it.</p>");
}

static void trash_write_repositories(struct view *view, const struct names *names, bool has_more)
{
    struct html *body = &view->body;

    buffer_add_text(&view->title, "Trash");
    HTML(body, "<h1>Trash</h1>");
    trash_add_days(view);
    if (names->count == 0) {
        HTML(body, "<p>Nothing is in it that you may restore.</p>");
        return;
    }
    HTML(body, "<ul class=\"plain\">");
    for (size_t i = 0; i < names->count; i++) {
        HTML(body, "<li><a href=\"");
        view_link_repository(view, names->names[i]);
        HTML(body, "?show=trash\">");
        html_text(body, names->names[i]);
        HTML(body, "</a></li>");
    }
    HTML(body, "</ul>");
    if (has_more) {
        HTML(body, "<p>There are more, which were not looked at.</p>");
    }
}

int page_trashes(struct view *view, struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    int more =
        registry_list_deleted(view->exchange->registry, &view->exchange->permit, &names, error);

    if (more < 0) {
        return -1;
    }
    if (!view->wants_json) {
        trash_write_repositories(view, &names, more > 0);
        return 0;
    }
    json_open_object(&view->bytes, NULL);
    json_open_array(&view->bytes, "repositories");
    for (size_t i = 0; i < names.count; i++) {
        json_text(&view->bytes, NULL, names.names[i]);
    }
    json_close_array(&view->bytes);
    json_close_object(&view->bytes);
    return 0;
}

static int trash_add_row(struct view *view, const struct deleted_thing *thing, struct error *error)
{
    struct html *body = &view->body;
    struct target target = {PLACE_IMAGE, "restore", view->place.name,
                            *thing->tag ? thing->tag : thing->digest.text};

    HTML(body, "<tr><th scope=\"row\">");
    if (*thing->tag) {
        html_text(body, thing->tag);
    } else {
        HTML(body, "<span class=\"dim\">manifest</span>");
    }
    HTML(body, "</th><td class=\"hash\"><code>");
    html_text(body, thing->digest.text);
    HTML(body, "</code></td><td class=\"date\">");
    html_time(body, thing->when);
    HTML(body, "</td><td class=\"act\">");
    if (form_button(view, &target, "Restore", error) < 0) {
        return -1;
    }
    HTML(body, "</td></tr>");
    return 0;
}

static int trash_add_table(struct view *view, const struct deleted *deleted, struct error *error)
{
    struct html *body = &view->body;
    size_t first = (size_t)(view->page - 1) * TRASH_ROWS;

    HTML(body, "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">What</th>"
               "<th scope=\"col\">Digest</th><th scope=\"col\" class=\"date\">Deleted</th>"
               "<th scope=\"col\"><span class=\"hidden\">Action</span></th></tr></thead><tbody>");
    for (size_t i = first; i < deleted->count && i < first + TRASH_ROWS; i++) {
        if (trash_add_row(view, &deleted->things[i], error) < 0) {
            return -1;
        }
    }
    HTML(body, "</tbody></table></div>");
    view_pager(view, (deleted->count + TRASH_ROWS - 1) / TRASH_ROWS, kept);
    return 0;
}

static int trash_write(struct view *view, const struct deleted *deleted, struct error *error)
{
    struct target all = {PLACE_REPOSITORY, "restore", view->place.name, NULL};
    struct html *body = &view->body;

    buffer_format(&view->title, "Trash of %s", view->place.name);
    view_trail(view, view->place.name, "Trash");
    HTML(body, "<h1>Trash</h1>");
    trash_add_days(view);
    if (deleted->count == 0) {
        HTML(body, "<p>Nothing of this repository is in it.</p>");
        return 0;
    }
    if (trash_add_table(view, deleted, error) < 0) {
        return -1;
    }
    HTML(body, "<div class=\"buttons\">");
    if (form_button(view, &all, "Restore all", error) < 0) {
        return -1;
    }
    HTML(body, "</div>");
    return 0;
}

static void trash_add_json(struct view *view, const struct deleted *deleted)
{
    struct buffer *out = &view->bytes;

    json_open_object(out, NULL);
    json_text(out, "name", view->place.name);
    json_open_array(out, "deleted");
    for (size_t i = 0; i < deleted->count; i++) {
        const struct deleted_thing *thing = &deleted->things[i];

        json_open_object(out, NULL);
        if (*thing->tag) {
            json_text(out, "tag", thing->tag);
        }
        json_text(out, "digest", thing->digest.text);
        json_date(out, "deleted", thing->when);
        json_close_object(out);
    }
    json_close_array(out);
    json_close_object(out);
}

int page_trash(struct view *view, struct error *error)
{
    AUTO_DELETED struct deleted deleted = DELETED_INIT;

    if (source_list_deleted(&view->exchange->source, &deleted, error) < 0) {
        return -1;
    }
    if (view->wants_json) {
        trash_add_json(view, &deleted);
        return 0;
    }
    return trash_write(view, &deleted, error);
}

/* What came of it. */
struct restored {
    struct names tags;     /* that are back */
    struct buffer problem; /* the first that there was */
};

static void restored_release(struct restored *restored)
{
    names_release(&restored->tags);
    buffer_release(&restored->problem);
}

static void restored_add(void *context, const char *kind, const char *name)
{
    struct restored *restored = context;

    if (strcmp(kind, "tag") == 0) {
        names_add(&restored->tags, name);
    }
}

static void restored_add_problem(void *context, const char *name, const char *why)
{
    struct restored *restored = context;

    log_warning("restore %s: %s", name, why);
    if (restored->problem.length == 0) {
        buffer_format(&restored->problem, "%s: %s", name, why);
    }
}

/* A tag that is back is as one that was pushed; of what was not by one tag, only that it was done.
 */
static void restored_note(struct view *view, const struct restored *restored)
{
    struct digest digest;
    struct error ignored;

    if (view->place.kind == PLACE_IMAGE && restored->tags.count > 0 &&
        tag_get(view_repository(view), restored->tags.names[0], &digest, &ignored) > 0) {
        form_note(view, DEED_PUSH, &digest);
    } else {
        form_note(view, DEED_RESTORE, NULL);
    }
}

int page_restore_sent(struct view *view, struct error *error)
{
    struct source *source = &view->exchange->source;
    struct target target = form_target(view, "restore");
    AUTO_RESTORATION struct restoration restoration = RESTORATION_INIT(&source->repository);
    AUTO(restored_release)
    struct restored restored = {.tags = NAMES_INIT, .problem = BUFFER_INIT};
    AUTO_FORM struct query form = QUERY_INIT;
    int found;

    restoration.restored = restored_add;
    restoration.problem = restored_add_problem;
    restoration.context = &restored;
    if (form_read(view, &target, &form, error) < 0) {
        return -1;
    }
    found = source_restore(source, &restoration, target.reference ? target.reference : "", error);
    if (found < 0) {
        return -1;
    }
    if (found > 0) {
        restored_note(view, &restored);
    }
    if (found == 0) {
        return error_set(error, ERROR_NOT_FOUND, "this is not in the trash any more");
    }
    if (restored.problem.length > 0) {
        return error_set(error, ERROR_PRECONDITION, "%s", restored.problem.data);
    }
    form_done(view, "restored", view->place.name, target.reference);
    return 0;
}
