/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_COMMAND_TABLE_H
#define FCGI_COMMAND_TABLE_H

/* All subcommands, and what they have in common. */

#include "fcgi/command/command.h"

/* By their names; NULL at the end. */
extern const struct command *const commands[];

/* The command that the words begin with; *words is moved behind its name. NULL: none. */
const struct command *command_find(char ***words);

/* The command that a word which is none was meant to be, or NULL. */
const struct command *command_guess(const char *word);

/* Adds what `berth help` prints; of one command, what `berth COMMAND --help` prints. */
void commands_add_help(struct buffer *out);
void command_add_help(const struct command *command, struct buffer *out);

#endif
