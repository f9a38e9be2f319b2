/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "fcgi/command/command.h"
#include "fcgi/command/line.h"
#include "fcgi/command/open.h"
#include "lib/base/text.h"
#include "lib/store/restore.h"

/* NAME, NAME:TAG or NAME@DIGEST. */
struct restore_wish {
    char name[NAME_SIZE];
    char tag[TAG_SIZE];   /* "": none */
    struct digest digest; /* the same */
};

static bool restore_read_wish(const char *text, struct restore_wish *out)
{
    const char *at = strchr(text, '@');
    const char *slash = strrchr(text, '/');
    const char *colon = at ? NULL : strchr(slash ? slash : text, ':');
    size_t length = at ? (size_t)(at - text) : colon ? (size_t)(colon - text) : strlen(text);
    struct error ignored;

    *out = (struct restore_wish){.name = ""};
    if (!text_copy(out->name, sizeof(out->name), text, length) || !name_is_valid(out->name)) {
        return false;
    }
    if (at) {
        return digest_parse(&out->digest, at + 1, &ignored) == 0;
    }
    return !colon || (tag_is_valid(colon + 1) &&
                      text_copy(out->tag, sizeof(out->tag), colon + 1, strlen(colon + 1)));
}

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

static int restore_wished(struct restoration *restoration, const struct restore_wish *wish,
                          struct error *error)
{
    if (wish->digest.text[0]) {
        return restore_manifest(restoration, &wish->digest, error);
    }
    return *wish->tag ? restore_tag(restoration, wish->tag, error)
                      : restore_repository(restoration, error);
}

static int restore_run(const struct configuration *configuration, const struct arguments *arguments)
{
    bool json = arguments->has[OPTION_JSON];
    const char *what = arguments->operands[0];
    struct store store = STORE_INIT;
    struct repository repository = {.store = &store};
    AUTO_RESTORATION struct restoration restoration = RESTORATION_INIT(&repository);
    const struct actor actor = {.name = "@berth"};
    struct restore_wish wish;
    struct error error;
    int result;

    if (!restore_read_wish(what, &wish)) {
        return command_refuse(&command_restore, "'%s' is no NAME, NAME:TAG or NAME@DIGEST", what);
    }
    (void)text_copy(repository.name, sizeof(repository.name), wish.name, strlen(wish.name));
    restoration.restored = restore_tell;
    restoration.problem = restore_tell_problem;
    restoration.context = &json;
    restoration.actor = &actor;
    result = command_open_hosted(&store, configuration, OPEN_TO_CHANGE, &error);
    if (result == 0) {
        result = restore_wished(&restoration, &wish, &error);
    }
    store_close(&store);
    if (result < 0) {
        return command_fail(&command_restore, &error);
    }
    if (result == 0) {
        line_complain("berth restore: nothing of '%s' is in the trash", what);
    } else if (restoration.manifests + restoration.tags + restoration.problems == 0) {
        line_complain("berth restore: nothing of '%s' is missing", what);
    }
    return result == 0 || restoration.problems > 0 ? EXIT_FOUND : EXIT_FINE;
}

static const struct option_row restore_options[] = {OPTION_ROW_JSON, OPTIONS_END};

const struct command command_restore = {
    .name = "restore",
    .summary = "take back what was deleted: a tag, a manifest with its tags, all of a repository",
    .options = restore_options,
    .operands = "NAME[:TAG|@DIGEST]",
    .minimum_operands = 1,
    .maximum_operands = 1,
    .details = "For as long as it is in the trash: trash_days. See berth gc.",
    .run = restore_run,
};
