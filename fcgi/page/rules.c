/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "fcgi/page/view.h"
#include "lib/base/json.h"
#include "lib/base/text.h"

/*
 * What the configuration says of the tags of a repository: which of them retention keeps, and which
 * stay what they are. Of a section its name and what it keeps, and not of which repositories:
 * others need not know what these are called.
 */

static void add_patterns(struct buffer *out, const struct names *patterns)
{
    for (size_t i = 0; i < patterns->count; i++) {
        buffer_format(out, "%s%s", i > 0 ? ", " : "", patterns->names[i]);
    }
}

static void add_within(struct buffer *out, const char *what, uint64_t seconds)
{
    if (seconds > 0) {
        buffer_format(out, "%s%s within ", out->length > 0 ? "; " : "", what);
        text_add_seconds(seconds, out);
    }
}

/* "v*, latest; the 20 pushed last; pulled within 90 d" */
static void describe_section(const struct retention_section *section, struct buffer *out)
{
    add_patterns(out, &section->keep_tags.names);
    if (section->keep_newest > 0) {
        buffer_format(out, "%sthe %" PRIu64 " pushed last", out->length > 0 ? "; " : "",
                      section->keep_newest);
    }
    add_within(out, "pushed", section->keep_pushed_within);
    add_within(out, "pulled", section->keep_pulled_within);
}

static void add_section(struct html *body, const struct retention_section *section)
{
    AUTO_BUFFER struct buffer keeps = BUFFER_INIT;
    AUTO_BUFFER struct buffer tags = BUFFER_INIT;

    describe_section(section, &keeps);
    HTML(body, "<dt><code>[retention ");
    html_text(body, section->name);
    HTML(body, "]</code></dt><dd>");
    if (section->tags.names.count > 0) {
        add_patterns(&tags, &section->tags.names);
        HTML(body, "of the tags ");
        html_text(body, tags.data);
        HTML(body, ": ");
    }
    html_text(body, keeps.data);
    HTML(body, "</dd>");
}

void view_rules(struct view *view)
{
    struct html *body = &view->body;
    const struct registry_options *options = view->exchange->caller.options;
    const struct repository *repository = view_repository(view);
    const struct retention *retention = &options->collect.retention;
    const struct names *immutable = &repository->store->options->immutable_tags;
    AUTO_BUFFER struct buffer patterns = BUFFER_INIT;

    if (view->exchange->source.is_proxied ||
        (immutable->count == 0 && !retention_is_about(retention, repository->name))) {
        return;
    }
    HTML(body, "<section aria-labelledby=\"rules\"><h2 id=\"rules\">Tags that stay</h2>"
               "<dl class=\"pairs\">");
    for (size_t i = 0; i < retention->section_count; i++) {
        if (retention_section_is_about(&retention->sections[i], repository->name)) {
            add_section(body, &retention->sections[i]);
        }
    }
    if (immutable->count > 0) {
        add_patterns(&patterns, immutable);
        HTML(body, "<dt><code>immutable_tags</code></dt><dd>");
        html_text(body, patterns.data);
        HTML(body, "</dd>");
    }
    HTML(body, "</dl></section>");
}

static void write_patterns_json(struct buffer *out, const char *key, const struct names *patterns)
{
    json_open_array(out, key);
    for (size_t i = 0; i < patterns->count; i++) {
        json_text(out, NULL, patterns->names[i]);
    }
    json_close_array(out);
}

void view_rules_json(struct view *view)
{
    struct buffer *out = &view->bytes;
    const struct repository *repository = view_repository(view);
    const struct retention *retention = &view->exchange->caller.options->collect.retention;

    if (view->exchange->source.is_proxied) {
        return;
    }
    json_open_array(out, "retention");
    for (size_t i = 0; i < retention->section_count; i++) {
        const struct retention_section *section = &retention->sections[i];
        AUTO_BUFFER struct buffer keeps = BUFFER_INIT;

        if (!retention_section_is_about(section, repository->name)) {
            continue;
        }
        describe_section(section, &keeps);
        json_open_object(out, NULL);
        json_text(out, "name", section->name);
        write_patterns_json(out, "tags", &section->tags.names);
        json_text(out, "keeps", keeps.data);
        json_close_object(out);
    }
    json_close_array(out);
    write_patterns_json(out, "immutableTags", &repository->store->options->immutable_tags);
}
