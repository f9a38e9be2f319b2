/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fcgi/command/command.h"
#include "fcgi/command/line.h"
#include "fcgi/command/open.h"
#include "lib/access/robot.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/oci/pattern.h"
#include "lib/registry/identity.h"

static const enum right robot_rights[] = {RIGHT_PULL, RIGHT_PUSH, RIGHT_OVERWRITE, RIGHT_DELETE};
enum { ROBOT_RIGHT_COUNT = sizeof(robot_rights) / sizeof(*robot_rights) };

/* Who may push may pull, and move tags unless the rules say who may. */
static bool robot_read_rights(const char *text, unsigned *out)
{
    unsigned rights = RIGHT_NONE;
    const char *item;
    size_t length;

    while (text_next_item(&text, ',', &item, &length)) {
        size_t n = 0;

        while (n < ROBOT_RIGHT_COUNT && (strlen(right_word(robot_rights[n])) != length ||
                                         strncmp(right_word(robot_rights[n]), item, length) != 0)) {
            n++;
        }
        if (n == ROBOT_RIGHT_COUNT) {
            return false;
        }
        rights |= robot_rights[n];
    }
    if (rights & RIGHT_PUSH) {
        rights |= RIGHT_PULL;
    }
    *out = rights;
    return rights != RIGHT_NONE;
}

/* In the spelling that they are compared in. */
static bool robot_are_patterns(const char *text, const struct configuration *configuration,
                               struct buffer *out_cure)
{
    const char *item;
    size_t length;
    size_t count = 0;

    while (text_next_item(&text, ',', &item, &length)) {
        char pattern[PATTERN_SIZE + 1];

        if (!text_copy(pattern, sizeof(pattern), item, length) ||
            !pattern_is_valid(pattern + (*pattern == '!')) ||
            !identity_pattern_is_canonical(pattern + (*pattern == '!'),
                                           &configuration->registry.proxy, out_cure)) {
            return false;
        }
        count++;
    }
    return count > 0;
}

/* 0, or EXIT_FAILED when it has said what is wrong. */
static int robot_read_options(const struct configuration *configuration,
                              const struct arguments *arguments, struct robot *out)
{
    AUTO_BUFFER struct buffer cure = BUFFER_INIT;
    const char *rights = arguments_value(arguments, OPTION_RIGHTS, 0);
    const char *repositories = arguments_value(arguments, OPTION_REPOSITORIES, 0);
    const char *expires = arguments_value(arguments, OPTION_EXPIRES, 0);
    uint64_t seconds;

    if (!robot_name_is_valid(out->name)) {
        return command_refuse(&command_robot_add,
                              "'%s' is no name of a robot: lower-case letters, digits, and inside "
                              "'.', '_', '-'",
                              arguments->operands[0]);
    }
    if (rights && !robot_read_rights(rights, &out->rights)) {
        return command_refuse(&command_robot_add,
                              "'%s' is no list of pull, push, overwrite, delete", rights);
    }
    if (repositories && (!robot_are_patterns(repositories, configuration, &cure) ||
                         !text_copy(out->repositories, sizeof(out->repositories), repositories,
                                    strlen(repositories)))) {
        return command_refuse(&command_robot_add, "'%s' is no list of patterns of repositories%s%s",
                              repositories,
                              cure.length > 0 ? ": one is never to be met but as " : "", cure.data);
    }
    if (expires) {
        if (!text_seconds(expires, &seconds) || seconds == 0 || seconds > UINT32_MAX) {
            return command_refuse(&command_robot_add, "'%s' is no time such as 90d or 12h",
                                  expires);
        }
        out->expires = (uint64_t)clock_date() + seconds;
    }
    return 0;
}

static int robot_run_add(const struct configuration *configuration,
                         const struct arguments *arguments)
{
    struct robot robot = {.rights = RIGHT_ALL};
    struct buffer secret = BUFFER_INIT;
    AUTO_LINE struct line line = line_begin(arguments->has[OPTION_JSON]);
    struct error error = ERROR_INIT;
    int added;

    (void)text_copy(robot.name, sizeof(robot.name), arguments->operands[0],
                    strlen(arguments->operands[0]));
    if (robot_read_options(configuration, arguments, &robot) != 0) {
        return EXIT_FAILED;
    }
    if (command_make_vault(configuration, &error) < 0) {
        return command_fail(&command_robot_add, &error);
    }
    added = robot_add(configuration->registry.access.directory, &robot, &secret, &error);
    if (added < 0) {
        return command_fail(&command_robot_add, &error);
    }
    if (added == 0) {
        line_complain("robot/%s is there already: remove it first", robot.name);
        return EXIT_FOUND;
    }
    line_text(&line, "robot", robot.name);
    line_text(&line, "secret", secret.data);
    line_say(&line, "%s", secret.data);
    line_end(&line);
    buffer_wipe(&secret);
    line_complain("this is the password of the user robot/%s, and is not shown again", robot.name);
    if (configuration->registry.access.mode == ACCESS_NONE) {
        line_complain("nobody logs in yet: the configuration says mode = none");
    }
    return EXIT_FINE;
}

