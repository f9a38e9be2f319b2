/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/setup_judge.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/memory.h"
#include "lib/base/owner.h"
#include "lib/base/text.h"

/* Without links on the way, or as it is where there is nothing. */
static char *path_resolve(const char *path)
{
    char *real = realpath(path, NULL);

    return real ? real : memory_text(path);
}

static bool path_is_same(const char *left, const char *right)
{
    AUTO_FREE char *real_left = path_resolve(left);
    AUTO_FREE char *real_right = path_resolve(right);

    return strcmp(real_left, real_right) == 0;
}

static bool path_is_inside(const char *path, const char *directory)
{
    AUTO_FREE char *inner = path_resolve(path);
    AUTO_FREE char *outer = path_resolve(directory);
    size_t length = strlen(outer);

    return text_begins(inner, outer) && (inner[length] == '/' || inner[length] == '\0');
}

/* Both files lead to the same registry_storage, or the token would not have been found. */
bool visit_judge_configuration(const struct visit *visit)
{
    const struct registry_options *options = &visit->configuration->registry;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    AUTO_BUFFER struct buffer temporary = BUFFER_INIT;
    AUTO_BUFFER struct buffer proxy = BUFFER_INIT;

    visit_told(visit, SETUP_CONFIGURATION, &file);
    visit_told(visit, SETUP_TEMPORARY_STORAGE, &temporary);
    visit_told(visit, SETUP_PROXY_STORAGE, &proxy);
    if (!path_is_same(file.data, visit->configuration->file)) {
        findings_problem(visit->findings, file.data,
                         "the workers read this configuration, not '%s'" FINDINGS_DO
                         "set BERTH_CONFIGURATION for the one or the other",
                         visit->configuration->file);
    } else if (!path_is_same(temporary.data, options->hosted.temporary) ||
               !path_is_same(proxy.data, options->proxy.store.root)) {
        findings_problem(visit->findings, file.data,
                         "it was changed after the workers read it" FINDINGS_DO
                         "restart the workers");
    } else {
        findings_ok(visit->findings, file.data, "the workers read this configuration");
        return true;
    }
    return false;
}

void visit_judge_process(const struct visit *visit)
{
    const char *root = visit->configuration->registry.hosted.root;
    struct document document = visit_document(visit);
    AUTO_BUFFER struct buffer user = BUFFER_INIT;
    AUTO_BUFFER struct buffer version = BUFFER_INIT;
    AUTO_BUFFER struct buffer gateway = BUFFER_INIT;
    struct stat status;
    uint64_t uid = 0;

    visit_told(visit, SETUP_USER, &user);
    visit_told(visit, SETUP_VERSION, &version);
    visit_told(visit, SETUP_GATEWAY, &gateway);
    if (document_number_member(&document, SETUP_UID, &uid) && stat(root, &status) == 0 &&
        uid != status.st_uid) {
        findings_problem(visit->findings, root,
                         "it belongs to %s, but the workers run as %s" FINDINGS_DO
                         "chown -R it to the user that the workers run as",
                         owner_user(status.st_uid).text, user.data);
    } else if (uid != geteuid()) {
        findings_warning(visit->findings, visit->url,
                         "the workers run as %s, this as %s" FINDINGS_DO
                         "run this as %s to see what they see",
                         user.data, owner_user(geteuid()).text, user.data);
    } else {
        findings_ok(visit->findings, visit->url, "the workers run as %s, through %s", user.data,
                    gateway.data);
    }
    if (strcmp(version.data, BERTH_VERSION) != 0) {
        findings_warning(visit->findings, visit->url,
                         "the workers are berth %s, this is %s" FINDINGS_DO "restart the workers",
                         version.data, BERTH_VERSION);
    }
}

