/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fcgi/page/form.h"
#include "lib/base/json.h"
#include "lib/configuration/configuration.h"
#include "lib/oci/document.h"
#include "lib/store/glance.h"
#include "lib/store/referrers.h"
#include "lib/store/repository.h"
#include "lib/store/tagged.h"

/*
 * Deleting a tag, a manifest, or all of a repository: first a page that says what goes with it,
 * then a form that does it, by what DELETE of the registry does as well. What the first page showed
 * is what the second deletes: a tag that has moved meanwhile stays.
 */

enum { DELETE_SHOWN = 50 /* of each kind */ };

static bool delete_is_cached(const struct view *view)
{
    return view->exchange->source.is_proxied;
}

/* What goes with it, and what stays. */
struct delete_company {
    const char *reference; /* that is deleted */
    struct digest digest;
    struct names tags; /* the others of the manifest, up to DELETE_SHOWN; more are only counted */
    uint64_t more_tags;
    struct names referrers;
    bool more_referrers;
};

static void delete_release(struct delete_company *company)
{
    names_release(&company->tags);
    names_release(&company->referrers);
}

static void delete_add_tag(void *context, const char *tag, const struct digest *digest)
{
    struct delete_company *company = context;

    if (!digest_equal(digest, &company->digest) || strcmp(tag, company->reference) == 0) {
        return;
    }
    if (company->tags.count < DELETE_SHOWN) {
        names_add(&company->tags, tag);
    } else {
        company->more_tags++;
    }
}

/* Signatures and the like, as JSON each. 1 if there are more, 0, -1. */
static int delete_find_referrers(const struct view *view, const struct digest *digest,
                                 struct names *out, struct error *error)
{
    AUTO_BUFFER struct buffer list = BUFFER_INIT;
    AUTO_BUFFER struct buffer object = BUFFER_INIT;
    struct referrers_query query = {.subject = *digest, .page = {.limit = DELETE_SHOWN}};
    struct document document;
    struct digest last;
    int more = referrers_list(view_repository(view), &query, &list, &last, error);

    json_open_object(&object, NULL);
    json_open_array(&object, "manifests");
    buffer_add(&object, list.data, list.length);
    json_close_array(&object);
    json_close_object(&object);
    document = (struct document){object.data, object.length, NULL};
    (void)document_object_list(&document, "manifests", out);
    return more;
}

static void delete_add_image(struct view *view, const char *reference)
{
    HTML(&view->body, "<a href=\"");
    view_link_image(view, view->place.name, reference);
    HTML(&view->body, "\"><code>");
    html_text(&view->body, reference);
    HTML(&view->body, "</code></a>");
}

static void delete_add_tags(struct view *view, const struct names *tags, uint64_t more)
{
    HTML(&view->body, "<ul class=\"plain\">");
    for (size_t i = 0; i < tags->count; i++) {
        HTML(&view->body, "<li>");
        delete_add_image(view, tags->names[i]);
        HTML(&view->body, "</li>");
    }
    if (more > 0) {
        HTML(&view->body, "<li>and ");
        html_number(&view->body, more);
        HTML(&view->body, " more</li>");
    }
    HTML(&view->body, "</ul>");
}

static void delete_add_referrers(struct view *view, const struct names *referrers, bool has_more)
{
    struct html *body = &view->body;

    if (referrers->count == 0) {
        return;
    }
    HTML(body, "<h2>What refers to it goes with the next collection</h2><ul class=\"plain\">");
    for (size_t i = 0; i < referrers->count; i++) {
        const char *json = referrers->names[i];
        struct document document = {json, strlen(json), NULL};
        AUTO_BUFFER struct buffer digest = BUFFER_INIT;
        AUTO_BUFFER struct buffer type = BUFFER_INIT;

        HTML(body, "<li>");
        if (document_text_member(&document, "artifactType", &type)) {
            html_foreign(body, type.data, 120);
            HTML(body, " ");
        }
        if (document_text_member(&document, "digest", &digest)) {
            delete_add_image(view, digest.data);
        }
        HTML(body, "</li>");
    }
    if (has_more) {
        HTML(body, "<li>and more</li>");
    }
    HTML(body, "</ul>");
}

/* Where it can be found again. */
static void delete_add_comfort(struct view *view)
{
    if (delete_is_cached(view)) {
        HTML(&view->body, "<p>It is dropped from the cache, and fetched again when somebody pulls "
                          "it.</p>");
    } else {
        HTML(&view->body, "<p>It can be restored from the trash for ");
        html_number(&view->body, view->exchange->configuration->registry.collect.trash_days);
        HTML(&view->body, " days.</p>");
    }
}

static int delete_add_form(struct view *view, const struct digest *digest, struct error *error)
{
    struct target target = form_target(view, "delete");

    if (form_begin(view, &target, error) < 0) {
        return -1;
    }
    if (digest) {
        form_hidden(view, "digest", digest->text);
    }
    HTML(&view->body, "<p class=\"buttons\"><button class=\"danger\">Delete</button>"
                      "<a class=\"button\" href=\"");
    if (view->place.kind == PLACE_IMAGE) {
        view_link_image(view, view->place.name, view->place.reference);
    } else {
        view_link_repository(view, view->place.name);
    }
    HTML(&view->body, "\">Cancel</a></p>");
    form_end(view);
    return 0;
}

/* 1, 0, -1: what the place stands for. */
static int delete_find(const struct view *view, struct digest *out, struct error *error)
{
    const struct repository *repository = view_repository(view);

    if (!view->place.is_digest) {
        return tag_get(repository, view->place.reference, out, error);
    }
    return digest_parse(out, view->place.reference, error) < 0
               ? -1
               : revision_exists(repository, out, error);
}

