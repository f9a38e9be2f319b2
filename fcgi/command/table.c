/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/table.h"

#include <string.h>

#include "lib/base/text.h"

/* clang-format off */
const struct command *const commands[] = {
    &command_access,
    &command_check,
    &command_configuration,
    &command_delete,
    &command_events_list,
    &command_events_resend,
    &command_gc,
    &command_help,
    &command_keys_rotate,
    &command_prefetch,
    &command_restore,
    &command_robot_add,
    &command_robot_list,
    &command_robot_remove,
    &command_status,
    &command_user_add,
    &command_user_list,
    &command_user_remove,
    &command_version,
    NULL,
};
/* clang-format on */

/* How many of the words are this command's name; 0 if they are another's. */
static size_t command_match(const struct command *command, char *const *words)
{
    const char *name = command->name;
    size_t count = 0;

    while (*name) {
        size_t length = strcspn(name, " ");

        if (!words[count] || strlen(words[count]) != length ||
            strncmp(words[count], name, length) != 0) {
            return 0;
        }
        count++;
        name += length + (name[length] == ' ');
    }
    return count;
}

const struct command *command_find(char ***words)
{
    for (const struct command *const *each = commands; *each; each++) {
        size_t count = command_match(*each, *words);

        if (count > 0) {
            *words += count;
            return *each;
        }
    }
    return NULL;
}

const struct command *command_guess(const char *word)
{
    for (const struct command *const *each = commands; *each; each++) {
        if (text_distance((*each)->name, word) <= 2) {
            return *each;
        }
    }
    return NULL;
}

void commands_add_help(struct buffer *out)
{
    buffer_add_text(out, "usage: berth [-c FILE] COMMAND ...\n"
                         "       berth [-c FILE]     as a FastCGI worker on descriptor 0, or as a "
                         "CGI program\n\n");
    for (const struct command *const *each = commands; *each; each++) {
        buffer_add_text(out, "  ");
        command_add_usage(*each, out);
        buffer_format(out, "\n      %s\n", (*each)->summary);
    }
    buffer_add_text(out,
                    "\n'berth COMMAND --help' tells more. The configuration is FILE, or "
                    "$BERTH_CONFIGURATION, or\n./configuration.ini, or " INSTALLED_CONFIGURATION
                    ".\nExit status: 0 fine, 1 found something, 2 could "
                    "not run.\n");
}

void command_add_help(const struct command *command, struct buffer *out)
{
    buffer_add_text(out, "usage: ");
    command_add_usage(command, out);
    buffer_format(out, "\n\n%s\n\n", command->summary);
    options_add_help(command->options, out);
    options_add_help(options_common, out);
    if (command->details) {
        buffer_format(out, "\n%s\n", command->details);
    }
}
