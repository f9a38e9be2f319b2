/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIGURATION_VALUE_H
#define CONFIGURATION_VALUE_H

/*
 * The values of keys: from text to a member of an options structure, and back. What a member's type
 * has to be follows from the kind; VALUE() refuses to compile otherwise.
 *
 * To add a kind: a line in the enumeration and its VALUE_TYPE_…, a case in each of the functions
 * (they have no `default`: the compiler lists them), a row in
 * tests/unit/test_configuration_value.c.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buffer.h"
#include "lib/base/names.h"

enum value_kind {
    VALUE_TEXT,
    VALUE_PATH,           /* made absolute */
    VALUE_OPTIONAL_PATH,  /* "": none */
    VALUE_URL,            /* http or https, without a path */
    VALUE_OPTIONAL_URL,   /* "": none */
    VALUE_HOST,           /* of a registry, or its alias, with a port or without; "": none */
    VALUE_HOSTS,          /* some of them with commas between them, or * */
    VALUE_LIST,           /* items with commas between them */
    VALUE_ITEMS,          /* the same, at least one, all of a form */
    VALUE_OPTIONAL_ITEMS, /* the same, or none: "" */
    VALUE_FAMILY,         /* of a key such as require.NAME, for any names: "NAME=VALUE" each */
    VALUE_BOOLEAN,        /* yes or no */
    VALUE_NUMBER,
    VALUE_BYTES,   /* with a unit: 4M */
    VALUE_SECONDS, /* with a unit: 7d */
    VALUE_AGE,     /* the same, from which on something goes; 0 is "keep" */
    VALUE_CHOICE,  /* one of some words: an enumeration from 0 on */
};

#define VALUE_TYPE_TEXT char *
#define VALUE_TYPE_PATH char *
#define VALUE_TYPE_OPTIONAL_PATH char *
#define VALUE_TYPE_URL char *
#define VALUE_TYPE_OPTIONAL_URL char *
#define VALUE_TYPE_HOST char *
#define VALUE_TYPE_HOSTS char *
#define VALUE_TYPE_LIST struct names
#define VALUE_TYPE_ITEMS struct names
#define VALUE_TYPE_OPTIONAL_ITEMS struct names
#define VALUE_TYPE_FAMILY struct names
#define VALUE_TYPE_BOOLEAN bool
#define VALUE_TYPE_NUMBER uint64_t
#define VALUE_TYPE_BYTES uint64_t
#define VALUE_TYPE_SECONDS uint64_t
#define VALUE_TYPE_AGE uint64_t

/* What is allowed. */
struct value_form {
    enum value_kind kind;
    const char *const *choices; /* of VALUE_CHOICE, by their numbers; the last one is NULL */
    uint64_t minimum;           /* of numbers, bytes, seconds */
    uint64_t maximum;           /* 0: any */
    bool (*item_is_valid)(const char *item); /* of items and VALUE_FAMILY */
    const char *items;                       /* what these are: "names such as a, b" */
};

/* 0, unless the condition does not hold: then it does not compile. */
#define VALUE_CHECK(condition) (0 * sizeof(char[(condition) ? 1 : -1]))
#define VALUE_MEMBER(structure, member) __typeof__(((structure *)0)->member)

/* For a struct key: the form without its limits, and where the value lives in the structure. */
#define VALUE(the_kind, structure, member)                                                         \
    .form.kind = VALUE_##the_kind,                                                                 \
    .offset = offsetof(structure, member) +                                                        \
              VALUE_CHECK(__builtin_types_compatible_p(VALUE_MEMBER(structure, member),            \
                                                       VALUE_TYPE_##the_kind))
#define VALUE_OF_CHOICE(structure, member, words)                                                  \
    .form.kind = VALUE_CHOICE, .form.choices = (words),                                            \
    .offset = offsetof(structure, member) +                                                        \
              VALUE_CHECK(sizeof(VALUE_MEMBER(structure, member)) == sizeof(unsigned))

/*
 * Replaces the value at `target`. Relative paths are relative to the directory of `file`, which is
 * absolute; links are not resolved, since a directory need not exist yet. False, with the value
 * untouched, if the text is none of that form. What other programs' files would have resolved,
 * quotes around a value and ~ or $ in a path, is of no form.
 */
bool value_set(void *target, const struct value_form *form, const char *file, const char *text);

/* A family has no value of its own: value_set() with "NAME=VALUE" adds a member. Whether there is
 * one of that name. */
bool value_has_member(const void *value, const char *name);

/*
 * Adds what would do instead of a text that value_set() refused, for a message in front of it: "yes
 * or no is expected, not".
 */
void value_expect(const struct value_form *form, const char *text, struct buffer *out);

/* A text, VALUE_ITEMS or a family that were never set are not there; everything else always is. */
bool value_is_set(const void *value, const struct value_form *form);

/* Adds the text that means this value. */
void value_print(const void *value, const struct value_form *form, struct buffer *out);

/* Frees what value_set() allocated. */
void value_release(void *value, const struct value_form *form);

#endif
