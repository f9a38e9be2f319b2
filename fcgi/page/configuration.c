/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/page/image.h"

#include <string.h>

/* What an image is made of, and how it runs. */

enum { TEXT_LIMIT = 2000, COMMAND_LIMIT = 600, SHOWN_LIMIT = 200 };

static void add_term(struct html *body, const char *term)
{
    HTML(body, "<dt>");
    html_text(body, term);
    HTML(body, "</dt>");
}

static void add_text(struct html *body, const char *term, const char *text)
{
    if (!*text) {
        return;
    }
    add_term(body, term);
    HTML(body, "<dd><code>");
    html_foreign(body, text, TEXT_LIMIT);
    HTML(body, "</code></dd>");
}

/* A command line, word by word. */
static void add_words(struct html *body, const char *term, const struct names *words)
{
    if (words->count == 0) {
        return;
    }
    add_term(body, term);
    HTML(body, "<dd class=\"words\">");
    for (size_t i = 0; i < words->count && i < SHOWN_LIMIT; i++) {
        HTML(body, "<code>");
        html_foreign(body, words->names[i], TEXT_LIMIT);
        HTML(body, "</code> ");
    }
    HTML(body, "</dd>");
}

static void add_list(struct html *body, const char *term, const struct names *items)
{
    if (items->count == 0) {
        return;
    }
    add_term(body, term);
    HTML(body, "<dd><ul class=\"lines\">");
    for (size_t i = 0; i < items->count && i < SHOWN_LIMIT; i++) {
        HTML(body, "<li><code>");
        html_foreign(body, items->names[i], TEXT_LIMIT);
        HTML(body, "</code></li>");
    }
    if (items->count > SHOWN_LIMIT) {
        HTML(body, "<li class=\"dim\">and more</li>");
    }
    HTML(body, "</ul></dd>");
}

void view_pairs(struct view *view, const struct names *pairs)
{
    struct html *body = &view->body;

    HTML(body, "<dl class=\"pairs\">");
    for (size_t i = 0; i + 1 < pairs->count && i < (size_t)2 * SHOWN_LIMIT; i += 2) {
        const char *value = pairs->names[i + 1];

        HTML(body, "<dt>");
        html_foreign(body, pairs->names[i], TEXT_LIMIT);
        HTML(body, "</dt><dd>");
        if (strlen(value) <= TEXT_LIMIT && html_url_is_good(value)) {
            HTML(body, "<a rel=\"nofollow noopener noreferrer\" href=\"");
            (void)html_url(body, value);
            HTML(body, "\">");
            html_foreign(body, value, TEXT_LIMIT);
            HTML(body, "</a>");
        } else {
            html_foreign(body, value, TEXT_LIMIT);
        }
        HTML(body, "</dd>");
    }
    HTML(body, "</dl>");
}

void image_add_configuration(struct image_view *image)
{
    struct view *view = image->view;
    struct html *body = &view->body;
    const struct image_config *config = &image->config;
    const struct description *description = &image->shown.description;

    if (!image->has_config) {
        if (description->kind == KIND_IMAGE && description->config.size > PORTRAIT_CONFIG_LIMIT) {
            HTML(body,
                 "<p class=\"note\">The configuration is longer than what is shown here.</p>");
        } else if (description->kind == KIND_IMAGE) {
            HTML(body, "<p class=\"note\">The configuration is not here, or nothing that is "
                       "understood.</p>");
        }
        return;
    }
    if (description->kind != KIND_IMAGE) {
        return;
    }
    HTML(body, "<section aria-labelledby=\"configuration\"><h2 id=\"configuration\">Configuration"
               "</h2><dl class=\"pairs\">");
    add_text(body, "Platform", config->platform);
    add_text(body, "Created", config->created);
    add_words(body, "Entrypoint", &config->entrypoint);
    add_words(body, "Command", &config->command);
    add_text(body, "User", config->user);
    add_text(body, "Directory", config->directory);
    add_words(body, "Ports", &config->ports);
    add_words(body, "Volumes", &config->volumes);
    add_text(body, "Stop signal", config->stop_signal);
    add_list(body, "Environment", &config->environment);
    HTML(body, "</dl></section>");
    if (config->labels.count > 0) {
        HTML(body, "<section aria-labelledby=\"labels\"><h2 id=\"labels\">Labels</h2>");
        view_pairs(view, &config->labels);
        HTML(body, "</section>");
    }
}

