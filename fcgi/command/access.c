/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fcgi/command/command.h"
#include "fcgi/command/line.h"
#include "lib/access/password.h"
#include "lib/registry/identity.h"

/* One question after the other, about one repository. */
struct inquiry {
    const struct configuration *configuration;
    struct identity identity;
    bool json;
};

static void access_say(const struct inquiry *inquiry, const struct subject *subject,
                       enum right right)
{
    const struct access_options *access = &inquiry->configuration->registry.access;
    const char *who = *subject->name ? subject->name : "anonymous";
    AUTO_LINE struct line line = line_begin(inquiry->json);
    AUTO_BUFFER struct buffer why = BUFFER_INIT;
    struct decision decision = {.is_granted = true};

    if (access->mode == ACCESS_NONE) {
        buffer_add_text(&why, "mode = none: nobody is asked");
    } else {
        rules_judge(&access->rules, subject, inquiry->identity.name, right, &decision);
        decision_explain(&decision, right, &why);
    }
    line_text(&line, "subject", who);
    line_text(&line, "repository", inquiry->identity.name);
    line_text(&line, "right", right_word(right));
    line_raw(&line, "granted", decision.is_granted ? "true" : "false");
    line_text(&line, "reason", why.data);
    line_say(&line, "%s: %s: %s: %s", who, right_word(right), decision.is_granted ? "yes" : "no",
             why.data);
    if (decision.line > 0) {
        line_number(&line, "line", decision.line);
        line_say(&line, " (%s:%u)", inquiry->configuration->file, decision.line);
    }
    line_end(&line);
}

static void access_say_all(const struct inquiry *inquiry, const char *name)
{
    struct subject subject;

    if (rules_subject(name, &subject)) {
        for (unsigned right = RIGHT_PULL; right <= RIGHT_DELETE; right *= 2) {
            access_say(inquiry, &subject, (enum right)right);
        }
    }
}

/* Those of a list who are somebody, and not many at once. */
static void access_collect(const struct rules_list *list, struct names *out)
{
    for (size_t i = 0; i < list->names.count; i++) {
        const char *name = list->names.names[i];

        if (rules_member_is_valid(name) && !strchr(name, '*')) {
            names_add(out, name);
        }
    }
}

/* Everybody whom the configuration and the password file name. */
static int access_find_everybody(const struct access_options *access, struct names *out,
                                 struct error *error)
{
    AUTO_PASSWORD_FILE struct password_file file =
        PASSWORD_FILE_INIT(access->mode == ACCESS_HTPASSWD ? access->htpasswd : NULL);

    for (size_t i = 0; i < access->rules.section_count; i++) {
        const struct rules_section *section = &access->rules.sections[i];

        access_collect(&section->pull, out);
        access_collect(&section->push, out);
        access_collect(&section->overwrite, out);
        access_collect(&section->delete, out);
    }
    for (size_t i = 0; i < access->rules.group_count; i++) {
        access_collect(&access->rules.groups[i].members, out);
    }
    if (access->mode == ACCESS_HTPASSWD && password_file_refresh(&file, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < file.count; i++) {
        names_add(out, file.users[i].name);
    }
    names_sort(out);
    return 0;
}

static int access_run(const struct configuration *configuration, const struct arguments *arguments)
{
    const char *repository = arguments->operands[arguments->operand_count - 1];
    struct naming naming = {.name = repository, .prefix = ""};
    struct inquiry inquiry = {.configuration = configuration, .json = arguments->has[OPTION_JSON]};
    AUTO_NAMES struct names names = NAMES_INIT;
    struct error error = ERROR_INIT;
    struct subject subject;

    if (identity_find(&inquiry.identity, &configuration->registry.proxy, &naming, &error) < 0) {
        return command_refuse(&command_access, "'%s': %s", repository, error.message);
    }
    if (arguments->operand_count > 1) {
        if (!rules_subject(arguments->operands[0], &subject)) {
            return command_refuse(&command_access, "nobody can be called '%s'",
                                  arguments->operands[0]);
        }
        access_say_all(&inquiry, arguments->operands[0]);
        return EXIT_FINE;
    }
    if (access_find_everybody(&configuration->registry.access, &names, &error) < 0) {
        return command_fail(&command_access, &error);
    }
    access_say_all(&inquiry, "");
    for (size_t i = 0; i < names.count; i++) {
        if (i == 0 || strcmp(names.names[i], names.names[i - 1]) != 0) {
            access_say_all(&inquiry, names.names[i]);
        }
    }
    return EXIT_FINE;
}

static const struct option_row access_option_rows[] = {OPTION_ROW_JSON, OPTIONS_END};

const struct command command_access = {
    .name = "access",
    .summary = "say who may do what to a repository, and which line decides",
    .options = access_option_rows,
    .operands = "[USER] REPOSITORY",
    .minimum_operands = 1,
    .maximum_operands = 2,
    .run = access_run,
};
