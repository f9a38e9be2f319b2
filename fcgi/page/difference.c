/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fcgi/page/image.h"
#include "lib/base/json.h"

/* What changes for who has one image and gets another one of the same repository. */

enum { LINE_LIMIT = 1000 };

static bool has_layer(const struct description *description, const struct digest *digest)
{
    for (size_t i = 0; i < description->part_count; i++) {
        if (strcmp(description->parts[i].digest.text, digest->text) == 0) {
            return true;
        }
    }
    return false;
}

/* Layers that only `description` has, and their bytes. */
struct change {
    size_t count;
    uint64_t bytes;
};

static struct change changed_layers(const struct description *description,
                                    const struct description *other)
{
    struct change change = {.count = 0};

    for (size_t i = 0; i < description->part_count; i++) {
        if (!has_layer(other, &description->parts[i].digest)) {
            change.count++;
            change.bytes += description->parts[i].size;
        }
    }
    return change;
}

static void add_layers(struct image_view *image, const struct image_view *other, bool is_added)
{
    struct html *body = &image->view->body;
    const struct description *description = &image->shown.description;

    for (size_t i = 0; i < description->part_count; i++) {
        const struct description_part *part = &description->parts[i];
        const struct history_step *step = image->has_config ? image_step(&image->config, i) : NULL;

        if (has_layer(&other->shown.description, &part->digest)) {
            continue;
        }
        if (is_added) {
            HTML(body, "<tr class=\"added\"><th scope=\"row\">added</th><td class=\"command\">");
        } else {
            HTML(body, "<tr class=\"gone\"><th scope=\"row\">gone</th><td class=\"command\">");
        }
        if (step) {
            HTML(body, "<code>");
            html_foreign(body, step->command, LINE_LIMIT);
            HTML(body, "</code>");
        }
        HTML(body, "<span class=\"digest\">");
        view_short_digest(image->view, &part->digest);
        HTML(body, "</span></td><td class=\"size\">");
        html_bytes(body, part->size);
        HTML(body, "</td></tr>");
    }
}

