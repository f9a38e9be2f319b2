/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "lib/configuration/judge.h"

/* Each question returns whether there is nothing to be said. */
struct judge {
    const struct access_options *options;
    struct section_place *place;
    struct buffer *message;
};

static bool judge_say(struct judge *judge, const char *key, const char *what)
{
    *judge->place = (struct section_place){.section = "authentication", .key = key};
    buffer_add_text(judge->message, what);
    return false;
}

/* A file of passwords that nobody asks for is an open door. */
static bool judge_mode(struct judge *judge)
{
    const struct access_options *options = judge->options;

    switch (options->mode) {
    case ACCESS_NONE:
        return !*options->htpasswd ||
               judge_say(judge, "htpasswd",
                         "there is a password file, and nobody is asked for a password: write "
                         "'mode = htpasswd'");
    case ACCESS_HTPASSWD:
        return *options->htpasswd ||
               judge_say(judge, "mode",
                         "there is no password file: add 'htpasswd = /etc/berth/htpasswd'");
    case ACCESS_WEB_SERVER:
        break;
    }
    return true;
}

static bool judge_say_of_rule(struct judge *judge, size_t element, const char *key)
{
    *judge->place = (struct section_place){.section = "access", .element = element, .key = key};
    buffer_format(judge->message, "[access %s] ", judge->options->rules.sections[element].name);
    return false;
}

static bool judge_whom(struct judge *judge, size_t element, const char *key,
                       const struct rules_list *list)
{
    for (size_t i = 0; i < list->names.count; i++) {
        const char *whom = list->names.names[i];

        if (*whom == '@' && !rules_find_group(&judge->options->rules, whom + 1)) {
            (void)judge_say_of_rule(judge, element, key);
            buffer_format(judge->message,
                          "names a group that is not there, '%s': add [group %s] with its members",
                          whom, whom + 1);
            return false;
        }
    }
    return true;
}

static bool judge_repositories(struct judge *judge, size_t element)
{
    const struct names *names = &judge->options->rules.sections[element].repositories.names;

    for (size_t i = 0; i < names->count; i++) {
        if (*names->names[i] != '!') {
            return true;
        }
    }
    (void)judge_say_of_rule(judge, element, "repositories");
    buffer_add_text(judge->message, "excludes repositories and has none: write '**' in front, for "
                                    "all others");
    return false;
}

static bool judge_rule(struct judge *judge, size_t element)
{
    const struct rules_section *rule = &judge->options->rules.sections[element];

    if (judge->options->mode == ACCESS_NONE) {
        (void)judge_say_of_rule(judge, element, NULL);
        buffer_add_text(judge->message, "rules over nobody, since nobody logs in: write 'mode = "
                                        "htpasswd' in [authentication], or take the section out");
        return false;
    }
    if (rule->pull.names.count + rule->push.names.count + rule->overwrite.names.count +
            rule->delete.names.count ==
        0) {
        (void)judge_say_of_rule(judge, element, NULL);
        buffer_add_text(judge->message, "gives nothing to anybody: add a line such as 'pull = "
                                        "anonymous' or 'push = alice'");
        return false;
    }
    return judge_repositories(judge, element) && judge_whom(judge, element, "pull", &rule->pull) &&
           judge_whom(judge, element, "push", &rule->push) &&
           judge_whom(judge, element, "overwrite", &rule->overwrite) &&
           judge_whom(judge, element, "delete", &rule->delete);
}

bool judge_access(const struct access_options *options, struct section_place *out_place,
                  struct buffer *out_message)
{
    struct judge judge = {.options = options, .place = out_place, .message = out_message};

    if (!judge_mode(&judge)) {
        return false;
    }
    for (size_t i = 0; i < options->rules.section_count; i++) {
        if (!judge_rule(&judge, i)) {
            return false;
        }
    }
    return true;
}
