/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "fcgi/command/command.h"
#include "fcgi/command/line.h"
#include "fcgi/command/open.h"
#include "fcgi/command/target.h"
#include "lib/base/text.h"
#include "lib/store/put_back.h"
#include "lib/store/restore.h"

static void restore_tell(void *context, const char *kind, const char *name)
{
    const bool *json = context;
    AUTO_LINE struct line line = line_begin(*json);

    line_text(&line, "restored", kind);
    line_text(&line, "name", name);
    line_say(&line, "%s %s is back", kind, name);
    line_end(&line);
}

static void restore_tell_problem(void *context, const char *name, const char *why)
{
    const bool *json = context;
    AUTO_LINE struct line line = line_begin(*json);

    line_text(&line, "problem", why);
    line_text(&line, "name", name);
    line_say(&line, "%s: %s", name, why);
    line_end(&line);
}

static int restore_target(struct restoration *restoration, const struct target *target,
                          struct error *error)
{
    if (*target->tag && target->digest.text[0]) {
        int moved = put_back_tag(restoration, target->tag, &target->digest, error);

        return moved < 0 ? -1 : 1;
    }
    if (target->digest.text[0]) {
        return restore_manifest(restoration, &target->digest, error);
    }
    return *target->tag ? restore_tag(restoration, target->tag, error)
                        : restore_repository(restoration, error);
}

/* Exit status. */
static int restore_run_change(struct restoration *restoration, const struct target *target,
                              const char *what, struct error *error)
{
    int result = restore_target(restoration, target, error);

    if (result < 0 && error->code == ERROR_NO_SPACE) {
        line_complain("berth restore: there is no room for all of '%s': %s: what is not back is in "
                      "the trash as before: make room, but not with 'berth gc --empty-trash', and "
                      "run it again",
                      what, error->message);
        return EXIT_FAILED;
    }
    if (result < 0) {
        return command_fail(&command_restore, error);
    }
    if (result == 0) {
        line_complain("berth restore: nothing of '%s' is in the trash", what);
    } else if (restoration->manifests + restoration->tags + restoration->blobs +
                   restoration->problems ==
               0) {
        line_complain("berth restore: nothing of '%s' is missing", what);
    }
    return result == 0 || restoration->problems > 0 ? EXIT_FOUND : EXIT_FINE;
}

static void restore_tell_entry(const struct history_entry *entry, bool json)
{
    AUTO_LINE struct line line = line_begin(json);
    const char *author = entry->author;

    line_date(&line, "time", entry->time);
    line_text(&line, "event", history_event_word(entry->event));
    line_text(&line, "digest", entry->digest.text);
    if (author) {
        line_text(&line, "by", author);
    } else {
        line_raw(&line, "by", "null");
    }
    line_say(&line, "  %-8s  %s  by %s", history_event_word(entry->event), entry->digest.text,
             !author   ? "another program"
             : *author ? author
                       : "anybody");
    line_end(&line);
}

/* Exit status. */
static int restore_run_history(const struct repository *repository, const struct target *target,
                               bool json, struct error *error)
{
    AUTO_HISTORY struct history history = HISTORY_INIT;
    int found = history_read(repository, target->tag, SIZE_MAX, &history, error);

    if (found < 0) {
        return command_fail(&command_restore, error);
    }
    for (size_t i = 0; i < history.count; i++) {
        restore_tell_entry(&history.entries[i], json);
    }
    if (found == 0) {
        line_complain("berth restore: nothing is known of '%s:%s'", target->name, target->tag);
    }
    return found > 0 ? EXIT_FINE : EXIT_FOUND;
}

static int restore_run(const struct configuration *configuration, const struct arguments *arguments)
{
    bool json = arguments->has[OPTION_JSON];
    bool looks = arguments->has[OPTION_HISTORY];
    const char *what = arguments->operands[0];
    struct store store = STORE_INIT;
    struct repository repository = {.store = &store};
    AUTO_RESTORATION struct restoration restoration = RESTORATION_INIT(&repository);
    struct command_teller teller = {&store, configuration, "@berth"};
    struct actor actor = command_actor(&teller);
    struct target target;
    struct error error;
    int status;

    if (!target_parse(&target, what)) {
        return command_refuse(&command_restore,
                              "'%s' is no NAME, NAME:TAG, NAME@DIGEST or NAME:TAG@DIGEST", what);
    }
    if (looks && (!*target.tag || target.digest.text[0])) {
        return command_refuse(&command_restore, "--history wants a NAME:TAG");
    }
    (void)text_copy(repository.name, sizeof(repository.name), target.name, strlen(target.name));
    restoration.restored = restore_tell;
    restoration.problem = restore_tell_problem;
    restoration.context = &json;
    restoration.actor = &actor;
    actor.forces = arguments->has[OPTION_FORCE];
    if (command_open_hosted(&store, configuration, looks ? OPEN_TO_LOOK : OPEN_TO_CHANGE, &error) <
        0) {
        return command_fail(&command_restore, &error);
    }
    status = looks ? restore_run_history(&repository, &target, json, &error)
                   : restore_run_change(&restoration, &target, what, &error);
    if (restoration.tags > 0) {
        events_start(&store, &configuration->events);
    }
    store_close(&store);
    return status;
}

static const struct option_row restore_options[] = {
    {.id = OPTION_FORCE, .name = "--force", .help = "move a tag also if immutable_tags keeps it"},
    {.id = OPTION_HISTORY, .name = "--history", .help = "only list what NAME:TAG has stood for"},
    OPTION_ROW_JSON,
    OPTIONS_END,
};

const struct command command_restore = {
    .name = "restore",
    .summary = "take back what was deleted, or put a tag back to what it was",
    .options = restore_options,
    .operands = "NAME[:TAG][@DIGEST]",
    .minimum_operands = 1,
    .maximum_operands = 1,
    .details =
        "NAME: all of a repository; NAME:TAG: a tag; NAME@DIGEST: a manifest with its tags;\n"
        "NAME:TAG@DIGEST: a tag becomes what it was. For as long as it is in the trash\n"
        "(trash_days). See berth gc.",
    .is_audited = true,
    .run = restore_run,
};
