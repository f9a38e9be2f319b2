/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "lib/base/text.h"
#include "lib/configuration/judge.h"
#include "lib/http/url.h"
#include "lib/registry/identity.h"

/* Each question returns whether there is nothing to be said. */
struct judge {
    const struct registry_options *registry;
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

static bool judge_say_of_issuer(struct judge *judge, size_t element, const char *key,
                                const char *what)
{
    *judge->place = (struct section_place){.section = "issuer", .element = element, .key = key};
    buffer_format(judge->message, "[issuer %s] %s", judge->options->issuers[element].name, what);
    return false;
}

/* A token server has its keys here, and clients are sent to one at most. */
static bool judge_token_server(struct judge *judge, size_t element)
{
    const struct issuer_options *issuer = &judge->options->issuers[element];
    struct url url;

    if (issuer->kind == ISSUER_OIDC) {
        return (!issuer->certificates && !issuer->realm) ||
               judge_say_of_issuer(judge, element, issuer->realm ? "realm" : "certificates",
                                   "has what only a token server for registries has: write 'kind = "
                                   "registry-token', or take the line out");
    }
    if (!issuer->certificates == !issuer->jwks_file) {
        return judge_say_of_issuer(judge, element, "kind",
                                   "needs the keys of its token server: add 'certificates = "
                                   "/path' or 'jwks_file = /path', one of them");
    }
    if (issuer->realm && (!url_parse(issuer->realm, &url) || strpbrk(issuer->realm, "\"\\ "))) {
        return judge_say_of_issuer(judge, element, "realm",
                                   "has a realm that is no address: write one such as "
                                   "https://auth.example.org/token");
    }
    return !issuer->realm || access_find_realm(judge->options) == issuer ||
           judge_say_of_issuer(judge, element, "realm",
                               "has a realm, and another section has one: clients are sent to one "
                               "token server only");
}

/* It can be asked for its keys, or has been. */
static bool judge_issuer(struct judge *judge, size_t element)
{
    const struct issuer_options *issuer = &judge->options->issuers[element];
    struct url url;

    if (judge->options->mode == ACCESS_NONE) {
        return judge_say_of_issuer(judge, element, NULL,
                                   "lets somebody log in where nobody does: write 'mode = "
                                   "htpasswd' in [authentication], or take the section out");
    }
    if (!judge_token_server(judge, element)) {
        return false;
    }
    if (!*issuer->url || (!issuer->jwks_file && !issuer->certificates &&
                          (!url_parse(issuer->url, &url) || strpbrk(issuer->url, "?# ")))) {
        return judge_say_of_issuer(judge, element, "url",
                                   "has no address that can be asked for its keys: write one such "
                                   "as https://gitlab.example.org, or add a jwks_file");
    }
    if (!*issuer->audience || strpbrk(issuer->audience, "\"\\")) {
        return judge_say_of_issuer(judge, element, "audience",
                                   "has no audience: write the one that its tokens are made for");
    }
    return *issuer->name_claim ||
           judge_say_of_issuer(judge, element, "name_claim",
                               "has no name_claim: write 'name_claim = sub'");
}

/* Whether whoever a rule names can ever log in: a robot may, and whom a section knows. */
static bool judge_has_issuer(const struct judge *judge, const char *whom)
{
    AUTO_BUFFER struct buffer name = BUFFER_INIT;

    buffer_add(&name, whom, strcspn(whom, "/"));
    return !strchr(whom, '/') || text_begins(whom, SUBJECT_ROBOT_PREFIX) ||
           access_find_issuer(judge->options, name.data);
}

static bool judge_group(struct judge *judge, size_t element)
{
    const struct rules_group *group = &judge->options->rules.groups[element];

    for (size_t i = 0; i < group->members.names.count; i++) {
        const char *member = group->members.names.names[i];

        if (!judge_has_issuer(judge, member)) {
            *judge->place =
                (struct section_place){.section = "group", .element = element, .key = "members"};
            buffer_format(judge->message,
                          "[group %s] names an issuer that is not there, '%s': add [issuer %.*s]",
                          group->name, member, (int)strcspn(member, "/"), member);
            return false;
        }
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
        if (!judge_has_issuer(judge, whom)) {
            (void)judge_say_of_rule(judge, element, key);
            buffer_format(judge->message,
                          "names an issuer that is not there, '%s': add [issuer %.*s]", whom,
                          (int)strcspn(whom, "/"), whom);
            return false;
        }
    }
    return true;
}

/* One that never matches takes nothing away where it should. */
static bool judge_spelling(struct judge *judge, size_t element, const char *pattern)
{
    AUTO_BUFFER struct buffer cure = BUFFER_INIT;
    bool excludes = *pattern == '!';

    if (identity_pattern_is_canonical(pattern + excludes, &judge->registry->proxy, &cure)) {
        return true;
    }
    (void)judge_say_of_rule(judge, element, "repositories");
    buffer_format(judge->message, "has '%s', which no repository is called here: write '%s%s'",
                  pattern, excludes ? "!" : "", cure.data);
    return false;
}

static bool judge_repositories(struct judge *judge, size_t element)
{
    const struct names *names = &judge->options->rules.sections[element].repositories.names;

    bool has_any = false;

    for (size_t i = 0; i < names->count; i++) {
        if (!judge_spelling(judge, element, names->names[i])) {
            return false;
        }
        has_any |= *names->names[i] != '!';
    }
    if (has_any) {
        return true;
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

bool judge_access(const struct registry_options *registry, struct section_place *out_place,
                  struct buffer *out_message)
{
    const struct access_options *options = &registry->access;
    struct judge judge = {
        .registry = registry, .options = options, .place = out_place, .message = out_message};

    if (!judge_mode(&judge)) {
        return false;
    }
    for (size_t i = 0; i < options->issuer_count; i++) {
        if (!judge_issuer(&judge, i)) {
            return false;
        }
    }
    for (size_t i = 0; i < options->rules.group_count; i++) {
        if (!judge_group(&judge, i)) {
            return false;
        }
    }
    for (size_t i = 0; i < options->rules.section_count; i++) {
        if (!judge_rule(&judge, i)) {
            return false;
        }
    }
    return true;
}
