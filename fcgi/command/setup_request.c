/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/setup_request.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fcgi/command/command.h"
#include "fcgi/command/setup_address.h"
#include "fcgi/command/setup_judge.h"
#include "lib/base/directory.h"
#include "lib/base/text.h"
#include "lib/store/memo.h"

/* Also those that an earlier check has left behind, when it was killed. */
static void probes_remove(const struct store *store)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    struct error ignored;

    if (directory_list(store->root, LAYOUT_OWN, &names, &ignored) <= 0) {
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        if (text_begins(names.names[i], LAYOUT_SETUP_PROBE)) {
            struct path path = layout_below(LAYOUT_OWN, names.names[i]);

            (void)unlinkat(store->root, path.text, 0);
        }
    }
}

/*
 * Readable by those who can read blobs: the workers' umask may be another than ours. The name is
 * another one each time, since lighttpd remembers files for a while.
 */
static int probe_write(const struct store *store, const char *path, const char *content,
                       struct error *error)
{
    AUTO_CLOSE int descriptor = file_create(store->root, path, error);
    struct stat status;

    if (descriptor < 0) {
        return -1;
    }
    if (fstatat(store->root, LAYOUT_BLOBS, &status, 0) < 0 ||
        fchmod(descriptor, status.st_mode & 0666) < 0) {
        return error_errno(error, "chmod '%s'", path);
    }
    return file_write_at(descriptor, 0, content, strlen(content), error);
}

static void visit_judge_sendfile(struct visit *visit, const struct store *store, const char *name)
{
    const char *root = store->options->root;
    char content[ID_SIZE];
    struct digest token;
    struct error error;
    int status;

    id_make(content);
    digest_of(DIGEST_SHA256, visit->token, strlen(visit->token), &token);
    if (probe_write(store, layout_setup_probe(&token).text, content, &error) < 0) {
        findings_problem(visit->findings, root, "%s" FINDINGS_DO "let this user write there",
                         error.message);
    } else {
        status = visit_fetch(visit, name);
        if (status == 200 && strcmp(visit->answer.data, content) == 0) {
            findings_ok(visit->findings, root, "the web server sends blobs from it");
        } else {
            findings_problem(visit->findings, root,
                             "the web server does not send what is in it (%d)" FINDINGS_DO
                             "nginx: the location /_berth/%s/ is an alias of '%s/'; lighttpd: "
                             "x-sendfile-docroot has it; Apache: XSendFilePath has it; and the web "
                             "server's user may read it",
                             status, name, root);
        }
    }
    probes_remove(store);
}

/* True if it makes sense to go on. `out_is_same`: the workers' configuration is ours. */
static bool visit_with_length(struct visit *visit, bool *out_is_same)
{
    AUTO_BUFFER struct buffer obstacle = BUFFER_INIT;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;

    if (!visit_is_understood(visit, visit_ask(visit, false))) {
        return false;
    }
    *out_is_same = visit_judge_configuration(visit);
    visit_judge_process(visit);
    visit_told(visit, SETUP_OBSTACLE, &obstacle);
    if (obstacle.length > 0) {
        findings_problem(visit->findings, visit->url,
                         "the workers cannot serve: %s" FINDINGS_DO "mend that first",
                         obstacle.data);
        return false;
    }
    visit_judge_parameters(visit);
    visit_told(visit, SETUP_BODY_FILE, &file);
    if (file.length > 0) {
        visit_judge_body_file(visit, file.data);
    }
    if (visit_judge_body(visit, "with a length") && file.length == 0) {
        findings_ok(visit->findings, visit->url, "bodies are streamed to the workers");
    }
    return true;
}

static void visit_in_chunks(struct visit *visit)
{
    if (visit_is_understood(visit, visit_ask(visit, true)) &&
        visit_judge_body(visit, "in chunks")) {
        findings_ok(visit->findings, visit->url, "bodies without a length arrive whole");
    }
}

static int visit_write_token(const struct visit *visit, struct store *hosted, struct error *error)
{
    AUTO_BUFFER struct buffer token = BUFFER_INIT;

    buffer_add_text(&token, visit->token);
    return memo_write(hosted, (struct file_place){hosted->root, LAYOUT_SETUP_TOKEN}, &token, error);
}

static int visit_all(struct visit *visit, const struct setup_target *target)
{
    AUTO_BUFFER struct buffer sendfile = BUFFER_INIT;
    struct store *hosted = target->hosted;
    bool is_same = false;
    struct error error;

    if (visit_write_token(visit, hosted, &error) < 0) {
        return command_fail(&command_check, &error);
    }
    if (visit_with_length(visit, &is_same)) {
        visit_told(visit, SETUP_SENDFILE, &sendfile);
        visit_in_chunks(visit);
    }
    if (sendfile.length > 0 && is_same) {
        visit_judge_sendfile(visit, hosted, SETUP_STORE_HOSTED);
        if (target->cache) {
            visit_judge_sendfile(visit, target->cache, SETUP_STORE_CACHE);
        }
    }
    memo_forget((struct file_place){hosted->root, LAYOUT_SETUP_TOKEN});
    return EXIT_FINE;
}

int setup_request(const struct configuration *configuration, const struct setup_target *target,
                  struct findings *findings)
{
    bool has_password = target->credentials->length > 0;
    AUTO_BUFFER struct buffer url = BUFFER_INIT;
    AUTO_VISIT struct visit visit = VISIT_INIT;

    if (!setup_url_complete(configuration, target->url, has_password, findings, &url)) {
        return EXIT_FINE;
    }
    visit_begin(&visit, configuration, url.data, findings);
    visit_log_in(&visit, target->credentials);
    return visit_all(&visit, target);
}
