/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/options.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"

enum { HELP_COLUMN = 26 };

const struct option_row options_common[] = {
    {.id = OPTION_CONFIGURATION,
     .name = "-c",
     .value = "FILE",
     .help = "the configuration, instead of $BERTH_CONFIGURATION or ./configuration.ini"},
    {.id = OPTION_HELP, .name = "--help", .letter = "-h", .help = "this text"},
    OPTIONS_END,
};

/* What a word says: an option, and its value if it is in the same word. */
struct option_word {
    const struct option_row *row; /* NULL: there is no such option */
    const char *value;            /* or NULL */
};

static const struct option_row *option_find(const struct option_row *rows, const char *word,
                                            size_t length)
{
    for (; rows && rows->name; rows++) {
        if ((strlen(rows->name) == length && strncmp(rows->name, word, length) == 0) ||
            (rows->letter && strlen(rows->letter) == length &&
             strncmp(rows->letter, word, length) == 0)) {
            return rows;
        }
    }
    return NULL;
}

static struct option_word option_read(const struct option_row *rows, const char *word)
{
    bool is_long = text_begins(word, "--");
    size_t length = is_long ? strcspn(word, "=") : 2; /* "-cFILE" */
    struct option_word read = {.row = option_find(rows, word, length)};

    if (!read.row) {
        read.row = option_find(options_common, word, length);
    }
    if (word[length]) {
        read.value = word + length + (is_long ? 1 : 0);
    }
    return read;
}

static void arguments_add(struct arguments *arguments, enum option_id id, const char *value)
{
    arguments->values =
        memory_resize(arguments->values, arguments->value_count + 1, sizeof(*arguments->values));
    arguments->values[arguments->value_count++] = (struct option_value){id, value};
}

static void arguments_add_operand(struct arguments *arguments, const char *operand)
{
    arguments->operands = memory_resize(arguments->operands, arguments->operand_count + 2,
                                        sizeof(*arguments->operands));
    arguments->operands[arguments->operand_count++] = operand;
    arguments->operands[arguments->operand_count] = NULL;
}

/* The option at *words, which are moved behind it. */
static int arguments_take(struct arguments *arguments, const struct option_row *rows, char ***words,
                          struct error *error)
{
    const char *word = *(*words)++;
    struct option_word read = option_read(rows, word);

    if (!read.row) {
        return error_set(error, ERROR_REQUEST_INVALID, "unexpected argument '%s'", word);
    }
    if (!read.row->value && read.value) {
        return error_set(error, ERROR_REQUEST_INVALID, "%s takes no value: '%s'", read.row->name,
                         word);
    }
    if (read.row->value) {
        if (!read.value && !**words) {
            return error_set(error, ERROR_REQUEST_INVALID, "%s needs a value: %s", read.row->name,
                             read.row->value);
        }
        if (arguments->has[read.row->id] && !read.row->is_repeatable) {
            return error_set(error, ERROR_REQUEST_INVALID, "%s is there twice", read.row->name);
        }
        arguments_add(arguments, read.row->id, read.value ? read.value : *(*words)++);
    }
    arguments->has[read.row->id] = true;
    return 0;
}

static bool word_is_option(const char *word)
{
    return word[0] == '-' && word[1] && strcmp(word, "--") != 0;
}

int arguments_parse_leading(struct arguments *arguments, const struct option_row *rows,
                            char ***words, struct error *error)
{
    while (**words && word_is_option(**words)) {
        if (arguments_take(arguments, rows, words, error) < 0) {
            return -1;
        }
    }
    return 0;
}

int arguments_parse(struct arguments *arguments, const struct option_row *rows, char **words,
                    enum options_place place, struct error *error)
{
    while (arguments_parse_leading(arguments, rows, &words, error) == 0) {
        if (*words && strcmp(*words, "--") == 0) {
            while (*++words) {
                arguments_add_operand(arguments, *words);
            }
        }
        if (!*words) {
            return 0;
        }
        arguments_add_operand(arguments, *words++);
        if (place == OPTIONS_FIRST && *words && word_is_option(*words)) {
            return error_set(error, ERROR_REQUEST_INVALID,
                             "unexpected argument '%s' behind '%s': options stand in front", *words,
                             words[-1]);
        }
    }
    return -1;
}

void arguments_release(struct arguments *arguments)
{
    free(arguments->values);
    free(arguments->operands);
    *arguments = (struct arguments)ARGUMENTS_INIT;
}

const char *arguments_value(const struct arguments *arguments, enum option_id id, size_t n)
{
    for (size_t i = 0; i < arguments->value_count; i++) {
        if (arguments->values[i].id == id && n-- == 0) {
            return arguments->values[i].value;
        }
    }
    return NULL;
}

void options_add_usage(const struct option_row *rows, struct buffer *out)
{
    for (; rows && rows->name; rows++) {
        buffer_format(out, " [%s%s%s]%s", rows->name, rows->value ? " " : "",
                      rows->value ? rows->value : "", rows->is_repeatable ? "..." : "");
    }
}

void options_add_help(const struct option_row *rows, struct buffer *out)
{
    for (; rows && rows->name; rows++) {
        AUTO_BUFFER struct buffer names = BUFFER_INIT;

        buffer_format(&names, "  %s%s%s%s%s", rows->letter ? rows->letter : "",
                      rows->letter ? ", " : "", rows->name, rows->value ? " " : "",
                      rows->value ? rows->value : "");
        buffer_format(out, "%-*s  %s\n", HELP_COLUMN, names.data, rows->help);
    }
}

void options_describe(const struct option_row *rows, const char *key, struct buffer *out)
{
    json_open_array(out, key);
    for (; rows && rows->name; rows++) {
        json_open_object(out, NULL);
        json_text(out, "name", rows->name);
        if (rows->letter) {
            json_text(out, "letter", rows->letter);
        }
        if (rows->value) {
            json_text(out, "value", rows->value);
        }
        json_raw(out, "repeatable", rows->is_repeatable ? "true" : "false");
        json_text(out, "help", rows->help);
        json_close_object(out);
    }
    json_close_array(out);
}