static void delete_add_json(struct view *view, const struct digest *digest,
                            const struct names *tags, const struct names *referrers)
{
    struct buffer *out = &view->bytes;

    json_open_object(out, NULL);
    json_text(out, "name", view->place.name);
    json_text(out, "reference", view->place.reference);
    json_text(out, "digest", digest->text);
    json_open_array(out, "tags");
    for (size_t i = 0; i < tags->count; i++) {
        json_text(out, NULL, tags->names[i]);
    }
    json_close_array(out);
    json_open_array(out, "referrers");
    for (size_t i = 0; i < referrers->count; i++) {
        json_raw(out, NULL, referrers->names[i]);
    }
    json_close_array(out);
    json_close_object(out);
}

static int delete_write(struct view *view, const struct delete_company *company,
                        struct error *error)
{
    struct html *body = &view->body;

    buffer_format(&view->title, "Delete %s", view->place.reference);
    view_trail(view, view->place.name, "Delete");
    if (view->place.is_digest) {
        HTML(body, "<h1>Delete this manifest?</h1><p class=\"lead\"><code>");
        html_text(body, company->digest.text);
        HTML(body, "</code></p>");
        if (company->tags.count > 0) {
            HTML(body, "<h2>These tags go with it</h2>");
            delete_add_tags(view, &company->tags, company->more_tags);
        }
        delete_add_referrers(view, &company->referrers, company->more_referrers);
    } else {
        HTML(body, "<h1>Delete the tag ");
        html_text(body, view->place.reference);
        HTML(body, "?</h1><p class=\"lead\">The manifest stays: ");
        delete_add_image(view, company->digest.text);
        HTML(body, "</p>");
        if (company->tags.count > 0) {
            HTML(body, "<h2>It keeps these tags</h2>");
            delete_add_tags(view, &company->tags, company->more_tags);
        } else {
            HTML(body, "<p>No other tag stands for it.</p>");
        }
    }
    delete_add_comfort(view);
    return delete_add_form(view, &company->digest, error);
}

int page_delete(struct view *view, struct error *error)
{
    AUTO(delete_release)
    struct delete_company company = {
        .reference = view->place.reference, .tags = NAMES_INIT, .referrers = NAMES_INIT};
    int found = delete_find(view, &company.digest, error);
    int more;

    if (found <= 0) {
        return found < 0 ? -1 : error_set(error, ERROR_NOT_FOUND, "there is no such image");
    }
    more = delete_find_referrers(view, &company.digest, &company.referrers, error);
    if (more < 0 || tagged_visit(view_repository(view), delete_add_tag, &company, error) < 0) {
        return -1;
    }
    names_sort(&company.tags);
    company.more_referrers = more > 0;
    if (view->wants_json) {
        delete_add_json(view, &company.digest, &company.tags, &company.referrers);
        return 0;
    }
    return delete_write(view, &company, error);
}

/* To the repository, or, if nothing is left of it, to the front. */
static void delete_done(struct view *view)
{
    const struct repository *repository = view_repository(view);
    bool is_lost = view->exchange->registry->lost > 0;
    struct glance glance;

    glance_take(repository, &glance);
    form_done(view,
              delete_is_cached(view) ? "dropped"
              : is_lost              ? "gone"
                                     : "deleted",
              glance.has_manifests ? view->place.name : NULL, NULL);
}

/* The manifest that the first page spoke of, which for a digest can only be that. */
static int delete_read_digest(const struct view *view, const struct query *form, struct digest *out,
                              struct error *error)
{
    const char *text = form_value(form, "digest");

    if (digest_parse(out, text, error) < 0) {
        return -1;
    }
    return !view->place.is_digest || strcmp(text, view->place.reference) == 0
               ? 0
               : error_set(error, ERROR_PRECONDITION, "this form is about another manifest");
}

int page_delete_sent(struct view *view, struct error *error)
{
    const struct source *source = &view->exchange->source;
    struct target target = form_target(view, "delete");
    AUTO_FORM struct query form = QUERY_INIT;
    AUTO_DIGEST_SET struct digest_set expected = DIGEST_SET_INIT;
    struct digest digest;
    int deleted;

    if (form_read(view, &target, &form, error) < 0 ||
        delete_read_digest(view, &form, &digest, error) < 0) {
        return -1;
    }
    digest_set_add(&expected, &digest);
    deleted = view->place.is_digest
                  ? source_delete_manifest(source, &digest, error)
                  : source_delete_tag(source, view->place.reference, &expected, error);
    if (deleted < 0) {
        return -1;
    }
    if (deleted > 0) {
        form_note(view, DEED_DELETE, view->place.is_digest ? &digest : NULL);
    }
    delete_done(view); /* also if somebody was faster */
    return 0;
}

int page_delete_all(struct view *view, struct error *error)
{
    struct html *body = &view->body;

    buffer_format(&view->title, "Delete %s", view->place.name);
    view_trail(view, view->place.name, "Delete");
    HTML(body, "<h1>Delete this repository?</h1><p class=\"lead\">All manifests and ");
    html_number(body, glance_count_tags(view_repository(view)));
    HTML(body, " tags of <strong>");
    html_text(body, view->place.name);
    HTML(body, "</strong>.</p>");
    delete_add_comfort(view);
    return delete_add_form(view, NULL, error);
}

int page_delete_all_sent(struct view *view, struct error *error)
{
    struct target target = form_target(view, "delete");
    AUTO_FORM struct query form = QUERY_INIT;
    int deleted;

    if (form_read(view, &target, &form, error) < 0) {
        return -1;
    }
    deleted = source_delete_all(&view->exchange->source, error);
    if (deleted < 0) {
        return -1;
    }
    if (deleted > 0) {
        form_note(view, DEED_DELETE_ALL, NULL);
    }
    delete_done(view);
    return 0;
}
