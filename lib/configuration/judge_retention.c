/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/configuration/judge.h"

#include "lib/base/text.h"

static bool judge_list_has_any(const struct retention_list *list)
{
    for (size_t i = 0; i < list->names.count; i++) {
        if (*list->names.names[i] != '!') {
            return true;
        }
    }
    return list->names.count == 0;
}

/* Adds what is wrong with a section, and which of its keys that is about; "" if nothing is. */
static const char *judge_rule(const struct retention_section *section, struct buffer *out_message)
{
    const struct {
        const char *key;
        const struct retention_list *list;
    } lists[] = {{"repositories", &section->repositories},
                 {"tags", &section->tags},
                 {"keep_tags", &section->keep_tags}};

    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
        if (!judge_list_has_any(lists[i].list)) {
            buffer_format(out_message,
                          "excludes something from its '%s' and has none: write '%s' in front, for "
                          "all others",
                          lists[i].key, i == 0 ? "**" : "*");
            return lists[i].key;
        }
    }
    for (size_t i = 0; i < section->repositories.names.count; i++) {
        if (text_begins(section->repositories.names.names[i], "proxy/")) {
            buffer_format(out_message,
                          "has '%s', but what is cached goes by the 'maximum_age' and "
                          "'maximum_size' of [proxy]: take it out",
                          section->repositories.names.names[i]);
            return "repositories";
        }
    }
    if (!retention_keeps(section)) {
        buffer_add_text(out_message, "keeps nothing, and would delete all tags: add a line such as "
                                     "'keep_newest = 20' or 'keep_tags = v*, latest'");
        return "repositories";
    }
    return "";
}

bool judge_retention(const struct retention *retention, struct section_place *out_place,
                     struct buffer *out_message)
{
    for (size_t i = 0; i < retention->section_count; i++) {
        AUTO_BUFFER struct buffer message = BUFFER_INIT;
        const char *key = judge_rule(&retention->sections[i], &message);

        if (*key) {
            *out_place = (struct section_place){.section = "retention", .element = i, .key = key};
            buffer_format(out_message, "[retention %s] %s", retention->sections[i].name,
                          message.data);
            return false;
        }
    }
    return true;
}
