/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/command.h"

#include <stdio.h>

/* That it was read is the validation. */
int command_configuration(const struct configuration *configuration, char **arguments)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    if (*arguments) {
        (void)fprintf(stderr, "berth configuration: unexpected argument '%s'\n", *arguments);
        return EXIT_FAILED;
    }
    configuration_print(configuration, &text);
    (void)fputs(text.data, stdout);
    return EXIT_FINE;
}
