/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One program: without arguments the FastCGI worker on descriptor 0, or a CGI process; with a
 * subcommand the tool.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "fcgi/command/command.h"
#include "fcgi/worker.h"
#include "lib/base/log.h"

static const struct {
    const char *name;
    const char *help;
    int (*run)(const struct configuration *configuration, char **arguments);
} commands[] = {
    {"check",
     "[--repair] [--no-content] [--json]  look whether the store is sound\n"
     "  berth check --setup [--json] [URL]             look whether directories, users and "
     "web server fit",
     command_check},
    {"configuration", "                         read the configuration and print what it means",
     command_configuration},
    {"prefetch",
     "[--platform OS/ARCH[/VARIANT]]... [--json] IMAGE...\n"
     "                                               fill the cache with others' images",
     command_prefetch},
};

static int usage(void)
{
    (void)fprintf(stderr, "usage: berth [-c FILE] COMMAND\n"
                          "       berth                  (as a FastCGI worker on descriptor 0, or "
                          "as a CGI program)\n\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        (void)fprintf(stderr, "  berth %s %s\n", commands[i].name, commands[i].help);
    }
    (void)fprintf(stderr, "  berth version\n\nThe configuration is FILE, or $BERTH_CONFIGURATION, "
                          "or ./configuration.ini.\n");
    return EXIT_FAILED;
}

static bool is_listener(int descriptor)
{
    int listening = 0;
    socklen_t length = sizeof(listening);

    return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 &&
           listening != 0;
}

static const char *configuration_file(const char *option)
{
    const char *variable = getenv("BERTH_CONFIGURATION");

    if (option) {
        return option;
    }
    return variable && *variable ? variable : "configuration.ini";
}

static int serve(const char *option, int (*run)(struct service *service),
                 void (*refuse)(struct error *reason))
{
    struct service service = SERVICE_INIT;
    struct error error;
    int status = EXIT_FAILED;

    if (configuration_read(&service.configuration, configuration_file(option), &error) == 0) {
        log_set_level(service.configuration.log_level);
        status = run(&service);
    } else {
        refuse(&error);
    }
    registry_close(&service.registry);
    configuration_release(&service.configuration);
    return status;
}

static int run_command(const char *option, char **arguments)
{
    AUTO_CONFIGURATION struct configuration configuration = CONFIGURATION_INIT;
    struct error error;

    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        if (strcmp(commands[i].name, *arguments) == 0) {
            if (configuration_read(&configuration, configuration_file(option), &error) < 0) {
                log_error("%s", error.message);
                return EXIT_FAILED;
            }
            log_set_level(configuration.log_level);
            return commands[i].run(&configuration, arguments + 1);
        }
    }
    return usage();
}

int main(int count, char **arguments)
{
    const char *option = NULL;

    /* A web server may pass the query of a CGI request as arguments (RFC 3875, 4.4): they are the
     * client's, so they are not looked at. */
    if (getenv("GATEWAY_INTERFACE") && getenv("REQUEST_METHOD")) {
        return serve(NULL, worker_run_cgi, worker_refuse_cgi);
    }
    arguments++;
    if (count > 2 && strcmp(*arguments, "-c") == 0) {
        option = arguments[1];
        arguments += 2;
    }
    if (!*arguments) {
        return is_listener(0) ? serve(option, worker_run, worker_refuse) : usage();
    }
    if (strcmp(*arguments, "version") == 0) {
        (void)printf("berth %s\n", BERTH_VERSION);
        return EXIT_FINE;
    }
    return run_command(option, arguments);
}
