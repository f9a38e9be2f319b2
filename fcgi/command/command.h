/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_COMMAND_COMMAND_H
#define FCGI_COMMAND_COMMAND_H

/*
 * The subcommands of `berth`. Each gets its own arguments, without its name, and returns the exit
 * status: 0 fine, 1 found something, 2 could not run.
 */

#include "lib/configuration/configuration.h"

enum exit_status {
    EXIT_FINE = 0,
    EXIT_FOUND = 1,
    EXIT_FAILED = 2,
};

int command_check(const struct configuration *configuration, char **arguments);
int command_setup(const struct configuration *configuration, char **arguments);
int command_prefetch(const struct configuration *configuration, char **arguments);
int command_configuration(const struct configuration *configuration, char **arguments);

#endif
