/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_PATTERN_H
#define OCI_PATTERN_H

/*
 * Patterns of names, anchored at both ends:
 *
 *   *       any part of a component: with one behind "team/" it has "team/app" alone
 *   **      any part of a name: with two, "team/app/debug" as well, but not "team"; at the
 *           beginning of a component and with a '/' behind: none, one or several whole components
 *   {user}  as a component: the name of the user who asks, if it has no '/'
 *
 * Everything else means itself, and so does what a user is called. The time is bounded by the
 * length of the pattern times that of the name, whatever they are.
 *
 * In a list `!pattern` excludes: a list has a name that at least one of the others has, and none
 * that is excluded, in whatever order they stand.
 */

#include <stdbool.h>

#include "lib/base/names.h"

enum { PATTERN_SIZE = 256 }; /* bytes, with a NUL */

/* Whether a name of a repository can be like that. A '!' in front belongs to the list, not to it.
 */
bool pattern_is_valid(const char *pattern);
/* The same for a tag. */
bool pattern_is_valid_for_tags(const char *pattern);

/* `user` is whom {user} stands for; NULL, or one that is no component: for nobody. */
bool pattern_matches(const char *pattern, const char *name, const char *user);

/* The same for lists, which may have '!'. */
bool patterns_match(const struct names *patterns, const char *name, const char *user);
/* Of a text with commas between them. */
bool patterns_match_text(const char *patterns, const char *name, const char *user);

#endif
