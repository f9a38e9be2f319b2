/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/page/view.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/base/text.h"

const struct repository *view_repository(const struct view *view)
{
    return &view->exchange->source.repository;
}

const char *view_query(const struct view *view, const char *name)
{
    const char *value = request_query(view->exchange->request, name);

    return value ? value : "";
}

void view_link_front(struct view *view)
{
    html_path(&view->body, view->exchange->page_prefix);
}

static void link_name(struct view *view, const char *name)
{
    view_link_front(view);
    if (place_name_is_awkward(name)) {
        HTML(&view->body, "-/name/");
    }
    html_path(&view->body, name);
}

void view_link_namespace(struct view *view, const char *name)
{
    link_name(view, name);
    HTML(&view->body, "/");
}

void view_link_repository(struct view *view, const char *name)
{
    link_name(view, name);
}

void view_link_image(struct view *view, const char *name, const char *reference)
{
    link_name(view, name);
    if (strchr(reference, ':')) {
        HTML(&view->body, "@");
    } else {
        HTML(&view->body, ":");
    }
    html_path(&view->body, reference);
}

void view_link_own(struct view *view, const char *word)
{
    view_link_front(view);
    HTML(&view->body, "-/");
    html_path(&view->body, word);
}

void view_add_path(const struct view *view, const char *name, const char *reference,
                   struct buffer *out)
{
    text_percent_encode(view->exchange->page_prefix, out);
    buffer_add_text(out, place_name_is_awkward(name) ? "-/name/" : "");
    text_percent_encode(name, out);
    if (reference) {
        buffer_add_text(out, strchr(reference, ':') ? "@" : ":");
        text_percent_encode(reference, out);
    }
}

void view_trail(struct view *view, const char *name, const char *last)
{
    struct html *body = &view->body;
    const char *begin = name;

    HTML(body, "<nav aria-label=\"Breadcrumb\"><ol class=\"trail\"><li><a href=\"");
    view_link_front(view);
    HTML(body, "\">Repositories</a></li>");
    while (*begin) {
        size_t length = strcspn(begin, "/");
        char part[NAME_SIZE];
        char whole[NAME_SIZE];
        bool is_last = begin[length] == '\0';

        (void)text_copy(part, sizeof(part), begin, length);
        (void)text_copy(whole, sizeof(whole), name, (size_t)(begin - name) + length);
        HTML(body, "<li>");
        if (is_last && !last) {
            HTML(body, "<span aria-current=\"page\">");
            html_text(body, part);
            HTML(body, "</span>");
        } else {
            HTML(body, "<a href=\"");
            if (is_last) {
                view_link_repository(view, whole);
            } else {
                view_link_namespace(view, whole);
            }
            HTML(body, "\">");
            html_text(body, part);
            HTML(body, "</a>");
        }
        HTML(body, "</li>");
        begin += length + (is_last ? 0 : 1);
    }
    if (last) {
        HTML(body, "<li><span aria-current=\"page\">");
        html_text(body, last);
        HTML(body, "</span></li>");
    }
    HTML(body, "</ol></nav>");
}

/* The query of the page that is shown, with another number. */
static void link_page(struct view *view, uint64_t page, const char *const *parameters)
{
    HTML(&view->body, "?page=");
    html_digits(&view->body, page);
    for (; *parameters; parameters++) {
        const char *value = view_query(view, *parameters);

        if (*value) {
            HTML(&view->body, "&amp;");
            html_argument(&view->body, *parameters);
            HTML(&view->body, "=");
            html_argument(&view->body, value);
        }
    }
}

void view_pager(struct view *view, uint64_t pages, const char *const *parameters)
{
    struct html *body = &view->body;

    if (pages < 2) {
        return;
    }
    HTML(body, "<nav class=\"pager\" aria-label=\"Pages\">");
    if (view->page > 1) {
        HTML(body, "<a rel=\"prev\" href=\"");
        link_page(view, view->page - 1, parameters);
        HTML(body, "\">Previous</a>");
    }
    HTML(body, "<span>Page ");
    html_number(body, view->page);
    HTML(body, " of ");
    html_number(body, pages);
    HTML(body, "</span>");
    if (view->page < pages) {
        HTML(body, "<a rel=\"next\" href=\"");
        link_page(view, view->page + 1, parameters);
        HTML(body, "\">Next</a>");
    }
    HTML(body, "</nav>");
}

const char *view_host(const struct view *view)
{
    return site_service(&view->exchange->site);
}

void view_code(struct view *view, const char *text)
{
    HTML(&view->body, "<span class=\"copy\"><code tabindex=\"0\">");
    html_text(&view->body, text);
    HTML(&view->body, "</code></span>");
}

void view_badge(struct view *view, enum description_kind kind)
{
    if (kind == KIND_SIGNATURE || kind == KIND_ATTESTATION || kind == KIND_SBOM) {
        HTML(&view->body, "<span class=\"badge good\">");
    } else {
        HTML(&view->body, "<span class=\"badge\">");
    }
    html_text(&view->body, description_kind_word(kind));
    HTML(&view->body, "</span>");
}

void view_short_digest(struct view *view, const struct digest *digest)
{
    char text[DIGEST_TEXT_SIZE];
    char *colon;

    memcpy(text, digest->text, sizeof(text));
    colon = strchr(text, ':');
    if (colon && strlen(colon) > 13) {
        colon[13] = '\0';
    }
    html_text(&view->body, text);
}
