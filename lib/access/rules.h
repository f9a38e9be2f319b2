/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_RULES_H
#define ACCESS_RULES_H

/*
 * Who may do what to which repository: the sections [access NAME] and [group NAME].
 *
 * A section gives rights to whom it names, for the repositories that its patterns have (see
 * pattern.h; within one section `!pattern` excludes). Rights add up over all sections, in any
 * order; what nobody is given, nobody has. Who may push may pull. Who may push may also move tags,
 * unless the section says with `overwrite` who may. Without any section whoever has logged in may
 * do everything, and others nothing.
 *
 * Whom: `anonymous` is everybody, `authenticated` everybody who has logged in; a user's name; a
 * group's with '@' in front; "robot/NAME"; "ISSUER/…", both of which may be patterns.
 *
 * Pure: names only are judged, never what exists.
 */

#include <stdbool.h>
#include <stddef.h>

#include "lib/access/subject.h"
#include "lib/base/buffer.h"
#include "lib/base/names.h"

/* The value of a key, and where it stands. */
struct rules_list {
    struct names names; /* none: the key is not there */
    unsigned line;      /* in the configuration */
};

struct rules_section {
    char *name;
    struct rules_list repositories;
    struct rules_list pull;
    struct rules_list push;
    struct rules_list overwrite;
    struct rules_list delete;
};

struct rules_group {
    char *name;
    struct rules_list members; /* no groups, and neither of the two words */
};

struct rules {
    struct rules_section *sections;
    size_t section_count;
    struct rules_group *groups;
    size_t group_count;
};

/* The name of a section or a group. */
bool rules_name_is_valid(const char *name);
/* What can stand behind `pull =` and the like; whether a group is there is not looked at. */
bool rules_whom_is_valid(const char *whom);
bool rules_member_is_valid(const char *member);
/* NULL if there is none. */
const struct rules_group *rules_find_group(const struct rules *rules, const char *name);

enum decision_reason {
    DECISION_GRANTED,         /* by `section`, `key`, and there by `whom` */
    DECISION_GRANTED_TO_ALL,  /* who have logged in: there are no sections */
    DECISION_NOBODY,          /* there are no sections, and he has not logged in */
    DECISION_NO_SECTION,      /* none has the repository */
    DECISION_NOT_GIVEN,       /* those that have it do not give it to anybody; `section` is one */
    DECISION_NOT_AMONG,       /* `section` and `key` give it to others */
    DECISION_NARROWED_RIGHTS, /* granted, but what he logged in with is not for this right */
    DECISION_NARROWED_NAMES,  /* granted, but it is not for this repository */
    DECISION_NARROWED_SCOPES, /* granted, but his token is not for both: another one may be */
};

struct decision {
    bool is_granted;
    enum decision_reason reason;
    const struct rules_section *section; /* or NULL */
    const char *key;                     /* "push", or NULL */
    const char *whom;                    /* as it stands there, or NULL */
    unsigned line;                       /* of the key, else of the section's repositories; 0 */
};

/* `right` is one right. What is found points into the rules. */
void rules_judge(const struct rules *rules, const struct subject *subject, const char *repository,
                 enum right right, struct decision *out);

/*
 * Somebody by the name that rules have for him, without looking whether there is such a one; "" and
 * "anonymous" are nobody. False: no name of anybody's. For questions alone: nobody logs in by it.
 */
bool rules_subject(const char *name, struct subject *out);

/* "pull", "push", "overwrite", "delete". */
const char *right_word(enum right right);

/*
 * Adds why, for whoever asked: "[access team] gives push to others". Whom it gives it to is nobody
 * else's business.
 */
void decision_explain(const struct decision *decision, enum right right, struct buffer *out);

#endif
