/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/page/image.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/store/revision.h"
#include "lib/store/tag.h"

/* One image: how to get it, what it is made of, what belongs to it. */

void image_view_release(struct image_view *image)
{
    portrait_release(&image->portrait);
    portrait_release(&image->shown);
    image_config_release(&image->config);
    rows_release(&image->rows);
    free(image->shared);
}

size_t image_choose_child(const struct description *description, const char *wanted)
{
    size_t first = description->part_count;
    size_t usual = description->part_count;

    for (size_t i = description->part_count; i > 0; i--) {
        const char *platform = description->parts[i - 1].platform;

        if (*platform && strcmp(platform, wanted) == 0) {
            return i - 1;
        }
        usual = strcmp(platform, "linux/amd64") == 0 ? i - 1 : usual;
        first = *platform ? i - 1 : first;
    }
    return usual < description->part_count ? usual : first;
}

/* Of another registry's it is shown only if it is here, and by this repository's right. */
static bool may_read_config(struct image_view *image)
{
    struct source *source = &image->view->exchange->source;
    struct proxy_blob_request request = {.digest = image->shown.description.config.digest,
                                         .head_only = true};
    struct proxy_blob blob = {.is_stored = false};
    struct error ignored;

    return !source->is_proxied ||
           (source_get_blob(source, &request, &blob, &ignored) > 0 && blob.is_stored);
}

static int read_shown(struct image_view *image, struct error *error)
{
    const struct description *description = &image->portrait.description;
    const struct digest *digest = &image->portrait.digest;
    int found;

    if (description->kind == KIND_INDEX) {
        size_t child = image_choose_child(description, view_query(image->view, "platform"));

        if (child == description->part_count) {
            return 0;
        }
        digest = &description->parts[child].digest;
    }
    found = portrait_read(&image->gallery, digest, &image->shown, error);
    image->has_shown = found > 0;
    if (found > 0 && image->shown.description.has_config && may_read_config(image)) {
        image->has_config =
            portrait_read_config(&image->gallery, &image->shown.description, &image->config);
    }
    return found < 0 ? -1 : 0;
}

int image_view_read(struct image_view *image, const char *reference, bool is_digest,
                    struct error *error)
{
    const struct repository *repository = view_repository(image->view);
    struct digest digest;
    int found = 1;

    if (is_digest) {
        found = digest_parse(&digest, reference, error) < 0 ? 0 : 1;
    } else {
        found = tag_get(repository, reference, &digest, error);
    }
    if (found > 0) {
        found = portrait_read(&image->gallery, &digest, &image->portrait, error);
    }
    if (found <= 0) {
        return found < 0
                   ? -1
                   : error_set(error, ERROR_NOT_FOUND, "there is nothing here that you may see");
    }
    return read_shown(image, error);
}

/* How programs get an image. */
struct way {
    const char *label;
    const char *command;
    const char *without_tls; /* what has to be said where this is reached by http */
    const char *scheme;
    bool is_to_file; /* whose name has to be said */
};

static const struct way image_ways[] = {
    {"Docker", "docker pull", "", "", false},
    {"Podman", "podman pull", " --tls-verify=false", "", false},
    {"Kubernetes", "image:", "", "", false},
    {"Skopeo", "skopeo copy", " --src-tls-verify=false", "docker://", true},
    {"crane", "crane pull", " --insecure", "", true},
};
static const struct way chart_ways[] = {{"Helm", "helm pull", " --plain-http", "oci://", false}};
static const struct way artifact_ways[] = {{"ORAS", "oras pull", " --plain-http", "", false}};

/* What a file is called that is made of it. */
static void add_file(const struct way *way, const char *name, struct buffer *command)
{
    const char *slash = strrchr(name, '/');

    buffer_format(command, " %s%s%s", strcmp(way->label, "Skopeo") == 0 ? "oci-archive:" : "",
                  slash ? slash + 1 : name, ".tar");
}

static void add_command(struct view *view, const struct way *way, const char *mark,
                        const char *reference)
{
    struct html *body = &view->body;
    AUTO_BUFFER struct buffer command = BUFFER_INIT;
    bool has_tls = strncmp(view->exchange->site.url, "https:", 6) == 0;

    buffer_format(&command, "%s%s %s%s/%s%s%s", way->command, has_tls ? "" : way->without_tls,
                  way->scheme, view_host(view), view->place.name, mark, reference);
    if (way->is_to_file) {
        add_file(way, view->place.name, &command);
    }
    HTML(body, "<dt>");
    html_text(body, way->label);
    HTML(body, "</dt><dd>");
    view_code(view, command.data);
    HTML(body, "</dd>");
}

