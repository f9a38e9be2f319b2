/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fcgi/command/ask.h"
#include "fcgi/command/command.h"
#include "fcgi/command/line.h"
#include "lib/access/crypted.h"
#include "lib/access/password.h"
#include "lib/access/password_edit.h"
#include "lib/access/subject.h"

/*
 * The password file is the operator's, not the store's: these commands stay who they are, and a
 * file keeps its owner.
 */

static int user_find_file(const struct configuration *configuration, const char **out_path,
                          struct error *error)
{
    const char *path = configuration->registry.access.htpasswd;

    if (!path || !*path) {
        return error_set(error, ERROR_REQUEST_INVALID,
                         "%s names no password file: write 'htpasswd = FILE' below "
                         "[authentication]",
                         configuration->file);
    }
    *out_path = path;
    return 0;
}

/* Workers read the file as the store's group. */
static gid_t user_group(const struct configuration *configuration)
{
    struct stat status;

    return stat(configuration->registry.hosted.root, &status) == 0 ? status.st_gid : getegid();
}

/* 1 if there was such a user, 0 if not, -1. */
static int user_change(const struct configuration *configuration, const char *user,
                       const char *crypted, struct error *error)
{
    struct password_edit edit = {
        .user = user, .crypted = crypted, .group = user_group(configuration)};

    return user_find_file(configuration, &edit.path, error) < 0 ? -1 : password_edit(&edit, error);
}

static int user_run_add(const struct configuration *configuration,
                        const struct arguments *arguments)
{
    const char *user = arguments->operands[0];
    struct buffer password = BUFFER_INIT;
    char crypted[CRYPTED_SIZE];
    struct error error = ERROR_INIT;
    const char *path;
    int found;

    if (!subject_user_is_valid(user)) {
        return command_refuse(
            &command_user_add,
            "'%s' is no name of a user: in UTF-8, no space, ',', ':', '/' or what "
            "cannot be shown, no '@' or '#' at the front",
            user);
    }
    found = user_find_file(configuration, &path, &error) < 0 ||
                    ask_password(user, ASK_NEW, &password, &error) < 0 ||
                    crypted_make(password.data, crypted, &error) < 0
                ? -1
                : user_change(configuration, user, crypted, &error);
    buffer_wipe(&password);
    if (found < 0) {
        return command_fail(&command_user_add, &error);
    }
    line_complain("%s: %s", user, found ? "has another password now" : "added");
    if (configuration->registry.access.mode != ACCESS_HTPASSWD) {
        line_complain("nobody logs in by it yet: write 'mode = htpasswd' below [authentication]");
    }
    return EXIT_FINE;
}

static int user_run_remove(const struct configuration *configuration,
                           const struct arguments *arguments)
{
    const char *user = arguments->operands[0];
    struct error error = ERROR_INIT;
    int found;

    if (!*user || *user == '#' || strchr(user, ':')) { /* whatever others have added may go */
        return command_refuse(&command_user_remove,
                              "'%s' is no name of a user that a password file can have", user);
    }
    found = user_change(configuration, user, NULL, &error);
    if (found < 0) {
        return command_fail(&command_user_remove, &error);
    }
    line_complain("%s: %s", user, found ? "removed" : "there is no such user");
    return found ? EXIT_FINE : EXIT_FOUND;
}

static int user_run_list(const struct configuration *configuration,
                         const struct arguments *arguments)
{
    AUTO_PASSWORD_FILE struct password_file file = PASSWORD_FILE_INIT(NULL);
    struct error error = ERROR_INIT;

    if (user_find_file(configuration, &file.path, &error) < 0 ||
        password_file_refresh(&file, &error) < 0) {
        return command_fail(&command_user_list, &error);
    }
    for (size_t i = 0; i < file.count; i++) {
        AUTO_LINE struct line line = line_begin(arguments->has[OPTION_JSON]);

        if (!file.users[i].refusal) {
            line_text(&line, "user", file.users[i].name);
            line_say(&line, "%s", file.users[i].name);
            line_end(&line);
        }
    }
    for (size_t i = 0; i < file.count; i++) {
        if (file.users[i].refusal) {
            line_complain("%s:%u: the password of '%s' is %s", file.path, file.users[i].line,
                          file.users[i].name, file.users[i].refusal);
        }
    }
    return file.useless > 0 ? EXIT_FOUND : EXIT_FINE;
}

const struct command command_user_add = {
    .name = "user add",
    .summary = "add a user to the password file, or give one another password",
    .operands = "USER",
    .minimum_operands = 1,
    .maximum_operands = 1,
    .details = "Asks for the password; without a terminal it is the first line of standard input.",
    .is_audited = true,
    .run = user_run_add,
};

const struct command command_user_remove = {
    .name = "user remove",
    .summary = "remove a user from the password file; his log-ins end at once",
    .operands = "USER",
    .minimum_operands = 1,
    .maximum_operands = 1,
    .is_audited = true,
    .run = user_run_remove,
};

static const struct option_row user_list_options[] = {OPTION_ROW_JSON, OPTIONS_END};

const struct command command_user_list = {
    .name = "user list",
    .summary = "list the users of the password file, and complain of lines that are of no use",
    .options = user_list_options,
    .run = user_run_list,
};
