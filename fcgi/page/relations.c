/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/page/image.h"

#include <string.h>

#include "lib/base/memory.h"
#include "lib/base/text.h"

/* What an image has to do with others of its repository. */

enum {
    RELATIONS_LOOKS = 100, /* manifests that are looked at for it */
    SHARED_LOOKS = 30,
    COMPARE_TAGS = 200,
    SAME_TAGS = 100,
};

void image_add_annotations(struct image_view *image)
{
    struct html *body = &image->view->body;
    const struct names *own = &image->portrait.description.annotations;

    if (own->count == 0) {
        return;
    }
    HTML(body, "<section aria-labelledby=\"annotations\"><h2 id=\"annotations\">Annotations</h2>");
    view_pairs(image->view, own);
    HTML(body, "</section>");
}

static void add_referrers(struct image_view *image, const struct description *referrers)
{
    struct view *view = image->view;
    struct html *body = &view->body;

    HTML(body, "<section aria-labelledby=\"referrers\"><h2 id=\"referrers\">Refers to it</h2>"
               "<table><thead><tr><th scope=\"col\">Kind</th><th scope=\"col\">Type</th>"
               "<th scope=\"col\">Digest</th></tr></thead><tbody>");
    for (size_t i = 0; i < referrers->part_count; i++) {
        const struct description_part *part = &referrers->parts[i];
        const char *type = *part->artifact_type ? part->artifact_type : part->media_type;

        HTML(body, "<tr><td>");
        view_badge(view, description_kind_of(type));
        HTML(body, "</td><td class=\"command\">");
        html_foreign(body, type, MEDIA_TYPE_SIZE);
        HTML(body, "</td><td><a class=\"digest\" href=\"");
        view_link_image(view, view->place.name, part->digest.text);
        HTML(body, "\">");
        view_short_digest(view, &part->digest);
        HTML(body, "</a></td></tr>");
    }
    HTML(body, "</tbody></table></section>");
}

static bool description_has(const struct description *description, const struct digest *digest)
{
    for (size_t i = 0; i < description->part_count; i++) {
        if (strcmp(description->parts[i].digest.text, digest->text) == 0) {
            return true;
        }
    }
    return false;
}

/* The manifest whose layers are those of a row: of an index, the child for the same platform. */
static bool read_layers(struct image_view *image, const struct digest *digest, struct portrait *out)
{
    AUTO_PORTRAIT struct portrait portrait = PORTRAIT_INIT;
    struct error ignored;
    size_t child;

    if (portrait_read_alone(&image->gallery, digest, &portrait, &ignored) <= 0) {
        return false;
    }
    if (portrait.description.kind != KIND_INDEX) {
        *out = portrait;
        portrait = (struct portrait)PORTRAIT_INIT;
        return true;
    }
    child = image_choose_child(&portrait.description, view_query(image->view, "platform"));
    return child < portrait.description.part_count &&
           portrait_read_alone(&image->gallery, &portrait.description.parts[child].digest, out,
                               &ignored) > 0;
}

static void note_shared(struct image_view *image, const struct rows *rows,
                        const struct row_of_tags *row)
{
    AUTO_PORTRAIT struct portrait other = PORTRAIT_INIT;
    const struct description *own = &image->shown.description;

    if (!read_layers(image, &row->digest, &other) ||
        strcmp(other.digest.text, image->shown.digest.text) == 0) {
        return;
    }
    for (size_t i = 0; i < own->part_count; i++) {
        if (!description_has(&other.description, &own->parts[i].digest)) {
            continue;
        }
        if (image->shared[i].count++ == 0) {
            (void)text_copy(image->shared[i].tag, TAG_SIZE, rows->tags.items[row->first].tag,
                            strlen(rows->tags.items[row->first].tag));
        }
    }
}

void image_find_shared(struct image_view *image)
{
    const struct rows *rows = &image->rows;

    if (!image->has_shown || image->shown.description.part_count == 0 ||
        image->shown.description.kind == KIND_INDEX) {
        return;
    }
    image->shared = memory_allocate(image->shown.description.part_count, sizeof(*image->shared));
    for (size_t i = 0; i < rows->count && i < SHARED_LOOKS; i++) {
        if (strcmp(rows->rows[i].digest.text, image->portrait.digest.text) != 0) {
            note_shared(image, rows, &rows->rows[i]);
        }
    }
}

static void add_link(struct image_view *image, const struct rows *rows,
                     const struct row_of_tags *row)
{
    struct view *view = image->view;
    const char *reference = row->count > 0 ? rows->tags.items[row->first].tag : row->digest.text;

    HTML(&view->body, "<li><a class=\"tag\" href=\"");
    view_link_image(view, view->place.name, reference);
    HTML(&view->body, "\">");
    html_text(&view->body, reference);
    HTML(&view->body, "</a></li>");
}

