/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "fcgi/command/command.h"
#include "fcgi/command/line.h"
#include "fcgi/command/open.h"
#include "fcgi/command/target.h"
#include "lib/base/text.h"
#include "lib/store/repository.h"

static int delete_target(const struct repository *repository, const struct target *target,
                         const struct actor *actor, struct error *error)
{
    if (*target->tag) {
        return repository_delete_tag(repository, target->tag, NULL, actor, error);
    }
    return target->digest.text[0]
               ? repository_delete_manifest(repository, &target->digest, actor, error)
               : repository_delete_all(repository, actor, error);
}

static void delete_tell(const char *what, uint64_t lost, bool json)
{
    AUTO_LINE struct line line = line_begin(json);

    line_text(&line, "deleted", what);
    if (lost > 0) {
        line_number(&line, "lost_files", lost);
        line_say(&line,
                 "%s is deleted: there was no room in the trash for %" PRIu64
                 " of its files, which "
                 "cannot be taken back",
                 what, lost);
    } else {
        line_say(&line, "%s is in the trash: 'berth restore %s' takes it back", what, what);
    }
    line_end(&line);
}

static int delete_run(const struct configuration *configuration, const struct arguments *arguments)
{
    const char *what = arguments->operands[0];
    struct store store = STORE_INIT;
    struct command_teller teller = {&store, configuration, "@berth"};
    struct actor actor = command_actor(&teller);
    struct repository repository = {.store = &store};
    struct target target;
    struct error error;
    uint64_t lost = 0;
    int result;

    if (!target_parse(&target, what) || (*target.tag && target.digest.text[0])) {
        return command_refuse(&command_delete, "'%s' is no NAME, NAME:TAG or NAME@DIGEST", what);
    }
    actor.forces = arguments->has[OPTION_FORCE];
    (void)text_copy(repository.name, sizeof(repository.name), target.name, strlen(target.name));
    result = command_open_hosted(&store, configuration, OPEN_TO_CHANGE, &error);
    if (result == 0) {
        store.lost = &lost;
        result = delete_target(&repository, &target, &actor, &error);
    }
    if (result > 0) {
        events_start(&store, &configuration->events);
    }
    store_close(&store);
    if (result < 0) {
        return command_fail(&command_delete, &error);
    }
    if (result == 0) {
        line_complain("berth delete: there is no '%s'", what);
    } else {
        delete_tell(what, lost, arguments->has[OPTION_JSON]);
    }
    return result == 0 ? EXIT_FOUND : EXIT_FINE;
}

static const struct option_row delete_options[] = {
    {.id = OPTION_FORCE, .name = "--force", .help = "also what immutable_tags keeps"},
    OPTION_ROW_JSON,
    OPTIONS_END,
};

const struct command command_delete = {
    .name = "delete",
    .summary = "delete a tag, a manifest with its tags, or all of a repository",
    .options = delete_options,
    .operands = "NAME[:TAG|@DIGEST]",
    .minimum_operands = 1,
    .maximum_operands = 1,
    .details = "It lies in the trash for trash_days: see berth restore.",
    .is_audited = true,
    .run = delete_run,
};
