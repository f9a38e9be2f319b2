/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIGURATION_SECTION_H
#define CONFIGURATION_SECTION_H

/*
 * Kinds of sections and their keys, as tables, and the one way to read, print and release whatever
 * such a table describes. The tables themselves, with all defaults, are in configuration.c.
 *
 * A plain section ([proxy]) fills members of the structure that is read; the section "" is the top
 * of the file. A named section ([upstream docker.io]) fills an element of an array in it; the
 * elements come in the order of the file. Which it is follows from `element_size`.
 *
 * How to add a key: a member in the options structure of the module that it is for, whose comment
 * says the unit; a row in configuration.c; the key in configuration.ini.example and in the manual
 * page, which tests compare with the tables. A key of a plain section has a default, so that a file
 * that does not name it is complete; only what nobody can guess has an `example` instead, and then
 * has to be there. A key of a named section may have neither: its text is NULL when it is not
 * given.
 *
 * A key of VALUE_FAMILY stands for all that begin like it, up to its dot: `require.CLAIM`.
 *
 * How to add a kind of section: a table of keys and a row in configuration.c. For a named one the
 * element's structure begins with its name (`char *name`), and whoever owns that structure has a
 * function that tells which names are good; SECTION_ARRAY() names the two members of the array.
 *
 * What a key, a name or a value must not be is told by file and line, with what could be meant.
 * What only several keys together can tell (a password without a user) is for the table's judge.
 */

#include "lib/base/error.h"
#include "lib/configuration/value.h"

struct key {
    const char *name; /* NULL ends a table */
    struct value_form form;
    size_t offset;        /* VALUE() sets these two */
    const char *standard; /* the default, as it would be written; NULL: none */
    const char *example;  /* the key has to be there: what could be written */
    bool is_secret;       /* not printed */
    size_t line;          /* LINE() of where the number of its line goes; 0: nowhere */
};

/* For a struct key's `line`: the member of the structure, an unsigned and not its first one. */
#define LINE(structure, member)                                                                    \
    (offsetof(structure, member) +                                                                 \
     VALUE_CHECK(__builtin_types_compatible_p(VALUE_MEMBER(structure, member), unsigned) &&        \
                 offsetof(structure, member) > 0))

struct section_kind {
    /* What stands in brackets, or there in front of the name; "" for the top; NULL ends a table. */
    const char *name;
    const struct key *keys;
    /* Of a named section: */
    bool (*name_is_valid)(const char *name);
    const char *one;  /* for messages: "an upstream" */
    const char *like; /* "docker.io" */
    const char *many; /* "upstreams" */
    size_t limit;     /* how many there may be */
    size_t array;     /* where the pointer to the elements is */
    size_t count;     /* where their number is, a size_t */
    size_t element_size;
};

/* Which line a judge finds fault with: a key's, its section's if the key is not there, or neither.
 */
struct section_place {
    const char *section; /* a kind's name; NULL: the file as a whole */
    size_t element;      /* of a named one */
    const char *key;
};

struct section_table {
    const struct section_kind *kinds;
    /* Looks at values that are each good in themselves. False, with what is wrong and what would do
     * in `out_message`, if they do not go together. NULL: all do. */
    bool (*judge)(const void *values, struct section_place *out_place, struct buffer *out_message);
};

/* The members of the array: `elements` points to structures that begin with `char *name`. */
#define SECTION_ARRAY(structure, elements, the_count)                                              \
    .array = offsetof(structure, elements) +                                                       \
             VALUE_CHECK(offsetof(__typeof__(*((structure *)0)->elements), name) == 0),            \
    .count =                                                                                       \
        offsetof(structure, the_count) +                                                           \
        VALUE_CHECK(__builtin_types_compatible_p(VALUE_MEMBER(structure, the_count), size_t)),     \
    .element_size = sizeof(*((structure *)0)->elements)

/*
 * Reads the text of `file` into `values`, the structure that the offsets are of: zeroed, then with
 * all defaults, then with what the text says. -1 with a message for the operator; what was set by
 * then is the caller's to release.
 */
int sections_read(const struct section_table *table, void *values, const char *file,
                  const struct buffer *text, struct error *error);

/* Adds all keys with their values, in the form of the file and the order of the tables. */
void sections_print(const struct section_kind *kinds, const void *values, struct buffer *out);

/* Adds a JSON array: each kind of section with its keys, defaults and whether they must be there.
 */
void sections_describe(const struct section_kind *kinds, const char *key, struct buffer *out);

/* Frees everything in `values` that the tables know of, and leaves nothing behind. */
void sections_release(const struct section_kind *kinds, void *values);

#endif
