/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "fcgi/command/table.h"

static const struct option_row rows[] = {
    {.id = OPTION_REPAIR, .name = "--repair", .letter = "-r", .help = "mend"},
    {.id = OPTION_PLATFORM,
     .name = "--platform",
     .value = "OS/ARCH",
     .is_repeatable = true,
     .help = "these only"},
    {.id = OPTION_SETUP, .name = "--name", .value = "NAME", .help = "once"},
    OPTION_ROW_JSON,
    OPTIONS_END,
};

enum { WORD_LIMIT = 8 };

/* What a command line means: flags, values, operands. */
static void describe(const struct arguments *arguments, struct buffer *out)
{
    static const char letters[OPTION_COUNT] = {
        [OPTION_CONFIGURATION] = 'c', [OPTION_HELP] = 'h',   [OPTION_JSON] = 'j',
        [OPTION_PLATFORM] = 'p',      [OPTION_REPAIR] = 'r', [OPTION_SETUP] = 'n'};

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (arguments->has[i]) {
            buffer_format(out, "%c", letters[i]);
        }
        for (size_t n = 0; arguments_value(arguments, (enum option_id)i, n); n++) {
            buffer_format(out, "=%s", arguments_value(arguments, (enum option_id)i, n));
        }
    }
    for (size_t i = 0; i < arguments->operand_count; i++) {
        buffer_format(out, " %s", arguments->operands[i]);
    }
    assert_true(!arguments->operands || !arguments->operands[arguments->operand_count]);
}

static void a_command_line_means_the_same_in_any_order(void **state)
{
    static const struct {
        const char *words[WORD_LIMIT];
        const char *meaning;
    } lines[] = {
        {{NULL}, ""},
        {{"--repair"}, "r"},
        {{"-r", "--json"}, "jr"},
        {{"a", "--json", "b"}, "j a b"},
        {{"--json", "a", "b"}, "j a b"},
        {{"a", "b", "--json"}, "j a b"},
        {{"--platform", "x", "--platform=y", "a"}, "p=x=y a"},
        {{"--platform=", "a"}, "p= a"},
        {{"--platform", "--json"}, "p=--json"},
        {{"--name=a=b"}, "n=a=b"},
        {{"-c", "f", "a"}, "c=f a"},
        {{"a", "-cf"}, "c=f a"},
        {{"-h"}, "h"},
        {{"a", "--help"}, "h a"},
        {{"--", "--json", "-c"}, " --json -c"},
        {{"a", "--", "--", "b"}, " a -- b"},
        {{"a", "--"}, " a"},
        {{"-"}, " -"},
        {{""}, " "},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        AUTO_ARGUMENTS struct arguments arguments = ARGUMENTS_INIT;
        AUTO_BUFFER struct buffer meaning = BUFFER_INIT;
        struct error error = ERROR_INIT;

        assert_returns(0, arguments_parse(&arguments, rows, (char **)(uintptr_t)lines[i].words,
                                          OPTIONS_ANYWHERE, &error));
        describe(&arguments, &meaning);
        assert_string_equal(meaning.data, lines[i].meaning);
    }
}

