/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/command.h"
#include "fcgi/command/line.h"
#include "fcgi/command/open.h"
#include "lib/access/key.h"

static int keys_run_rotate(const struct configuration *configuration,
                           const struct arguments *arguments)
{
    const struct access_options *options = &configuration->registry.access;
    enum key_rotation rotation = arguments->has[OPTION_REVOKE] ? KEY_REVOKE_OLD : KEY_KEEP_OLD;
    struct error error = ERROR_INIT;

    if (command_make_vault(configuration, &error) < 0 ||
        keys_rotate(options->directory, options->token_lifetime, rotation, &error) < 0) {
        return command_fail(&command_keys_rotate, &error);
    }
    line_complain("%s", rotation == KEY_REVOKE_OLD
                            ? "a new key signs tokens; all that there were have ended"
                            : "a new key signs tokens; those that there are stay good");
    return EXIT_FINE;
}

static const struct option_row keys_rotate_options[] = {
    {.id = OPTION_REVOKE,
     .name = "--revoke",
     .help = "end all tokens and log-ins that there are: a key has leaked"},
    OPTIONS_END,
};

const struct command command_keys_rotate = {
    .name = "keys rotate",
    .summary = "sign tokens by a new key, while the registry runs",
    .options = keys_rotate_options,
    .details = "Log-ins outlive one rotation and end with the next, tokens live as long as they "
               "would.",
    .is_audited = true,
    .run = keys_run_rotate,
};