static void robot_add_rights(const struct robot *robot, struct buffer *out)
{
    for (size_t i = 0; i < ROBOT_RIGHT_COUNT; i++) {
        if (robot->rights & robot_rights[i]) {
            buffer_format(out, "%s%s", out->length > 0 ? "," : "", right_word(robot_rights[i]));
        }
    }
}

/* "never" for 0. */
static void robot_say_date(struct line *line, const char *key, uint64_t seconds)
{
    line_say(line, "  %s ", key);
    if (seconds != 0) {
        line_date(line, key, (time_t)seconds);
    } else {
        line_say(line, "never");
        line_raw(line, key, "null");
    }
}

static void robot_say(const struct robot *robot, bool json)
{
    AUTO_LINE struct line line = line_begin(json);
    AUTO_BUFFER struct buffer rights = BUFFER_INIT;

    robot_add_rights(robot, &rights);
    line_text(&line, "robot", robot->name);
    line_text(&line, "rights", rights.data);
    line_text(&line, "repositories", robot->repositories);
    line_say(&line, "robot/%s  %s  %s", robot->name, rights.data,
             *robot->repositories ? robot->repositories : "**");
    robot_say_date(&line, "made", robot->made);
    robot_say_date(&line, "expires", robot->expires);
    robot_say_date(&line, "used", robot->last_use);
    line_end(&line);
}

static int robot_run_list(const struct configuration *configuration,
                          const struct arguments *arguments)
{
    const char *directory = configuration->registry.access.directory;
    AUTO_NAMES struct names names = NAMES_INIT;
    struct error error = ERROR_INIT;
    int status = EXIT_FINE;

    if (command_become_owner(configuration, &error) < 0 ||
        robot_list(directory, &names, &error) < 0) {
        return command_fail(&command_robot_list, &error);
    }
    for (size_t i = 0; i < names.count; i++) {
        struct robot robot;
        int found = robot_read(directory, names.names[i], &robot, &error);

        if (found > 0) {
            robot_say(&robot, arguments->has[OPTION_JSON]);
        } else if (found < 0) {
            line_complain("%s", error.message);
            status = EXIT_FOUND;
        }
    }
    return status;
}

static int robot_run_remove(const struct configuration *configuration,
                            const struct arguments *arguments)
{
    struct error error = ERROR_INIT;
    int removed = -1;

    if (command_become_owner(configuration, &error) == 0) {
        removed =
            robot_remove(configuration->registry.access.directory, arguments->operands[0], &error);
    }
    if (removed < 0) {
        return command_fail(&command_robot_remove, &error);
    }
    line_complain("robot/%s: %s", arguments->operands[0],
                  removed ? "removed" : "there is no such robot");
    return removed ? EXIT_FINE : EXIT_FOUND;
}

static const struct option_row robot_add_options[] = {
    {.id = OPTION_REPOSITORIES,
     .name = "--repositories",
     .value = "PATTERNS",
     .help = "for these at most, e.g. 'team/**'"},
    {.id = OPTION_RIGHTS,
     .name = "--rights",
     .value = "RIGHTS",
     .help = "at most these, of pull, push, overwrite, delete"},
    {.id = OPTION_EXPIRES, .name = "--expires", .value = "TIME", .help = "e.g. 90d; else never"},
    OPTION_ROW_JSON,
    OPTIONS_END,
};

const struct command command_robot_add = {
    .name = "robot add",
    .summary = "make credentials for a program, and print its secret this once",
    .options = robot_add_options,
    .operands = "NAME",
    .minimum_operands = 1,
    .maximum_operands = 1,
    .details = "It logs in as robot/NAME, and may what the rules give to robot/NAME: options only "
               "narrow that.",
    .is_audited = true,
    .run = robot_run_add,
};

static const struct option_row robot_list_options[] = {OPTION_ROW_JSON, OPTIONS_END};

const struct command command_robot_list = {
    .name = "robot list",
    .summary = "list robots, what narrows them, and when they were used last",
    .options = robot_list_options,
    .run = robot_run_list,
};

const struct command command_robot_remove = {
    .name = "robot remove",
    .summary = "remove a robot; its tokens end at once",
    .operands = "NAME",
    .minimum_operands = 1,
    .maximum_operands = 1,
    .is_audited = true,
    .run = robot_run_remove,
};
