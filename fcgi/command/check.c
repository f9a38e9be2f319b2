/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fcgi/command/open.h"
#include "lib/base/json.h"
#include "lib/store/verify.h"

struct check {
    bool json;
    struct verify_report report;
};

static int usage(const char *argument)
{
    (void)fprintf(stderr,
                  "berth check: unexpected argument '%s'\n"
                  "usage: berth check [--repair] [--no-content] [--json]\n"
                  "       berth check --setup [--json] [URL]\n",
                  argument);
    return EXIT_FAILED;
}

static bool parse_arguments(struct check *check, char **arguments)
{
    for (; *arguments; arguments++) {
        if (strcmp(*arguments, "--repair") == 0) {
            check->report.repair = true;
        } else if (strcmp(*arguments, "--no-content") == 0) {
            check->report.skip_content = true;
        } else if (strcmp(*arguments, "--json") == 0) {
            check->json = true;
        } else {
            (void)usage(*arguments);
            return false;
        }
    }
    return true;
}

static void print_problem(void *context, const char *path, const char *what)
{
    const struct check *check = context;
    AUTO_BUFFER struct buffer line = BUFFER_INIT;

    if (check->json) {
        json_open_object(&line, NULL);
        json_text(&line, "path", path);
        json_text(&line, "problem", what);
        json_close_object(&line);
    } else {
        buffer_format(&line, "%s: %s", path, what);
    }
    (void)printf("%s\n", line.data);
}

static void print_summary(const struct check *check)
{
    const struct verify_report *report = &check->report;
    AUTO_BUFFER struct buffer line = BUFFER_INIT;

    if (check->json) {
        json_open_object(&line, NULL);
        json_number(&line, "blobs", report->blobs);
        json_number(&line, "bytes", report->bytes);
        json_number(&line, "manifests", report->manifests);
        json_number(&line, "tags", report->tags);
        json_number(&line, "problems", report->problems);
        json_close_object(&line);
    } else {
        buffer_format(&line,
                      "%" PRIu64 " blobs of %" PRIu64 " bytes, %" PRIu64 " manifests, %" PRIu64
                      " tags: %" PRIu64 " problems",
                      report->blobs, report->bytes, report->manifests, report->tags,
                      report->problems);
    }
    (void)printf("%s\n", line.data);
}

static bool is_about_setup(char **arguments)
{
    for (; *arguments; arguments++) {
        if (strcmp(*arguments, "--setup") == 0) {
            return true;
        }
    }
    return false;
}

int command_check(const struct configuration *configuration, char **arguments)
{
    struct check check = {.json = false};
    struct store store = STORE_INIT;
    struct error error;
    int result;

    if (is_about_setup(arguments)) {
        return command_setup(configuration, arguments);
    }
    if (!parse_arguments(&check, arguments)) {
        return EXIT_FAILED;
    }
    check.report.problem = print_problem;
    check.report.context = &check;
    if (command_open_hosted(&store, configuration,
                            check.report.repair ? OPEN_TO_CHANGE : OPEN_TO_LOOK, &error) < 0) {
        (void)fprintf(stderr, "berth check: %s\n", error.message);
        return EXIT_FAILED;
    }
    result = verify_store(&store, &check.report, &error);
    store_close(&store);
    if (result < 0) {
        (void)fprintf(stderr, "berth check: %s\n", error.message);
        return EXIT_FAILED;
    }
    print_summary(&check);
    return check.report.problems > 0 ? EXIT_FOUND : EXIT_FINE;
}
