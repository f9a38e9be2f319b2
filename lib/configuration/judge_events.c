/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/configuration/judge.h"
#include "lib/http/url.h"
#include "lib/registry/identity.h"

/* One that is never met is a receiver that waits for ever. */
static bool judge_patterns(const struct names *patterns, const struct proxy_options *proxy,
                           struct buffer *out_message)
{
    bool has_any = patterns->count == 0;

    for (size_t i = 0; i < patterns->count; i++) {
        AUTO_BUFFER struct buffer cure = BUFFER_INIT;
        const char *pattern = patterns->names[i];
        bool excludes = *pattern == '!';

        if (!identity_pattern_is_canonical(pattern + excludes, proxy, &cure)) {
            buffer_format(out_message, "has '%s', which no repository is called here: write '%s%s'",
                          pattern, excludes ? "!" : "", cure.data);
            return false;
        }
        has_any |= !excludes;
    }
    if (!has_any) {
        buffer_add_text(out_message, "excludes repositories and has none: write '**' in front, for "
                                     "all others");
    }
    return has_any;
}

bool judge_events(const struct events_options *events, const struct proxy_options *proxy,
                  struct section_place *out_place, struct buffer *out_message)
{
    for (size_t i = 0; i < events->webhook_count; i++) {
        const struct webhook_options *webhook = &events->webhooks[i];
        struct url url;

        *out_place = (struct section_place){.section = "webhook", .element = i, .key = "url"};
        buffer_clear(out_message);
        buffer_format(out_message, "[webhook %s] ", webhook->name);
        if (!url_parse(webhook->url, &url)) {
            buffer_add_text(out_message, "has a url that is none: write one such as "
                                         "'https://ci.example.org/hook', without a user in it");
            return false;
        }
        out_place->key = "repositories";
        if (!judge_patterns(&webhook->repositories, proxy, out_message)) {
            return false;
        }
    }
    return true;
}
