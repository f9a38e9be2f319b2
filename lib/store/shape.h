/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_SHAPE_H
#define STORE_SHAPE_H

/*
 * Whether what lies in a repository can be what its place says: a file that can be read where there
 * should be a file, a directory where there should be one. Anything else (a directory in place of a
 * link, a pipe, a file that the disk does not give back) is of no use, and in the way: a push
 * cannot write there, and a collector cannot tell what is needed.
 *
 * Looks at all names that this program or distribution would use, and at no others. What a file
 * says is not looked at.
 */

#include "lib/store/layout_tree.h"
#include "lib/store/store.h"

/* Something that is not what it should be. */
struct shape_fault {
    struct path path;
    enum layout_thing thing;
    char tag[TAG_SIZE]; /* "" if it is none's */
    struct digest digest;
    struct digest subject;
    bool wants_file;
    bool is_note; /* see lib/store/layout_tree */
    /*
     * Nothing that anybody needs is behind it. Not so of what we may only not look at, nor of a
     * symbolic link where things may lie that others can reach, nor of what a network filesystem
     * does not give back: its server may be away.
     */
    bool may_move;
    struct error what; /* a sentence */
};

struct shape_rules {
    /* Is called for each of them, and may mend it. */
    void (*found)(void *context, const struct shape_fault *fault);
    /* Is called often: false ends the walk. NULL: nobody wants to. */
    bool (*goes_on)(void *context);
    void *context;
};

/* False if it was ended. */
bool shape_look(const struct repository *repository, const struct shape_rules *rules);

/* Looks again, for who holds the lock: whether there is a fault still. May change what is told of
 * it. */
bool shape_is_faulty(const struct store *store, struct shape_fault *fault);

#endif
