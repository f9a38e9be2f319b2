/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "fcgi/command/command.h"
#include "fcgi/command/line.h"
#include "fcgi/command/open.h"
#include "fcgi/command/progress.h"
#include "lib/base/clock.h"
#include "lib/base/pace.h"
#include "lib/base/text.h"
#include "lib/store/chore.h"
#include "lib/store/verify.h"

enum { SLOWEST = 64 * 1024 }; /* bytes a second: a piece is read within seconds */

/* What the command line says. */
struct check_wish {
    bool repair;
    bool skip_content;
    bool json;
    bool is_slice;       /* --older-than */
    uint64_t older_than; /* seconds */
    uint64_t rate;       /* bytes a second; 0: any */
};

/*
 * One of the two stores: its name for machines, and what stands in front of its lines for people.
 * The hosted one is meant where nothing is said.
 */
struct checked {
    const char *name; /* NULL: none */
    const char *prefix;
    int (*open)(struct store *store, const struct configuration *configuration,
                enum open_purpose purpose, struct error *error);
    const struct check_wish *wish;
    struct store store;
    struct verify_report report;
    struct progress progress;
    struct pace pace;
    struct chore chore;
    bool is_begun; /* something was read */
};

/* The signal that asks for an end. What was verified until then is noted first. */
static volatile sig_atomic_t check_signal;

static void check_note_signal(int number)
{
    check_signal = number;
}

static void check_handle_signals(void (*handler)(int number))
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    struct sigaction action = {.sa_handler = handler};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        (void)sigaction(numbers[i], &action, NULL);
    }
}

/* As if it had not been caught, so that whoever waits sees what has ended us. */
static int check_end_by_signal(void)
{
    line_complain("berth check: stopped; what was read until now is noted, --older-than goes on");
    check_handle_signals(SIG_DFL);
    (void)raise(check_signal);
    return EXIT_FAILED;
}

static bool check_step(void *context, uint64_t bytes)
{
    struct checked *checked = context;
    int64_t wait = pace_moved(&checked->pace, bytes, clock_milliseconds());

    if (!checked->is_begun && bytes > 0) {
        checked->is_begun = true;
        chore_begin(&checked->chore, CHORE_CHECK, &checked->store);
        progress_begin(&checked->progress, checked->name ? checked->name : "registry",
                       checked->report.due_bytes);
    }
    if (checked->is_begun) {
        progress_step(&checked->progress, checked->report.read_bytes);
        chore_go_on(&checked->chore, &checked->store);
    }
    if (wait > 0 && check_signal == 0) {
        clock_pause(wait);
    }
    return check_signal == 0;
}

static struct line check_line(struct checked *checked)
{
    struct line line = line_begin(checked->wish->json);

    progress_clear(&checked->progress);
    if (checked->name) {
        line_text(&line, "store", checked->name);
    }
    return line;
}

static void check_tell(void *context, const char *path, const char *what)
{
    struct checked *checked = context;
    AUTO_LINE struct line line = check_line(checked);

    line_text(&line, "path", path);
    line_text(&line, "problem", what);
    line_say(&line, "%s%s: %s", checked->prefix, path, what);
    line_end(&line);
}

static void check_tell_hurt(void *context, const char *repository, const char *tag,
                            const struct digest *culprit)
{
    struct checked *checked = context;
    AUTO_LINE struct line line = check_line(checked);

    line_text(&line, "repository", repository);
    line_text(&line, "tag", tag);
    line_text(&line, "hurt_by", culprit->text);
    line_say(&line, "%s%s:%s cannot be pulled whole: %s is damaged or missing", checked->prefix,
             repository, tag, culprit->text);
    line_end(&line);
}

static void check_summarize(struct checked *checked)
{
    const struct verify_report *report = &checked->report;
    AUTO_LINE struct line line = check_line(checked);
    AUTO_BUFFER struct buffer read = BUFFER_INIT;

    line_number(&line, "blobs", report->blobs);
    line_number(&line, "bytes", report->bytes);
    line_number(&line, "read_blobs", report->read_blobs);
    line_number(&line, "read_bytes", report->read_bytes);
    line_number(&line, "manifests", report->manifests);
    line_number(&line, "tags", report->tags);
    line_number(&line, "hurt_tags", report->hurt_tags);
    line_number(&line, "problems", report->problems);
    line_say(&line,
             "%s%" PRIu64 " blobs of %" PRIu64 " bytes, %" PRIu64 " manifests, %" PRIu64
             " tags: %" PRIu64 " problems",
             checked->prefix, report->blobs, report->bytes, report->manifests, report->tags,
             report->problems);
    if (checked->wish->is_slice) {
        text_add_bytes(report->read_bytes, &read);
        line_say(&line, "; %" PRIu64 " blobs of %s were due and read", report->read_blobs,
                 read.data);
    }
    if (report->hurt_tags > 0) {
        line_say(&line, "; %" PRIu64 " tags cannot be pulled whole", report->hurt_tags);
    }
    line_end(&line);
}

static void check_prepare(struct checked *checked)
{
    const struct check_wish *wish = checked->wish;

    progress_init(&checked->progress, wish->json);
    checked->pace.rate = wish->rate;
    checked->report = (struct verify_report){
        .problem = check_tell,
        .hurt = check_tell_hurt,
        .read = check_step,
        .context = checked,
        .repair = wish->repair,
        .skip_content = wish->skip_content,
        .is_cache = checked->open == command_open_cache,
        .measures = checked->progress.form == PROGRESS_BARS,
        .remembers = true,
        .since = INT64_MAX,
    };
    if (wish->is_slice) {
        checked->report.since = clock_date() - (time_t)wish->older_than + (wish->older_than == 0);
    }
}

