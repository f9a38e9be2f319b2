/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <unistd.h>

#include "fcgi/command/command.h"
#include "fcgi/command/line.h"
#include "fcgi/command/open.h"
#include "lib/store/verify.h"

/*
 * One of the two stores: its name for machines, and what stands in front of its lines for people.
 * The hosted one is meant where nothing is said.
 */
struct checked {
    const char *name; /* NULL: none */
    const char *prefix;
    bool json;
    int (*open)(struct store *store, const struct configuration *configuration,
                enum open_purpose purpose, struct error *error);
};

static void check_tell(void *context, const char *path, const char *what)
{
    const struct checked *checked = context;
    AUTO_LINE struct line line = line_begin(checked->json);

    if (checked->name) {
        line_text(&line, "store", checked->name);
    }
    line_text(&line, "path", path);
    line_text(&line, "problem", what);
    line_say(&line, "%s%s: %s", checked->prefix, path, what);
    line_end(&line);
}

static void check_summarize(const struct verify_report *report, const struct checked *checked)
{
    AUTO_LINE struct line line = line_begin(checked->json);

    if (checked->name) {
        line_text(&line, "store", checked->name);
    }
    line_number(&line, "blobs", report->blobs);
    line_number(&line, "bytes", report->bytes);
    line_number(&line, "manifests", report->manifests);
    line_number(&line, "tags", report->tags);
    line_number(&line, "problems", report->problems);
    line_say(&line,
             "%s%" PRIu64 " blobs of %" PRIu64 " bytes, %" PRIu64 " manifests, %" PRIu64
             " tags: %" PRIu64 " problems",
             checked->prefix, report->blobs, report->bytes, report->manifests, report->tags,
             report->problems);
    line_end(&line);
}

static int check_store(const struct configuration *configuration, const struct arguments *arguments,
                       struct checked *checked)
{
    struct verify_report report = {.problem = check_tell,
                                   .context = checked,
                                   .repair = arguments->has[OPTION_REPAIR],
                                   .skip_content = arguments->has[OPTION_NO_CONTENT],
                                   .is_cache = checked->open == command_open_cache};
    struct store store = STORE_INIT;
    struct error error;
    int result =
        checked->open(&store, configuration, report.repair ? OPEN_TO_CHANGE : OPEN_TO_LOOK, &error);

    if (result == 0) {
        result = verify_store(&store, &report, &error);
    }
    store_close(&store);
    if (result < 0) {
        return command_fail(&command_check, &error);
    }
    if (!report.is_cache || report.blobs + report.manifests + report.problems > 0) {
        check_summarize(&report, checked);
    }
    return report.problems > 0 ? EXIT_FOUND : EXIT_FINE;
}

/* The worse of two exit statuses is the greater one. A cache that is not there yet has nothing
 * wrong. */
static int check_stores(const struct configuration *configuration,
                        const struct arguments *arguments)
{
    const struct proxy_options *proxy = &configuration->registry.proxy;
    bool json = arguments->has[OPTION_JSON];
    struct checked hosted = {NULL, "", json, command_open_hosted};
    struct checked cache = {"proxy", "proxy: ", json, command_open_cache};
    int cache_status = EXIT_FINE;
    int status;

    if (proxy->enabled && access(proxy->store.root, F_OK) == 0) {
        cache_status = check_store(configuration, arguments, &cache);
    }
    status = check_store(configuration, arguments, &hosted);
    return status > cache_status ? status : cache_status;
}

static int check_run(const struct configuration *configuration, const struct arguments *arguments)
{
    if (arguments->has[OPTION_USER] &&
        (!arguments->has[OPTION_SETUP] || arguments->operand_count == 0)) {
        return command_refuse(&command_check, "--user is for --setup with a URL");
    }
    if (!arguments->has[OPTION_SETUP]) {
        return arguments->operand_count == 0
                   ? check_stores(configuration, arguments)
                   : command_refuse(&command_check,
                                    "unexpected argument '%s'; a URL belongs to "
                                    "--setup",
                                    arguments->operands[0]);
    }
    if (arguments->has[OPTION_REPAIR] || arguments->has[OPTION_NO_CONTENT]) {
        return command_refuse(&command_check,
                              "unexpected argument '%s': --setup looks at other "
                              "things",
                              arguments->has[OPTION_REPAIR] ? "--repair" : "--no-content");
    }
    return command_setup(configuration, arguments);
}

static const struct option_row check_options[] = {
    {.id = OPTION_REPAIR,
     .name = "--repair",
     .help = "move damaged blobs aside and remove links that lead nowhere"},
    {.id = OPTION_NO_CONTENT, .name = "--no-content", .help = "do not read the blobs"},
    {.id = OPTION_SETUP,
     .name = "--setup",
     .help = "look instead whether directories, users and, at URL, the web server fit"},
    {.id = OPTION_USER,
     .name = "--user",
     .value = "NAME",
     .help =
         "with --setup: log in at URL; asks for the password, or reads a line of standard input"},
    OPTION_ROW_JSON,
    OPTIONS_END,
};

const struct command command_check = {
    .name = "check",
    .summary = "look whether the store is sound, or whether what is around it is set up well",
    .options = check_options,
    .operands = "[URL]",
    .maximum_operands = 1,
    .run = check_run,
};
