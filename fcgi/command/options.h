/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_COMMAND_OPTIONS_H
#define FCGI_COMMAND_OPTIONS_H

/*
 * The one parser of command lines. What a command takes is a table; parsing, usage, help and the
 * listing for machines all come from it, and tests compare the manual page with it.
 *
 * To add an option: a number in the enumeration, a row in the command's table; the command asks
 * arguments.has[] or arguments_value(). -c and --help belong to all commands.
 *
 * Names are never abbreviated: what is unique today is ambiguous after the next release. Options
 * may stand before and behind operands; "--" ends them. "--name=value" is "--name value".
 */

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buffer.h"
#include "lib/base/error.h"

enum option_id {
    OPTION_CONFIGURATION,
    OPTION_DROP,
    OPTION_DRY_RUN,
    OPTION_EMPTY_TRASH,
    OPTION_EXPIRES,
    OPTION_FAILED,
    OPTION_FORCE,
    OPTION_HELP,
    OPTION_HISTORY,
    OPTION_JSON,
    OPTION_KEEP,
    OPTION_NO_CONTENT,
    OPTION_OLDER_THAN,
    OPTION_PLATFORM,
    OPTION_RATE,
    OPTION_REPAIR,
    OPTION_REPOSITORIES,
    OPTION_REVOKE,
    OPTION_RIGHTS,
    OPTION_SETUP,
    OPTION_USER,
    OPTION_COUNT
};

struct option_row {
    const char *name;   /* "--json", or "-c" if there is no long one; NULL ends a table */
    const char *letter; /* "-h", or NULL */
    const char *value;  /* what usage calls its value: "FILE"; NULL: it takes none */
    const char *help;
    enum option_id id;
    bool is_repeatable;
};

/* The same for all commands that have it. */
#define OPTION_ROW_JSON                                                                            \
    {                                                                                              \
        .id = OPTION_JSON, .name = "--json", .help = "an object a line, for machines"              \
    }
#define OPTIONS_END                                                                                \
    {                                                                                              \
        .name = NULL                                                                               \
    }

/* Those that every command has. */
extern const struct option_row options_common[];

struct option_value {
    enum option_id id;
    const char *value;
};

struct arguments {
    bool has[OPTION_COUNT];
    struct option_value *values; /* in the order of the command line */
    size_t value_count;
    const char **operands; /* what is no option; NULL at the end */
    size_t operand_count;
};

#define ARGUMENTS_INIT                                                                             \
    {                                                                                              \
        .values = NULL, .operands = NULL                                                           \
    }
#define AUTO_ARGUMENTS AUTO(arguments_release)

/*
 * Adds the options, of `rows` and the common ones, that stand in front of the first operand, and
 * moves *words to it. The words must outlive the arguments. -1, ERROR_REQUEST_INVALID, with a
 * sentence about the word that is wrong.
 */
int arguments_parse_leading(struct arguments *arguments, const struct option_row *rows,
                            char ***words, struct error *error);
/* The same for all words: what is no option is an operand. */
enum options_place {
    OPTIONS_ANYWHERE,
    OPTIONS_FIRST, /* what looks like one behind an operand is an error */
};
int arguments_parse(struct arguments *arguments, const struct option_row *rows, char **words,
                    enum options_place place, struct error *error);
void arguments_release(struct arguments *arguments);

/* The value of that option which was given as the n-th of its kind, from 0; NULL if it was not. */
const char *arguments_value(const struct arguments *arguments, enum option_id id, size_t n);

/* Adds " [--repair] [--platform OS/ARCH]..."; without the common ones. */
void options_add_usage(const struct option_row *rows, struct buffer *out);
/* Adds a line for each: "  --repair   what it does". */
void options_add_help(const struct option_row *rows, struct buffer *out);
/* Adds a JSON array. */
void options_describe(const struct option_row *rows, const char *key, struct buffer *out);

#endif
