/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/rules.h"

#include <string.h>

#include "lib/base/text.h"
#include "lib/oci/pattern.h"

#define ANONYMOUS "anonymous"
#define AUTHENTICATED "authenticated"

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool rules_name_is_valid(const char *name)
{
    if (!is_letter_or_digit(*name)) {
        return false;
    }
    for (; *name; name++) {
        if (!is_letter_or_digit(*name) && !strchr("._-", *name)) {
            return false;
        }
    }
    return true;
}

/* Of what stands before the '/' in the name of a robot or of somebody whom an issuer knows. */
static bool whom_is_elsewhere(const char *whom)
{
    size_t length = strcspn(whom, "/");

    for (size_t i = 0; i < length; i++) {
        if (!is_letter_or_digit(whom[i]) && !strchr("._-", whom[i])) {
            return false;
        }
    }
    return length > 0 && whom[length] == '/' && whom[length + 1] && strlen(whom) < PATTERN_SIZE &&
           !strchr(whom, '!');
}

bool rules_member_is_valid(const char *member)
{
    struct subject subject;

    if (strcmp(member, ANONYMOUS) == 0 || strcmp(member, AUTHENTICATED) == 0 || *member == '!') {
        return false;
    }
    for (const char *c = member; *c; c++) {
        if ((unsigned char)*c <= 0x20 || *c == 0x7f) {
            return false;
        }
    }
    return strchr(member, '/')
               ? whom_is_elsewhere(member)
               : !strchr(member, '*') && subject_make(SUBJECT_USER, member, &subject);
}

bool rules_whom_is_valid(const char *whom)
{
    return strcmp(whom, ANONYMOUS) == 0 || strcmp(whom, AUTHENTICATED) == 0 ||
           (*whom == '@' ? rules_name_is_valid(whom + 1) : rules_member_is_valid(whom));
}

const struct rules_group *rules_find_group(const struct rules *rules, const char *name)
{
    for (size_t i = 0; i < rules->group_count; i++) {
        if (strcmp(rules->groups[i].name, name) == 0) {
            return &rules->groups[i];
        }
    }
    return NULL;
}

/* A user is never meant by a pattern, and a pattern never means a user. */
static bool member_is(const char *member, const struct subject *subject)
{
    switch (subject->kind) {
    case SUBJECT_ANONYMOUS:
        return false;
    case SUBJECT_USER:
        return strcmp(member, subject->name) == 0;
    case SUBJECT_ROBOT:
    case SUBJECT_ISSUER:
        return strchr(member, '/') && pattern_matches(member, subject->name, NULL);
    }
    return false;
}

static bool whom_is(const struct rules *rules, const char *whom, const struct subject *subject)
{
    const struct rules_group *group = NULL;

    if (strcmp(whom, ANONYMOUS) == 0) {
        return true;
    }
    if (strcmp(whom, AUTHENTICATED) == 0) {
        return subject->kind != SUBJECT_ANONYMOUS;
    }
    if (*whom != '@') {
        return member_is(whom, subject);
    }
    group = rules_find_group(rules, whom + 1);
    for (size_t i = 0; group && i < group->members.names.count; i++) {
        if (member_is(group->members.names.names[i], subject)) {
            return true;
        }
    }
    return false;
}

/* Which of them he is; NULL: none. */
static const char *list_find(const struct rules *rules, const struct rules_list *list,
                             const struct subject *subject)
{
    for (size_t i = 0; i < list->names.count; i++) {
        if (whom_is(rules, list->names.names[i], subject)) {
            return list->names.names[i];
        }
    }
    return NULL;
}

/* The keys of a section that give a right: any of them does. */
struct giving {
    const char *keys[2];
    const struct rules_list *lists[2];
    size_t count;
};

static void giving_add(struct giving *giving, const char *key, const struct rules_list *list)
{
    if (list->names.count > 0) {
        giving->keys[giving->count] = key;
        giving->lists[giving->count++] = list;
    }
}

static struct giving section_giving(const struct rules_section *section, enum right right)
{
    struct giving giving = {.count = 0};

    switch (right) {
    case RIGHT_PULL:
        giving_add(&giving, "pull", &section->pull);
        giving_add(&giving, "push", &section->push);
        break;
    case RIGHT_PUSH:
        giving_add(&giving, "push", &section->push);
        break;
    case RIGHT_OVERWRITE:
        giving_add(&giving, "overwrite", &section->overwrite);
        if (giving.count == 0) {
            giving_add(&giving, "push", &section->push);
        }
        break;
    case RIGHT_DELETE:
        giving_add(&giving, "delete", &section->delete);
        break;
    }
    return giving;
}