/* Nothing is noted of how it goes as long as nothing was read. */
static int check_look(struct checked *checked, struct error *error)
{
    int result = verify_store(&checked->store, &checked->report, error);

    progress_clear(&checked->progress);
    if (checked->is_begun) {
        chore_end(&checked->chore, &checked->store,
                  result < 0                   ? CHORE_FAILED
                  : checked->report.is_stopped ? CHORE_STOPPED
                                               : CHORE_DONE,
                  checked->report.problems);
    }
    return result;
}

static int check_store(const struct configuration *configuration, struct checked *checked)
{
    const struct verify_report *report = &checked->report;
    struct error error;
    int result;

    check_prepare(checked);
    checked->store = (struct store)STORE_INIT;
    result = checked->open(&checked->store, configuration,
                           report->repair ? OPEN_TO_CHANGE : OPEN_TO_LOOK, &error);
    if (result == 0) {
        result = check_look(checked, &error);
    }
    store_close(&checked->store);
    if (result < 0) {
        return command_fail(&command_check, &error);
    }
    if (!report->is_cache || report->blobs + report->manifests + report->problems > 0) {
        check_summarize(checked);
    }
    return report->problems > 0 ? EXIT_FOUND : EXIT_FINE;
}

/* The worse of two exit statuses is the greater one. A cache that is not there yet has nothing
 * wrong. */
static int check_stores(const struct configuration *configuration, const struct check_wish *wish)
{
    struct checked hosted = {.prefix = "", .open = command_open_hosted, .wish = wish};
    struct checked cache = {
        .name = "proxy", .prefix = "proxy: ", .open = command_open_cache, .wish = wish};
    int cache_status = EXIT_FINE;
    int status;

    check_handle_signals(check_note_signal);
    if (command_has_cache(configuration)) {
        cache_status = check_store(configuration, &cache);
    }
    if (check_signal != 0) {
        return check_end_by_signal();
    }
    status = check_store(configuration, &hosted);
    if (check_signal != 0) {
        return check_end_by_signal();
    }
    return status > cache_status ? status : cache_status;
}

/* 0, -1 with what is wrong. */
static int check_read_wish(const struct arguments *arguments, struct check_wish *out,
                           struct error *error)
{
    const char *age = arguments_value(arguments, OPTION_OLDER_THAN, 0);
    const char *rate = arguments_value(arguments, OPTION_RATE, 0);
    struct check_wish wish = {
        .repair = arguments->has[OPTION_REPAIR],
        .skip_content = arguments->has[OPTION_NO_CONTENT],
        .json = arguments->has[OPTION_JSON],
        .is_slice = age != NULL,
    };

    if (wish.skip_content && (age || rate)) {
        return error_set(error, ERROR_REQUEST_INVALID,
                         "%s is for blobs that are read, and --no-content reads none",
                         age ? "--older-than" : "--rate");
    }
    if (age && !text_seconds(age, &wish.older_than)) {
        return error_set(error, ERROR_REQUEST_INVALID,
                         "--older-than wants an age such as 30d, not '%s'", age);
    }
    if (rate && (!text_bytes(rate, &wish.rate) || wish.rate < SLOWEST)) {
        return error_set(error, ERROR_REQUEST_INVALID,
                         "--rate wants bytes a second, such as 20M, and at least 64K, not '%s'",
                         rate);
    }
    *out = wish;
    return 0;
}

static int check_run(const struct configuration *configuration, const struct arguments *arguments)
{
    static const enum option_id other_things[] = {OPTION_REPAIR, OPTION_NO_CONTENT,
                                                  OPTION_OLDER_THAN, OPTION_RATE};
    static const char *const names[] = {"--repair", "--no-content", "--older-than", "--rate"};
    struct check_wish wish = {.json = false};
    struct error error;

    if (arguments->has[OPTION_USER] &&
        (!arguments->has[OPTION_SETUP] || arguments->operand_count == 0)) {
        return command_refuse(&command_check, "--user is for --setup with a URL");
    }
    if (!arguments->has[OPTION_SETUP] && arguments->operand_count > 0) {
        return command_refuse(&command_check, "unexpected argument '%s'; a URL belongs to --setup",
                              arguments->operands[0]);
    }
    if (!arguments->has[OPTION_SETUP]) {
        return check_read_wish(arguments, &wish, &error) < 0
                   ? command_refuse(&command_check, "%s", error.message)
                   : check_stores(configuration, &wish);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (arguments->has[other_things[i]]) {
            return command_refuse(&command_check,
                                  "unexpected argument '%s': --setup looks at other things",
                                  names[i]);
        }
    }
    return command_setup(configuration, arguments);
}

static const struct option_row check_options[] = {
    {.id = OPTION_REPAIR,
     .name = "--repair",
     .help = "move damaged things aside, mend links, and take away those that lead nowhere"},
    {.id = OPTION_NO_CONTENT, .name = "--no-content", .help = "do not read the blobs"},
    {.id = OPTION_OLDER_THAN,
     .name = "--older-than",
     .value = "AGE",
     .help = "read only blobs that were not verified for so long, such as 30d"},
    {.id = OPTION_RATE,
     .name = "--rate",
     .value = "BYTES",
     .help = "read at most so many bytes a second, such as 20M"},
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
    .is_audited = true,
    .run = check_run,
};
