/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_LAYOUT_TREE_H
#define STORE_LAYOUT_TREE_H

/*
 * All that may be in a repository, whoever has put it there, as a tree of places: for who looks
 * whether it is what it should be (lib/store/shape). The paths are those that lib/store/layout
 * makes.
 */

#include <stdbool.h>

enum layout_thing {
    THING_DIRECTORY, /* that things lie in; the others are these things, or a directory of one */
    THING_LAYER,     /* `digest` */
    THING_REVISION,  /* `digest` */
    THING_TAG,       /* `tag` */
    THING_TAG_INDEX, /* `tag` has stood for `digest` */
    THING_HISTORY,   /* of `tag` */
    THING_PULLED,    /* the note of pulls by `tag`, or, without one, by `digest` */
    THING_RETIRED,   /* the note about `digest` */
    THING_REFERRER,  /* `digest`, of `subject` */
    THING_TYPE,      /* the media type of `digest` */
};

/* What names there may be in a directory. */
enum layout_names {
    NAMES_FIXED, /* this one */
    NAMES_ALGORITHMS,
    NAMES_DIGITS,  /* of digests of the algorithm above */
    NAMES_DIGESTS, /* whole ones, and the one above is their subject */
    NAMES_TAGS,
};

/* A place, and what is below it: NULL for a file. */
struct layout_tree {
    const char *name; /* of NAMES_FIXED */
    enum layout_names names;
    enum layout_thing thing;
    bool is_note; /* nothing can be reached through it, and what is below it */
    const struct layout_tree *below;
};

/* Ends with a row that has no name, as all of them do. */
extern const struct layout_tree layout_of_a_repository[];
bool layout_tree_is_end(const struct layout_tree *tree);

#endif