static void add_commands(struct image_view *image, const char *mark, const char *reference)
{
    struct view *view = image->view;
    enum description_kind kind = image->portrait.description.kind;
    bool is_image = kind == KIND_IMAGE || kind == KIND_INDEX || !image->portrait.is_readable;
    const struct way *ways = is_image             ? image_ways
                             : kind == KIND_CHART ? chart_ways
                                                  : artifact_ways;
    size_t count = is_image ? sizeof(image_ways) / sizeof(*image_ways) : 1;

    HTML(&view->body, "<dl class=\"commands\">");
    for (size_t i = 0; i < count; i++) {
        add_command(view, &ways[i], kind == KIND_CHART && *mark == ':' ? " --version " : mark,
                    reference);
    }
    HTML(&view->body, "</dl>");
}

static void add_pull(struct image_view *image)
{
    struct view *view = image->view;
    struct html *body = &view->body;

    HTML(body, "<section aria-labelledby=\"pull\"><h2 id=\"pull\">Pull</h2>");
    if (!view->place.is_digest) {
        add_commands(image, ":", view->place.reference);
        HTML(body, "<details><summary>By digest, which never changes</summary>");
    }
    add_commands(image, "@", image->portrait.digest.text);
    if (!view->place.is_digest) {
        HTML(body, "</details>");
    }
    HTML(body, "</section>");
}

/* The children of an index that are for a platform, or about one. */
static void add_platforms(struct image_view *image)
{
    struct view *view = image->view;
    struct html *body = &view->body;
    const struct description *description = &image->portrait.description;

    HTML(body, "<section aria-labelledby=\"platforms\"><h2 id=\"platforms\">Platforms</h2>"
               "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Platforms\">"
               "<table class=\"platforms\"><thead><tr><th scope=\"col\">Platform</th><th "
               "scope=\"col\">Digest</th>"
               "<th scope=\"col\" class=\"size\">Size</th></tr></thead><tbody>");
    for (size_t i = 0; i < description->part_count; i++) {
        const struct description_part *part = &description->parts[i];

        HTML(body, "<tr><th scope=\"row\">");
        if (*part->platform) {
            HTML(body, "<a href=\"?platform=");
            html_argument(body, part->platform);
            HTML(body, "\">");
            html_foreign(body, part->platform, PLATFORM_SIZE);
            HTML(body, "</a>");
        } else {
            view_badge(view, part->is_attestation ? KIND_ATTESTATION : KIND_ARTIFACT);
        }
        HTML(body, "</th><td><a class=\"digest\" href=\"");
        view_link_image(view, view->place.name, part->digest.text);
        HTML(body, "\">");
        view_short_digest(view, &part->digest);
        HTML(body, "</a></td><td class=\"size\">");
        html_bytes(body, part->size);
        HTML(body, "</td></tr>");
    }
    HTML(body, "</tbody></table></div></section>");
}

static void add_heading(struct image_view *image)
{
    struct view *view = image->view;
    struct html *body = &view->body;
    const char *reference = view->place.reference;

    view_trail(view, view->place.name, NULL);
    HTML(body, "<h1>");
    html_text(body, view->place.name);
    HTML(body, "<span class=\"dim\">");
    if (view->place.is_digest) {
        HTML(body, "@</span><wbr>");
    } else {
        HTML(body, ":</span>");
    }
    if (view->place.is_digest) {
        view_short_digest(view, &image->portrait.digest);
    } else {
        html_text(body, reference);
    }
    HTML(body, "</h1><div class=\"facts\">");
    view_badge(view, image->portrait.description.kind);
    HTML(body, "<span>");
    html_bytes(body, image->portrait.size);
    HTML(body, "</span>");
    if (*image->portrait.description.artifact_type) {
        HTML(body, "<span>");
        html_foreign(body, image->portrait.description.artifact_type, 200);
        HTML(body, "</span>");
    }
    HTML(body, "<a href=\"?show=manifest\">Manifest</a></div>");
    view_code(view, image->portrait.digest.text);
}

