/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "fcgi/command/command.h"
#include "fcgi/command/line.h"
#include "fcgi/command/open.h"
#include "lib/base/clock.h"
#include "lib/base/owner.h"

void command_raise(struct store *store, const struct configuration *configuration,
                   const struct command_deed *deed)
{
    struct event event;
    struct error error;

    if (!events_are_wanted(&configuration->events, deed->kind, deed->repository)) {
        return;
    }
    event_begin(&event, deed->kind, clock_date_nanoseconds());
    EVENT_SET(&event, repository, deed->repository);
    EVENT_SET(&event, tag, deed->tag);
    EVENT_SET(&event, digest, deed->digest);
    EVENT_SET(&event, actor, deed->actor);
    if (events_raise(store, &configuration->events, &event, &error) < 0) {
        line_complain("an event of %s is lost: %s", deed->repository, error.message);
    }
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
