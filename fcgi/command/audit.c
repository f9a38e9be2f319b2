/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "fcgi/command/command.h"
#include "fcgi/command/line.h"
#include "fcgi/command/open.h"
#include "lib/base/clock.h"
#include "lib/base/owner.h"

static void command_raise(const struct command_teller *teller, struct event *event)
{
    struct error error;

    EVENT_SET(event, actor, teller->name);
    if (events_raise(teller->store, &teller->configuration->events, event, &error) < 0) {
        line_complain("an event of %s is lost: %s", event->repository, error.message);
    }
}

static void command_tell(void *context, const struct actor_deed *deed)
{
    const struct command_teller *teller = context;
    struct event event;

    if (events_are_wanted(&teller->configuration->events, events_kind(deed),
                          deed->repository->name)) {
        events_describe(&event, deed);
        EVENT_SET(&event, repository, deed->repository->name);
        command_raise(teller, &event);
    }
}

struct actor command_actor(struct command_teller *teller)
{
    return (struct actor){.name = teller->name, .done = command_tell, .context = teller};
}

void command_tell_fill(const struct command_teller *teller, const char *repository,
                       const char *reference, const struct stored_manifest *manifest)
{
    struct event event;

    if (!events_are_wanted(&teller->configuration->events, EVENT_FILL, repository)) {
        return;
    }
    event_begin(&event, EVENT_FILL, clock_date_nanoseconds());
    EVENT_SET(&event, repository, repository);
    EVENT_SET(&event, tag, tag_is_valid(reference) ? reference : NULL);
    EVENT_SET(&event, digest, manifest->digest.text);
    EVENT_SET(&event, media_type, manifest->media_type);
    event.size = manifest->size;
    command_raise(teller, &event);
}

/* As the store's owner, who is whom the workers run as: they go on in the same file. */
void command_audit(const struct command *command, const struct configuration *configuration,
                   const struct arguments *arguments, unsigned user, int status)
{
    bool only_looks = arguments->has[OPTION_DRY_RUN] ||
                      (command == &command_check && !arguments->has[OPTION_REPAIR]);
    AUTO_BUFFER struct buffer line = BUFFER_INIT;
    AUTO_BUFFER struct buffer what = BUFFER_INIT;
    struct error error;

    if (!command->is_audited || only_looks || !audit_is_wanted(&configuration->audit)) {
        return;
    }
    if (command_become_owner(configuration, &error) < 0) {
        line_complain("berth %s: not in the audit log: %s", command->name, error.message);
        return;
    }
    for (size_t i = 0; i < arguments->operand_count; i++) {
        buffer_format(&what, "%s%s", i > 0 ? " " : "", arguments->operands[i]);
    }
    audit_begin(&line, command->name);
    audit_text(&line, "subject", owner_user(user).text);
    audit_text(&line, "kind", "operator");
    audit_text(&line, "sudo", getenv("SUDO_USER"));
    audit_text(&line, "what", what.data);
    audit_number(&line, "status", (uint64_t)status);
    audit_end(&line, &configuration->audit);
}
