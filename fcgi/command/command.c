/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/command.h"

#include <stdarg.h>

#include "fcgi/command/line.h"

void command_add_usage(const struct command *command, struct buffer *out)
{
    buffer_format(out, "berth %s", command->name);
    options_add_usage(command->options, out);
    if (command->operands) {
        buffer_format(out, " %s", command->operands);
    }
}

int command_fail(const struct command *command, const struct error *error)
{
    line_complain("berth %s: %s", command->name, error->message);
    return EXIT_FAILED;
}

int command_refuse(const struct command *command, const char *format, ...)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_BUFFER struct buffer usage = BUFFER_INIT;
    va_list arguments;

    va_start(arguments, format);
    buffer_format_list(&text, format, arguments);
    va_end(arguments);
    command_add_usage(command, &usage);
    line_complain("berth %s: %s", command->name, text.data);
    line_complain("usage: %s", usage.data);
    return EXIT_FAILED;
}
