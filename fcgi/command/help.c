/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "fcgi/command/line.h"
#include "fcgi/command/table.h"
#include "lib/base/json.h"

static void help_describe(const struct command *command, struct buffer *out)
{
    AUTO_BUFFER struct buffer usage = BUFFER_INIT;

    command_add_usage(command, &usage);
    json_open_object(out, NULL);
    json_text(out, "name", command->name);
    json_text(out, "summary", command->summary);
    json_text(out, "usage", usage.data);
    if (command->operands) {
        json_text(out, "operands", command->operands);
    }
    options_describe(command->options, "options", out);
    json_close_object(out);
}

/* All there is to complete, and to describe in manual pages. */
static void help_describe_all(struct buffer *out)
{
    json_open_object(out, NULL);
    json_open_array(out, "commands");
    for (const struct command *const *each = commands; *each; each++) {
        help_describe(*each, out);
    }
    json_close_array(out);
    options_describe(options_common, "options", out);
    configuration_describe("configuration", out);
    json_close_object(out);
    buffer_add_text(out, "\n");
}

static int help_run(const struct configuration *configuration, const struct arguments *arguments)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    char **words = (char **)arguments->operands;
    const struct command *command = arguments->operand_count > 0 ? command_find(&words) : NULL;

    (void)configuration;
    if (arguments->operand_count > 0 && (!command || *words)) {
        return command_refuse(&command_help, "there is no command '%s'",
                              command ? *words : arguments->operands[0]);
    }
    if (arguments->has[OPTION_JSON]) {
        help_describe_all(&text);
    } else if (command) {
        command_add_help(command, &text);
    } else {
        commands_add_help(&text);
    }
    line_page(stdout, text.data);
    return EXIT_FINE;
}

static const struct option_row help_options[] = {
    {.id = OPTION_JSON,
     .name = "--json",
     .help = "all commands, options, and keys of the configuration, for machines"},
    OPTIONS_END,
};

const struct command command_help = {
    .name = "help",
    .summary = "list the commands, or tell all of one",
    .options = help_options,
    .operands = "[COMMAND]",
    .maximum_operands = 2,
    .needs_no_configuration = true,
    .run = help_run,
};

static int version_run(const struct configuration *configuration, const struct arguments *arguments)
{
    (void)configuration;
    (void)arguments;
    line_page(stdout, "berth " BERTH_VERSION "\n");
    return EXIT_FINE;
}

const struct command command_version = {
    .name = "version",
    .summary = "print the version",
    .needs_no_configuration = true,
    .run = version_run,
};