static bool names_have(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* One line for each thing that a configuration says, so that what differs are whole lines. */
static void add_lines(const char *term, const struct names *words, size_t step, struct names *out)
{
    for (size_t i = 0; i + step <= words->count; i += step) {
        AUTO_BUFFER struct buffer line = BUFFER_INIT;

        buffer_format(&line, "%s %s", term, words->names[i]);
        if (step > 1) {
            buffer_format(&line, "=%s", words->names[i + 1]);
        }
        names_add(out, line.data);
    }
}

static void add_line(const char *term, const char *text, struct names *out)
{
    AUTO_BUFFER struct buffer line = BUFFER_INIT;

    if (text && *text) {
        buffer_format(&line, "%s %s", term, text);
        names_add(out, line.data);
    }
}

static void add_joined(const char *term, const struct names *words, struct names *out)
{
    AUTO_BUFFER struct buffer line = BUFFER_INIT;

    for (size_t i = 0; i < words->count; i++) {
        buffer_format(&line, "%s%s", i > 0 ? " " : "", words->names[i]);
    }
    add_line(term, line.data, out);
}

static void config_lines(const struct image_config *config, struct names *out)
{
    add_joined("entrypoint", &config->entrypoint, out);
    add_joined("command", &config->command, out);
    add_line("user", config->user, out);
    add_line("directory", config->directory, out);
    add_line("stop signal", config->stop_signal, out);
    add_lines("environment", &config->environment, 1, out);
    add_lines("port", &config->ports, 1, out);
    add_lines("volume", &config->volumes, 1, out);
    add_lines("label", &config->labels, 2, out);
}

static size_t write_lines(struct html *body, const struct names *lines, const struct names *other,
                          bool is_added)
{
    size_t count = 0;

    for (size_t i = 0; i < lines->count; i++) {
        if (names_have(other, lines->names[i])) {
            continue;
        }
        count++;
        if (is_added) {
            HTML(body, "<li class=\"added\"><span class=\"sign\">added</span> <code>");
        } else {
            HTML(body, "<li class=\"gone\"><span class=\"sign\">gone</span> <code>");
        }
        html_foreign(body, lines->names[i], LINE_LIMIT);
        HTML(body, "</code></li>");
    }
    return count;
}

static void write_config(struct image_view *from, struct image_view *to)
{
    AUTO_NAMES struct names before = NAMES_INIT;
    AUTO_NAMES struct names after = NAMES_INIT;
    struct html *body = &to->view->body;
    size_t count;

    if (!from->has_config || !to->has_config) {
        return;
    }
    config_lines(&from->config, &before);
    config_lines(&to->config, &after);
    HTML(body, "<section aria-labelledby=\"configuration\"><h2 id=\"configuration\">Configuration"
               "</h2><ul class=\"lines changes\">");
    count = write_lines(body, &before, &after, false);
    count += write_lines(body, &after, &before, true);
    if (count == 0) {
        HTML(body, "<li class=\"dim\">It is the same.</li>");
    }
    HTML(body, "</ul></section>");
}

static void difference_write(struct image_view *from, struct image_view *to)
{
    struct view *view = to->view;
    struct html *body = &view->body;
    struct change added = changed_layers(&to->shown.description, &from->shown.description);
    struct change gone = changed_layers(&from->shown.description, &to->shown.description);

    view_trail(view, view->place.name, view->place.reference);
    HTML(body, "<h1>From ");
    html_foreign(body, view_query(view, "with"), 80);
    HTML(body, " to ");
    html_foreign(body, view->place.reference, 80);
    HTML(body, "</h1><p class=\"lead\">");
    html_bytes(body, added.bytes);
    HTML(body, " to pull");
    if (to->has_config && *to->config.platform) {
        HTML(body, " for ");
        html_foreign(body, to->config.platform, PLATFORM_SIZE);
    }
    HTML(body, ". Layers: ");
    html_number(body, added.count);
    HTML(body, " added, ");
    html_number(body, gone.count);
    HTML(body, " gone, ");
    html_number(body, to->shown.description.part_count - added.count);
    HTML(body, " shared</p>");
    if (added.count + gone.count > 0) {
        HTML(body, "<section aria-labelledby=\"layers\"><h2 id=\"layers\">Layers</h2>"
                   "<table class=\"layers changes\"><thead><tr><th scope=\"col\">Change</th>"
                   "<th scope=\"col\">Made by</th><th scope=\"col\" class=\"size\">Size</th></tr>"
                   "</thead><tbody>");
        add_layers(from, to, false);
        add_layers(to, from, true);
        HTML(body, "</tbody></table></section>");
    }
    write_config(from, to);
}

static void write_digests_json(struct buffer *out, const char *key,
                               const struct description *description,
                               const struct description *other)
{
    json_open_array(out, key);
    for (size_t i = 0; i < description->part_count; i++) {
        if (!has_layer(other, &description->parts[i].digest)) {
            json_text(out, NULL, description->parts[i].digest.text);
        }
    }
    json_close_array(out);
}

static void write_lines_json(struct buffer *out, const char *key, const struct names *lines,
                             const struct names *other)
{
    json_open_array(out, key);
    for (size_t i = 0; i < lines->count; i++) {
        if (!names_have(other, lines->names[i])) {
            json_text(out, NULL, lines->names[i]);
        }
    }
    json_close_array(out);
}

static void difference_write_json(const struct image_view *from, const struct image_view *to)
{
    AUTO_NAMES struct names before = NAMES_INIT;
    AUTO_NAMES struct names after = NAMES_INIT;
    struct buffer *out = &to->view->bytes;
    const struct description *old = &from->shown.description;
    const struct description *new = &to->shown.description;

    config_lines(&from->config, &before);
    config_lines(&to->config, &after);
    json_open_object(out, NULL);
    json_text(out, "from", from->portrait.digest.text);
    json_text(out, "to", to->portrait.digest.text);
    json_number(out, "bytesToPull", changed_layers(new, old).bytes);
    write_digests_json(out, "layersAdded", new, old);
    write_digests_json(out, "layersGone", old, new);
    write_lines_json(out, "configurationAdded", &after, &before);
    write_lines_json(out, "configurationGone", &before, &after);
    json_close_object(out);
}

int page_difference(struct view *view, struct error *error)
{
    AUTO_IMAGE_VIEW struct image_view from = IMAGE_VIEW_INIT(view);
    AUTO_IMAGE_VIEW struct image_view to = IMAGE_VIEW_INIT(view);
    const char *with = view_query(view, "with");
    bool is_digest = strchr(with, ':') != NULL;

    if ((!is_digest && !tag_is_valid(with)) ||
        image_view_read(&to, view->place.reference, view->place.is_digest, error) < 0 ||
        image_view_read(&from, with, is_digest, error) < 0) {
        return error->code == ERROR_INTERNAL
                   ? -1
                   : error_set(error, ERROR_NOT_FOUND, "there is nothing here that you may see");
    }
    buffer_format(&view->title, "%.19s to %.19s %s %s", with, view->place.reference, "\xc2\xb7",
                  view->place.name);
    if (view->wants_json) {
        difference_write_json(&from, &to);
    } else {
        difference_write(&from, &to);
    }
    return 0;
}
