/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/layout_tree.h"

#include <stddef.h>

#define TREE_END                                                                                   \
    {                                                                                              \
        .name = NULL                                                                               \
    }
#define TREE(...)                                                                                  \
    (const struct layout_tree[])                                                                   \
    {                                                                                              \
        {__VA_ARGS__}, TREE_END                                                                    \
    }

/* ALGORITHM/DIGITS, which is a file. */
#define NOTES(a_thing)                                                                             \
    TREE(.names = NAMES_ALGORITHMS, .below = TREE(.names = NAMES_DIGITS, .thing = (a_thing)))
/* ALGORITHM/DIGITS/link */
#define LINKS(a_thing)                                                                             \
    TREE(.names = NAMES_ALGORITHMS,                                                                \
         .below = TREE(.names = NAMES_DIGITS, .thing = (a_thing),                                  \
                       .below = TREE(.name = "link", .thing = (a_thing))))

static const struct layout_tree layout_of_a_tag[] = {
    {.name = "current", .thing = THING_TAG, .below = TREE(.name = "link", .thing = THING_TAG)},
    {.name = "index", .is_note = true, .below = LINKS(THING_TAG_INDEX)},
    {.name = "_pulled", .is_note = true, .thing = THING_PULLED},
    TREE_END,
};

static const struct layout_tree layout_of_manifests[] = {
    {.name = "revisions", .below = LINKS(THING_REVISION)},
    {.name = "tags",
     .below = TREE(.names = NAMES_TAGS, .thing = THING_TAG, .below = layout_of_a_tag)},
    {.name = "_pulled", .is_note = true, .below = NOTES(THING_PULLED)},
    {.name = "_retired", .is_note = true, .below = NOTES(THING_RETIRED)},
    TREE_END,
};

const struct layout_tree layout_of_a_repository[] = {
    {.name = "_layers", .below = LINKS(THING_LAYER)},
    {.name = "_manifests", .below = layout_of_manifests},
    {.name = "_history",
     .is_note = true,
     .below = TREE(.names = NAMES_TAGS, .thing = THING_HISTORY)},
    {.name = "_referrers",
     .is_note = true,
     .below = TREE(.names = NAMES_ALGORITHMS,
                   .below = TREE(.names = NAMES_DIGITS,
                                 .below = TREE(.names = NAMES_DIGESTS, .thing = THING_REFERRER)))},
    {.name = "_media_types", .is_note = true, .below = NOTES(THING_TYPE)},
    TREE_END,
};

bool layout_tree_is_end(const struct layout_tree *tree)
{
    return !tree->name && tree->names == NAMES_FIXED;
}
