/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One program: without arguments the FastCGI worker on descriptor 0, or a CGI process; with a
 * subcommand the tool.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fcgi/command/line.h"
#include "fcgi/command/table.h"
#include "fcgi/worker.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"

static bool descriptor_is_listener(int descriptor)
{
    int listening = 0;
    socklen_t length = sizeof(listening);

    return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 &&
           listening != 0;
}

/* The one that is named; else that of the working directory; else the installed one. */
static int configuration_open(struct configuration *configuration, const char *option,
                              struct error *error)
{
    static const char here[] = "configuration.ini";
    const char *variable = getenv("BERTH_CONFIGURATION");
    const char *named = option ? option : variable && *variable ? variable : NULL;

    if (named) {
        return configuration_read(configuration, named, error);
    }
    if (access(here, F_OK) < 0 && errno == ENOENT && access(INSTALLED_CONFIGURATION, F_OK) < 0 &&
        errno == ENOENT) {
        AUTO_FREE char *directory = getcwd(NULL, 0);

        return error_set(error, ERROR_INTERNAL,
                         "there is neither %s in %s nor %s: name one with -c FILE or "
                         "BERTH_CONFIGURATION, or begin with a copy of configuration.ini.example",
                         here, directory ? directory : "this directory", INSTALLED_CONFIGURATION);
    }
    return configuration_read(configuration,
                              access(here, F_OK) == 0 ? here : INSTALLED_CONFIGURATION, error);
}

static int service_run(const char *option, int (*run)(struct service *service),
                       void (*refuse)(struct error *reason))
{
    struct service service = SERVICE_INIT;
    struct error error;
    int status = EXIT_FAILED;

    if (configuration_open(&service.configuration, option, &error) == 0) {
        log_set_level(service.configuration.log_level);
        status = run(&service);
    } else {
        refuse(&error);
    }
    access_close(service.access);
    registry_close(&service.registry);
    configuration_release(&service.configuration);
    return status;
}

static void help_print(const struct command *command, FILE *to)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    if (command) {
        command_add_help(command, &text);
    } else {
        commands_add_help(&text);
    }
    line_page(to, text.data);
}

/* How a command line looks, behind a word about the one that was no good. */
static int usage_show(void)
{
    help_print(NULL, stderr);
    return EXIT_FAILED;
}

static int command_miss(const char *word)
{
    const struct command *meant = command_guess(word);

    line_complain("berth: there is no command '%s'%s%s%s", word, meant ? ": did you mean '" : "",
                  meant ? meant->name : "", meant ? "'?" : "");
    return usage_show();
}

static int command_start(const struct command *command, const struct arguments *arguments)
{
    AUTO_CONFIGURATION struct configuration configuration = CONFIGURATION_INIT;
    const char *option = arguments_value(arguments, OPTION_CONFIGURATION, 0);
    unsigned user = getuid(); /* before it becomes the store's owner */
    struct error error;
    int status;

    if (arguments->has[OPTION_HELP]) {
        help_print(command, stdout);
        return EXIT_FINE;
    }
    if (arguments->operand_count < command->minimum_operands) {
        return command_refuse(command, "what stands behind it is missing: %s", command->operands);
    }
    if (arguments->operand_count > command->maximum_operands) {
        return command_refuse(command, "unexpected argument '%s'",
                              arguments->operands[command->maximum_operands]);
    }
    if (!command->needs_no_configuration) {
        if (configuration_open(&configuration, option, &error) < 0) {
            log_error("%s", error.message);
            return EXIT_FAILED;
        }
        log_set_level(configuration.log_level);
    }
    status = command->run(&configuration, arguments);
    command_audit(command, &configuration, arguments, user, status);
    return status;
}

static int service_start(const struct arguments *arguments)
{
    if (arguments->has[OPTION_HELP]) {
        help_print(NULL, stdout);
        return EXIT_FINE;
    }
    if (!descriptor_is_listener(0)) {
        return usage_show();
    }
    memory_stay_small();
    return service_run(arguments_value(arguments, OPTION_CONFIGURATION, 0), worker_run,
                       worker_refuse);
}

int main(int count, char **words)
{
    AUTO_ARGUMENTS struct arguments arguments = ARGUMENTS_INIT;
    const struct command *command;
    struct error error;

    /* A web server may pass the query of a CGI request as arguments (RFC 3875, 4.4): they are the
     * client's, so they are not looked at. */
    if (getenv("GATEWAY_INTERFACE") && getenv("REQUEST_METHOD")) {
        return service_run(NULL, worker_run_cgi, worker_refuse_cgi);
    }
    words += count > 0 ? 1 : 0;
    if (*words && strcmp(*words, "--version") == 0) {
        *words = (char *)command_version.name;
    }
    if (arguments_parse_leading(&arguments, NULL, &words, &error) < 0) {
        line_complain("berth: %s", error.message);
        return usage_show();
    }
    if (!*words) {
        return service_start(&arguments);
    }
    command = command_find(&words);
    if (!command) {
        return command_miss(*words);
    }
    /* Where there may be any number of operands, they come out of other programs. */
    if (arguments_parse(&arguments, command->options, words,
                        command->maximum_operands == SIZE_MAX ? OPTIONS_FIRST : OPTIONS_ANYWHERE,
                        &error) < 0) {
        return command_refuse(command, "%s", error.message);
    }
    return command_start(command, &arguments);
}