/* The indexes that it is a part of. */
static void add_others(struct image_view *image, const struct rows *rows)
{
    struct html *body = &image->view->body;
    bool is_begun = false;

    for (size_t i = 0; i < rows->count && i < RELATIONS_LOOKS; i++) {
        AUTO_PORTRAIT struct portrait portrait = PORTRAIT_INIT;
        struct error ignored;

        if (portrait_read_alone(&image->gallery, &rows->rows[i].digest, &portrait, &ignored) <= 0 ||
            portrait.description.kind != KIND_INDEX ||
            !description_has(&portrait.description, &image->portrait.digest)) {
            continue;
        }
        if (!is_begun) {
            HTML(body, "<section aria-labelledby=\"parents\"><h2 id=\"parents\">Part of</h2>"
                       "<ul class=\"tags\">");
            is_begun = true;
        }
        add_link(image, rows, &rows->rows[i]);
    }
    if (is_begun) {
        HTML(body, "</ul></section>");
    }
}

static void add_same(struct image_view *image, const struct rows *rows)
{
    struct view *view = image->view;
    struct html *body = &view->body;
    bool is_begun = false;
    size_t shown = 0;

    for (size_t i = 0; i < rows->tags.count && shown < SAME_TAGS; i++) {
        const struct tagged *item = &rows->tags.items[i];

        if (strcmp(item->digest.text, image->portrait.digest.text) != 0 ||
            strcmp(item->tag, view->place.reference) == 0) {
            continue;
        }
        if (!is_begun) {
            HTML(body, "<section aria-labelledby=\"same\"><h2 id=\"same\">Tags of the same</h2>"
                       "<ul class=\"tags\">");
            is_begun = true;
        }
        shown++;
        HTML(body, "<li><a class=\"tag\" href=\"");
        view_link_image(view, view->place.name, item->tag);
        HTML(body, "\">");
        html_text(body, item->tag);
        HTML(body, "</a></li>");
    }
    if (is_begun) {
        HTML(body, "</ul></section>");
    }
}

/* What it differs in from another tag, in a form. */
static void add_compare(struct image_view *image, const struct rows *rows)
{
    struct view *view = image->view;
    struct html *body = &view->body;
    size_t count = 0;

    if (rows->count < 2) {
        return;
    }
    HTML(body,
         "<section aria-labelledby=\"compare\"><h2 id=\"compare\">Compare</h2><form action=\"");
    view_link_image(view, view->place.name, view->place.reference);
    HTML(body, "\" class=\"filter\"><input type=\"hidden\" name=\"show\" value=\"difference\">"
               "<label class=\"hidden\" for=\"with\">With the tag</label><select id=\"with\" "
               "name=\"with\">");
    for (size_t i = 0; i < 2 * rows->count && count < COMPARE_TAGS; i++) {
        const struct row_of_tags *row = &rows->rows[i % rows->count];
        const char *tag = rows->tags.items[row->first].tag;

        /* Those of commits come last. */
        if (rows_tag_is_commit(tag) != (i >= rows->count) ||
            strcmp(row->digest.text, image->portrait.digest.text) == 0) {
            continue;
        }
        count++;
        HTML(body, "<option value=\"");
        html_attribute(body, tag);
        HTML(body, "\">");
        html_text(body, tag);
        HTML(body, "</option>");
    }
    HTML(body, "</select><button>Compare</button></form></section>");
}

int image_add_relations(struct image_view *image, struct error *error)
{
    AUTO_DESCRIPTION struct description referrers = DESCRIPTION_INIT;
    struct view *view = image->view;
    struct html *body = &view->body;

    if (portrait_read_referrers(&image->gallery, &image->portrait.digest, &referrers, error) < 0) {
        return -1;
    }
    if (image->portrait.description.has_subject) {
        HTML(body, "<section aria-labelledby=\"subject\"><h2 id=\"subject\">Refers to</h2><p><a "
                   "class=\"digest\" href=\"");
        view_link_image(view, view->place.name, image->portrait.description.subject.text);
        HTML(body, "\">");
        view_short_digest(view, &image->portrait.description.subject);
        HTML(body, "</a></p></section>");
    }
    if (referrers.part_count > 0) {
        add_referrers(image, &referrers);
    }
    add_same(image, &image->rows);
    add_compare(image, &image->rows);
    if (view->place.is_digest) {
        add_others(image, &image->rows);
    }
    return 0;
}