/* What a section that has the repository says; the best reason so far is in `decision`. */
static void section_judge(const struct rules *rules, const struct rules_section *section,
                          const struct subject *subject, enum right right,
                          struct decision *decision)
{
    struct giving giving = section_giving(section, right);

    for (size_t i = 0; i < giving.count; i++) {
        const char *whom = list_find(rules, giving.lists[i], subject);

        if (whom || decision->reason != DECISION_NOT_AMONG) {
            *decision = (struct decision){.is_granted = whom != NULL,
                                          .reason = whom ? DECISION_GRANTED : DECISION_NOT_AMONG,
                                          .section = section,
                                          .key = giving.keys[i],
                                          .whom = whom,
                                          .line = giving.lists[i]->line};
        }
        if (whom) {
            return;
        }
    }
    if (giving.count == 0 && decision->reason == DECISION_NO_SECTION) {
        decision->reason = DECISION_NOT_GIVEN;
        decision->section = section;
        decision->line = section->repositories.line;
    }
}

/* What a token or a robot is for only takes away, and so it is looked at last. */
static void decision_narrow(struct decision *decision, const struct subject *subject,
                            const char *repository, enum right right)
{
    if (!decision->is_granted) {
        return;
    }
    if (!(subject->narrowed_rights & right)) {
        decision->is_granted = false;
        decision->reason = DECISION_NARROWED_RIGHTS;
    } else if (*subject->narrowed_names &&
               !patterns_match_text(subject->narrowed_names, repository, subject->name)) {
        decision->is_granted = false;
        decision->reason = DECISION_NARROWED_NAMES;
    }
}

void rules_judge(const struct rules *rules, const struct subject *subject, const char *repository,
                 enum right right, struct decision *out)
{
    const char *user = subject->kind == SUBJECT_USER ? subject->name : NULL;
    struct decision decision = {.reason = DECISION_NO_SECTION};

    if (rules->section_count == 0) {
        decision.is_granted = subject->kind != SUBJECT_ANONYMOUS;
        decision.reason = decision.is_granted ? DECISION_GRANTED_TO_ALL : DECISION_NOBODY;
    }
    for (size_t i = 0; i < rules->section_count && !decision.is_granted; i++) {
        const struct rules_section *section = &rules->sections[i];

        if (patterns_match(&section->repositories.names, repository, user)) {
            section_judge(rules, section, subject, right, &decision);
        }
    }
    decision_narrow(&decision, subject, repository, right);
    *out = decision;
}

bool rules_subject(const char *name, struct subject *out)
{
    if (!*name || strcmp(name, ANONYMOUS) == 0) {
        *out = subject_anonymous();
        return true;
    }
    return subject_make(!strchr(name, '/')                        ? SUBJECT_USER
                        : text_begins(name, SUBJECT_ROBOT_PREFIX) ? SUBJECT_ROBOT
                                                                  : SUBJECT_ISSUER,
                        name, out);
}

const char *right_word(enum right right)
{
    switch (right) {
    case RIGHT_PULL:
        return "pull";
    case RIGHT_PUSH:
        return "push";
    case RIGHT_OVERWRITE:
        return "overwrite";
    case RIGHT_DELETE:
        return "delete";
    }
    return "";
}

void decision_explain(const struct decision *decision, enum right right, struct buffer *out)
{
    const char *name = decision->section ? decision->section->name : "";
    const char *word = right_word(right);

    switch (decision->reason) {
    case DECISION_GRANTED:
        buffer_format(out, "[access %s] gives it by '%s = %s'", name, decision->key,
                      decision->whom);
        break;
    case DECISION_GRANTED_TO_ALL:
        buffer_add_text(out, "there is no [access] section: whoever has logged in may");
        break;
    case DECISION_NOBODY:
        buffer_add_text(out, "there is no [access] section: one has to log in");
        break;
    case DECISION_NO_SECTION:
        buffer_add_text(out, "no [access] section is for this repository");
        break;
    case DECISION_NOT_GIVEN:
        buffer_format(out, "[access %s] is for this repository and gives %s to nobody", name, word);
        break;
    case DECISION_NOT_AMONG:
        buffer_format(out, "[access %s] gives %s to others", name, word);
        break;
    case DECISION_NARROWED_RIGHTS:
        buffer_format(out, "what was logged in with is not for %s", word);
        break;
    case DECISION_NARROWED_NAMES:
        buffer_add_text(out, "what was logged in with is not for this repository");
        break;
    case DECISION_NARROWED_SCOPES:
        buffer_format(out, "the token is not for %s here", word);
        break;
    }
}
