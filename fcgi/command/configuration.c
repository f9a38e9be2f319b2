/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/command.h"
#include "fcgi/command/line.h"

/* That it was read is the validation. */
static int configuration_run(const struct configuration *configuration,
                             const struct arguments *arguments)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    (void)arguments;
    configuration_print(configuration, &text);
    line_page(stdout, text.data);
    return EXIT_FINE;
}

const struct command command_configuration = {
    .name = "configuration",
    .summary = "read the configuration and print what it means",
    .run = configuration_run,
};