static void image_write(struct image_view *image)
{
    struct html *body = &image->view->body;
    const struct description *description = &image->portrait.description;

    add_heading(image);
    if (!image->portrait.is_readable) {
        HTML(body, "<p class=\"note\">This manifest is too long to be shown, or nothing that is "
                   "understood here.</p>");
    }
    add_pull(image);
    if (description->kind == KIND_INDEX && description->part_count > 0) {
        add_platforms(image);
    }
    if (image->has_shown) {
        image_add_layers(image);
        image_add_configuration(image);
    }
    image_add_annotations(image);
}

static void write_pairs_json(struct buffer *out, const char *key, const struct names *pairs)
{
    json_open_object(out, key);
    for (size_t i = 0; i + 1 < pairs->count; i += 2) {
        json_text(out, pairs->names[i], pairs->names[i + 1]);
    }
    json_close_object(out);
}

static void write_names_json(struct buffer *out, const char *key, const struct names *names)
{
    json_open_array(out, key);
    for (size_t i = 0; i < names->count; i++) {
        json_text(out, NULL, names->names[i]);
    }
    json_close_array(out);
}

static void write_parts_json(struct buffer *out, const char *key,
                             const struct description *description)
{
    json_open_array(out, key);
    for (size_t i = 0; i < description->part_count; i++) {
        const struct description_part *part = &description->parts[i];

        json_open_object(out, NULL);
        json_text(out, "digest", part->digest.text);
        json_text(out, "mediaType", part->media_type);
        json_number(out, "size", part->size);
        if (*part->platform) {
            json_text(out, "platform", part->platform);
        }
        json_close_object(out);
    }
    json_close_array(out);
}

static void write_config_json(struct buffer *out, const struct image_config *config)
{
    json_open_object(out, "configuration");
    json_text(out, "platform", config->platform);
    json_text(out, "created", config->created);
    json_text(out, "user", config->user);
    json_text(out, "workingDirectory", config->directory);
    write_names_json(out, "entrypoint", &config->entrypoint);
    write_names_json(out, "command", &config->command);
    write_names_json(out, "environment", &config->environment);
    write_names_json(out, "ports", &config->ports);
    write_names_json(out, "volumes", &config->volumes);
    write_pairs_json(out, "labels", &config->labels);
    json_close_object(out);
}

static void image_write_json(struct image_view *image)
{
    struct buffer *out = &image->view->bytes;
    const struct description *description = &image->portrait.description;

    json_open_object(out, NULL);
    json_text(out, "name", image->view->place.name);
    json_text(out, "digest", image->portrait.digest.text);
    json_text(out, "mediaType", description->media_type);
    json_text(out, "kind", description_kind_word(description->kind));
    json_number(out, "size", image->portrait.size);
    write_pairs_json(out, "annotations", &description->annotations);
    if (description->kind == KIND_INDEX) {
        write_parts_json(out, "manifests", description);
    }
    if (image->has_shown) {
        write_parts_json(out, "layers", &image->shown.description);
    }
    if (image->has_config) {
        write_config_json(out, &image->config);
    }
    json_close_object(out);
}

int page_image(struct view *view, struct error *error)
{
    AUTO_IMAGE_VIEW struct image_view image = IMAGE_VIEW_INIT(view);
    struct rows_query query = {.filter = "", .order = ROWS_NEWEST, .with_commits = true};

    if (image_view_read(&image, view->place.reference, view->place.is_digest, error) < 0) {
        return -1;
    }
    buffer_format(&view->title, "%s%s%.19s", view->place.name, view->place.is_digest ? "@" : ":",
                  view->place.reference);
    if (view->wants_json) {
        image_write_json(&image);
        return 0;
    }
    if (rows_read(view_repository(view), &query, &image.rows, error) < 0) {
        return -1;
    }
    image_find_shared(&image);
    image_write(&image);
    if (image_add_relations(&image, error) < 0) {
        return -1;
    }
    actions_add(view);
    return 0;
}

int page_manifest(struct view *view, struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    struct digest digest;
    int found = view->place.is_digest
                    ? digest_parse(&digest, view->place.reference, error) < 0 ? 0 : 1
                    : tag_get(view_repository(view), view->place.reference, &digest, error);

    if (found > 0) {
        found = revision_read(view_repository(view), &digest, &stored, error);
    }
    if (found <= 0) {
        return found < 0 ? -1 : error_set(error, ERROR_NOT_FOUND, "there is no such manifest");
    }
    view->type = "text/plain; charset=utf-8";
    buffer_add(&view->bytes, stored.content.data, stored.content.length);
    return 0;
}