void visit_judge_parameters(const struct visit *visit)
{
    AUTO_BUFFER struct buffer sendfile = BUFFER_INIT;
    AUTO_BUFFER struct buffer uri = BUFFER_INIT;
    AUTO_BUFFER struct buffer root = BUFFER_INIT;

    visit_told(visit, SETUP_SENDFILE, &sendfile);
    visit_told(visit, SETUP_REQUEST_URI, &uri);
    visit_told(visit, SETUP_DOCUMENT_ROOT, &root);
    if (sendfile.length == 0) {
        findings_warning(visit->findings, visit->url,
                         "there is no BERTH_SENDFILE: blobs are copied by workers, which is "
                         "slower" FINDINGS_DO "set it as in the files in deploy/");
    } else {
        findings_ok(visit->findings, visit->url, "blobs are sent by the web server (%s)",
                    sendfile.data);
    }
    if (uri.length == 0) {
        findings_warning(visit->findings, visit->url,
                         "there is no REQUEST_URI: what the web server makes of escapes in a "
                         "path is not what the client sent" FINDINGS_DO "pass it on");
    }
    if (root.length > 0) {
        findings_ok(visit->findings, root.data,
                    "this is the web server's document root; neither configuration nor stores "
                    "are below it");
    }
}

/* Where the web server's file was: it need not be there any more. */
static void visit_judge_body_place(const struct visit *visit, const char *file)
{
    const char *temporary = visit->configuration->registry.hosted.temporary;
    const char *last = strrchr(file, '/');
    AUTO_BUFFER struct buffer directory = BUFFER_INIT;

    buffer_add(&directory, file, last ? (size_t)(last - file) : 0);
    if (path_is_inside(directory.data, temporary)) {
        findings_ok(visit->findings, visit->url, "bodies come as files in '%s' and are not copied",
                    directory.data);
    } else {
        findings_warning(visit->findings, directory.data,
                         "bodies come as files in it, outside of '%s': what a web server that was "
                         "killed leaves there, nobody removes" FINDINGS_DO
                         "nginx: client_body_temp_path inside of '%s'",
                         temporary, temporary);
    }
}

/* The web server's file, and why it would have to be copied. */
void visit_judge_body_file(const struct visit *visit, const char *file)
{
    const char *temporary = visit->configuration->registry.hosted.temporary;
    AUTO_BUFFER struct buffer linked = BUFFER_INIT;
    AUTO_BUFFER struct buffer user = BUFFER_INIT;
    AUTO_BUFFER struct buffer owner = BUFFER_INIT;

    visit_told(visit, SETUP_BODY_LINKED, &linked);
    visit_told(visit, SETUP_USER, &user);
    visit_told(visit, SETUP_BODY_OWNER, &owner);
    if (strcmp(linked.data, SETUP_YES) == 0) {
        visit_judge_body_place(visit, file);
    } else if (owner.length > 0 && strcmp(owner.data, user.data) != 0) {
        findings_problem(visit->findings, file,
                         "the workers cannot link this body (%s): it belongs to %s, they run as "
                         "%s (fs.protected_hardlinks)" FINDINGS_DO
                         "run the workers as the web server's user",
                         linked.data, owner.data, user.data);
    } else {
        findings_problem(visit->findings, file,
                         "the workers cannot link this body (%s), so they copy it" FINDINGS_DO
                         "nginx: client_body_temp_path inside of '%s', below the same mount "
                         "point, as a user whose files the workers may read",
                         linked.data, temporary);
    }
}

/* False if it did not come as it was sent. */
bool visit_judge_body(const struct visit *visit, const char *how)
{
    struct document document = visit_document(visit);
    AUTO_BUFFER struct buffer error = BUFFER_INIT;
    uint64_t length = 0;

    visit_told(visit, SETUP_BODY_ERROR, &error);
    if (error.length > 0) {
        findings_problem(visit->findings, visit->url,
                         "a worker could not read a body %s: %s" FINDINGS_DO
                         "compare the web server's configuration with the files in deploy/",
                         how, error.data);
        return false;
    }
    if (!document_number_member(&document, SETUP_BODY_LENGTH, &length) ||
        length != visit->body.length) {
        findings_problem(visit->findings, visit->url,
                         "of a body %s of %zu bytes a worker saw %" PRIu64 FINDINGS_DO
                         "compare the web server's configuration with the files in deploy/",
                         how, visit->body.length, length);
        return false;
    }
    return true;
}