const struct history_step *image_step(const struct image_config *config, size_t layer)
{
    size_t number = 0;

    for (size_t i = 0; i < config->step_count; i++) {
        if (config->steps[i].is_empty) {
            continue;
        }
        if (number++ == layer) {
            return &config->steps[i];
        }
    }
    return NULL;
}

/* What of a command is of use to who reads it: not what builders put in front. */
static const char *plain_command(const char *command)
{
    static const char *const fronts[] = {"/bin/sh -c #(nop)", "/bin/sh -c", "RUN /bin/sh -c"};

    for (size_t i = 0; i < sizeof(fronts) / sizeof(*fronts); i++) {
        size_t length = strlen(fronts[i]);

        if (strncmp(command, fronts[i], length) == 0) {
            command += length;
            return command + strspn(command, " ");
        }
    }
    return command;
}

/* A bar as wide as the layer is large beside the largest. */
static void add_bar(struct html *body, uint64_t size, uint64_t largest)
{
    double part = largest > 0 ? (double)size * 100 / (double)largest : 0;

    HTML(body, "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" "
               "aria-hidden=\"true\" focusable=\"false\"><rect class=\"rail\" width=\"100\" "
               "height=\"8\" rx=\"1\">"
               "</rect><rect class=\"fill\" height=\"8\" rx=\"1\" width=\"");
    html_digits(body, part < 1 ? 1 : (uint64_t)part);
    HTML(body, "\"></rect></svg>");
}

/* Which other images of the repository have the layer. */
static void add_shared(struct image_view *image, size_t number)
{
    struct html *body = &image->view->body;
    const struct shared_layer *shared = image->shared ? &image->shared[number] : NULL;

    if (!shared || shared->count == 0) {
        return;
    }
    HTML(body, "<span class=\"shared\">also in ");
    html_text(body, shared->tag);
    if (shared->count > 1) {
        HTML(body, " and ");
        html_number(body, shared->count - 1);
        HTML(body, " more");
    }
    HTML(body, "</span>");
}

static void add_layer(struct image_view *image, size_t number, uint64_t largest)
{
    struct html *body = &image->view->body;
    const struct description_part *part = &image->shown.description.parts[number];
    const struct history_step *step = image->has_config ? image_step(&image->config, number) : NULL;

    HTML(body, "<tr><td class=\"count\">");
    html_number(body, number + 1);
    HTML(body, "</td><td class=\"command\">");
    if (step && *step->command) {
        HTML(body, "<code>");
        html_foreign(body, plain_command(step->command), COMMAND_LIMIT);
        HTML(body, "</code>");
    } else if (*part->title) {
        html_foreign(body, part->title, COMMAND_LIMIT);
    } else {
        html_foreign(body, part->media_type, COMMAND_LIMIT);
    }
    HTML(body, "<span class=\"digest\">");
    view_short_digest(image->view, &part->digest);
    HTML(body, "</span>");
    add_shared(image, number);
    HTML(body, "</td><td class=\"size\">");
    html_bytes(body, part->size);
    add_bar(body, part->size, largest);
    HTML(body, "</td></tr>");
}

void image_add_layers(struct image_view *image)
{
    struct view *view = image->view;
    struct html *body = &view->body;
    const struct description *description = &image->shown.description;
    uint64_t largest = 0;

    if (description->part_count == 0 || description->kind == KIND_INDEX) {
        return;
    }
    for (size_t i = 0; i < description->part_count; i++) {
        largest = description->parts[i].size > largest ? description->parts[i].size : largest;
    }
    HTML(body, "<section aria-labelledby=\"layers\"><h2 id=\"layers\">Layers");
    if (image->portrait.description.kind == KIND_INDEX && image->has_config) {
        HTML(body, " <span class=\"dim\">of ");
        html_foreign(body, image->config.platform, PLATFORM_SIZE);
        HTML(body, "</span>");
    }
    HTML(body, "</h2><div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Layers\">"
               "<table class=\"layers\"><thead><tr><th scope=\"col\" class=\"count\">#</th>"
               "<th scope=\"col\">Made by</th><th scope=\"col\" class=\"size\">Size</th></tr>"
               "</thead><tbody>");
    for (size_t i = 0; i < description->part_count; i++) {
        add_layer(image, i, largest);
    }
    HTML(body, "</tbody></table></div></section>");
}