static void what_makes_no_sense_is_told(void **state)
{
    static const struct {
        const char *words[WORD_LIMIT];
        const char *message;
    } lines[] = {
        {{"--nonsense"}, "unexpected argument '--nonsense'"},
        {{"a", "-x"}, "unexpected argument '-x'"},
        {{"--rep"}, "unexpected argument '--rep'"},
        {{"--repairs"}, "unexpected argument '--repairs'"},
        {{"-json"}, "unexpected argument '-json'"},
        {{"--help-me"}, "unexpected argument '--help-me'"},
        {{"--repair=yes"}, "--repair takes no value: '--repair=yes'"},
        {{"-rx"}, "--repair takes no value: '-rx'"},
        {{"--platform"}, "--platform needs a value: OS/ARCH"},
        {{"a", "-c"}, "-c needs a value: FILE"},
        {{"--name", "a", "--name", "b"}, "--name is there twice"},
        {{"-c", "a", "-c", "b"}, "-c is there twice"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        AUTO_ARGUMENTS struct arguments arguments = ARGUMENTS_INIT;
        struct error error = ERROR_INIT;

        assert_fails(ERROR_REQUEST_INVALID,
                     arguments_parse(&arguments, rows, (char **)(uintptr_t)lines[i].words,
                                     OPTIONS_ANYWHERE, &error));
        assert_string_equal(error.message, lines[i].message);
    }
}

/* The images of `berth prefetch $(list)`: none of them can be an option. */
static void options_may_have_to_come_first(void **state)
{
    const char *good[] = {"--json", "a", "b", "--", "-c", NULL};
    const char *bad[] = {"--json", "a", "--repair", NULL};
    AUTO_ARGUMENTS struct arguments arguments = ARGUMENTS_INIT;
    AUTO_ARGUMENTS struct arguments others = ARGUMENTS_INIT;
    struct error error = ERROR_INIT;

    (void)state;
    assert_returns(
        0, arguments_parse(&arguments, rows, (char **)(uintptr_t)good, OPTIONS_FIRST, &error));
    assert_int_equal(arguments.operand_count, 3);
    assert_fails(ERROR_REQUEST_INVALID,
                 arguments_parse(&others, rows, (char **)(uintptr_t)bad, OPTIONS_FIRST, &error));
    assert_string_equal(error.message,
                        "unexpected argument '--repair' behind 'a': options stand in front");
}

static void what_stands_in_front_of_a_command_is_taken_first(void **state)
{
    AUTO_ARGUMENTS struct arguments arguments = ARGUMENTS_INIT;
    const char *line[] = {"-c", "f", "check", "--json", "-h", NULL};
    char **words = (char **)(uintptr_t)line;
    struct error error = ERROR_INIT;

    (void)state;
    assert_returns(0, arguments_parse_leading(&arguments, NULL, &words, &error));
    assert_string_equal(*words, "check");
    assert_false(arguments.has[OPTION_JSON]);
    assert_ptr_equal(command_find(&words), &command_check);
    assert_string_equal(*words, "--json");
    assert_returns(
        0, arguments_parse(&arguments, command_check.options, words, OPTIONS_ANYWHERE, &error));
    assert_true(arguments.has[OPTION_JSON] && arguments.has[OPTION_HELP]);
    assert_string_equal(arguments_value(&arguments, OPTION_CONFIGURATION, 0), "f");
    assert_int_equal(arguments.operand_count, 0);
}

static void no_part_of_a_name_is_a_command(void **state)
{
    static const char *const none[] = {"", "c", "chec", "checks", "check --json", "Check"};

    (void)state;
    for (size_t i = 0; i < COUNT(none); i++) {
        const char *line[] = {none[i], NULL};
        char **words = (char **)(uintptr_t)line;

        assert_null(command_find(&words));
        assert_ptr_equal(words, line);
    }
}

static void usage_and_help_come_from_the_table(void **state)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    (void)state;
    options_add_usage(rows, &text);
    assert_string_equal(text.data, " [--repair] [--platform OS/ARCH]... [--name NAME] [--json]");
    buffer_clear(&text);
    options_add_help(rows, &text);
    assert_string_equal(text.data, "  -r, --repair              mend\n"
                                   "  --platform OS/ARCH        these only\n"
                                   "  --name NAME               once\n"
                                   "  --json                    an object a line, for machines\n");
}

/* Names in order, no option twice, none that is everybody's, something to say about each. */
static void the_commands_are_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; commands[i]; i++) {
        assert_true(i == 0 || strcmp(commands[i - 1]->name, commands[i]->name) < 0);
        assert_true(*commands[i]->summary && commands[i]->run);
        assert_true((commands[i]->maximum_operands > 0) == (commands[i]->operands != NULL));
        for (const struct option_row *row = commands[i]->options; row && row->name; row++) {
            assert_true(row->id < OPTION_COUNT && *row->help);
            assert_true(row->id != OPTION_HELP && row->id != OPTION_CONFIGURATION);
            for (const struct option_row *other = row + 1; other->name; other++) {
                assert_true(strcmp(row->name, other->name) != 0 && row->id != other->id);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_line_means_the_same_in_any_order),
        cmocka_unit_test(what_makes_no_sense_is_told),
        cmocka_unit_test(options_may_have_to_come_first),
        cmocka_unit_test(what_stands_in_front_of_a_command_is_taken_first),
        cmocka_unit_test(no_part_of_a_name_is_a_command),
        cmocka_unit_test(usage_and_help_come_from_the_table),
        cmocka_unit_test(the_commands_are_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
