/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/subject.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/character.h"
#include "lib/base/text.h"

struct subject subject_anonymous(void)
{
    return (struct subject){.kind = SUBJECT_ANONYMOUS, .narrowed_rights = RIGHT_ALL};
}

/* What can stand in a rule, in a log line and in an error message as it is. */
static bool subject_is_plain(const char *name)
{
    for (; *name; name++) {
        if ((unsigned char)*name <= 0x20 || *name == 0x7f || *name == ',') {
            return false;
        }
    }
    return true;
}

static bool subject_fits(enum subject_kind kind, const char *name)
{
    const char *slash = strchr(name, '/');

    switch (kind) {
    case SUBJECT_ANONYMOUS:
        break;
    case SUBJECT_USER:
        return !slash && *name != '@' && !strchr(name, ':');
    case SUBJECT_ROBOT:
        return text_begins(name, SUBJECT_ROBOT_PREFIX) &&
               !strchr(name + strlen(SUBJECT_ROBOT_PREFIX), '/') &&
               name[strlen(SUBJECT_ROBOT_PREFIX)];
    case SUBJECT_ISSUER:
        return slash && slash > name && slash[1] && !text_begins(name, SUBJECT_ROBOT_PREFIX);
    }
    return false;
}

static bool subject_name_is_valid(enum subject_kind kind, const char *name)
{
    return *name && strlen(name) < SUBJECT_NAME_SIZE && subject_is_plain(name) &&
           subject_fits(kind, name);
}

bool subject_user_is_valid(const char *name)
{
    bool is_valid = *name != '#' && subject_name_is_valid(SUBJECT_USER, name);

    for (const char *c = name; is_valid && *c; c += character_length(c)) {
        is_valid = character_is_tame(c);
    }
    return is_valid;
}

bool subject_make(enum subject_kind kind, const char *name, struct subject *out)
{
    struct subject made = {.kind = kind, .narrowed_rights = RIGHT_ALL};

    if (!subject_name_is_valid(kind, name) ||
        !text_copy(made.name, sizeof(made.name), name, strlen(name))) {
        return false;
    }
    *out = made;
    return true;
}

bool subject_add_scope(struct subject *subject, unsigned rights, const char *name)
{
    size_t length = strlen(subject->scopes);
    size_t room = sizeof(subject->scopes) - length;
    int written = snprintf(subject->scopes + length, room, "%u %s\n", rights, name);

    if (strpbrk(name, " \n") || written < 0 || (size_t)written >= room) {
        subject->scopes[length] = '\0';
        return false;
    }
    return true;
}

bool subject_scopes_have(const struct subject *subject, enum right right,
                         bool (*is_repository)(void *context, const char *name), void *context)
{
    const char *cursor = subject->scopes;
    const char *line;
    size_t length;

    while (subject->is_scoped && text_next_item(&cursor, '\n', &line, &length)) {
        size_t digits = strcspn(line, " ");
        AUTO_BUFFER struct buffer name = BUFFER_INIT;
        uint64_t rights = 0;

        buffer_add(&name, line + digits + 1, length - digits - 1);
        if (text_number(line, digits, &rights) && (rights & right) != 0 &&
            is_repository(context, name.data)) {
            return true;
        }
    }
    return !subject->is_scoped;
}

const char *subject_kind_word(enum subject_kind kind)
{
    switch (kind) {
    case SUBJECT_ANONYMOUS:
        return "anonymous";
    case SUBJECT_USER:
        return "user";
    case SUBJECT_ROBOT:
        return "robot";
    case SUBJECT_ISSUER:
        return "issuer";
    }
    return "";
}

const char *subject_proof_word(enum subject_proof proof)
{
    switch (proof) {
    case PROOF_NONE:
        return "none";
    case PROOF_SERVER:
        return "web server";
    case PROOF_SECRET:
        return "password";
    case PROOF_REFRESH:
        return "refresh token";
    case PROOF_TOKEN:
        return "token";
    case PROOF_SESSION:
        return "session";
    }
    return "";
}
