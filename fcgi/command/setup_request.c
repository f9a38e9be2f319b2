/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/setup_request.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fcgi/command/command.h"
#include "lib/base/directory.h"
#include "lib/base/owner.h"
#include "lib/base/text.h"
#include "lib/oci/document.h"
#include "lib/store/memo.h"

enum {
    BODY_SIZE = 40000,        /* bytes of the request: more than web servers keep in memory */
    ANSWER_LIMIT = 64 * 1024, /* bytes */
    CONNECT_TIMEOUT = 10000,  /* milliseconds */
    STALL_TIMEOUT = 30000,
};

struct visit {
    const struct configuration *configuration;
    struct findings *findings;
    struct buffer address; /* of the endpoint */
    const char *url;
    char token[ID_SIZE];
    bool is_same;         /* the workers' configuration is ours */
    struct buffer body;   /* what is sent */
    struct buffer answer; /* what came back */
};

static struct document answer_of(const struct visit *visit)
{
    return (struct document){visit->answer.data, visit->answer.length, NULL};
}

/* A member of the answer; "" if there is none. */
static void told(const struct visit *visit, const char *name, struct buffer *out)
{
    struct document document = answer_of(visit);

    buffer_clear(out);
    (void)document_text_member(&document, name, out);
}

bool setup_url_is_valid(const char *url)
{
    struct url parsed;

    return (text_begins(url, "http://") || text_begins(url, "https://")) &&
           !strpbrk(url, "?# \r\n") && url_parse(url, &parsed);
}

static void prepare_request(const struct visit *visit, struct http_request *request)
{
    request->url = visit->address.data;
    request->proxy = "";
    request->ca_file = visit->configuration->registry.proxy.ca_file;
    request->connect_milliseconds = CONNECT_TIMEOUT;
    request->stall_milliseconds = STALL_TIMEOUT;
    request->allow_private_address = true;
    request->allow_http = true;
    buffer_format(&request->headers, "Berth-Setup: %s\nContent-Type: application/octet-stream\n",
                  visit->token);
    buffer_add_text(&request->headers, "Expect:\n"); /* do not wait for "100 Continue" */
}

static void no_answer(const struct visit *visit, const struct error *error)
{
    static const char whose[] = "the upstream ";
    const char *what = error->message;

    findings_problem(visit->findings, visit->url,
                     "the server %s" FINDINGS_DO
                     "look whether the web server runs, listens there, and has a certificate "
                     "that is trusted here",
                     text_begins(what, whose) ? what + strlen(whose) : what);
}

/* The answer's status, 0 if there was none. */
static int ask(struct visit *visit, bool chunked)
{
    struct http_request request = {.method = "POST", .headers = BUFFER_INIT, .body = &visit->body};
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    struct error error;
    int status = 0;

    buffer_clear(&visit->answer);
    prepare_request(visit, &request);
    if (chunked) {
        buffer_add_text(&request.headers, "Transfer-Encoding: chunked\n");
    }
    if (http_open(&transfer, &request, &error) < 0 ||
        http_read_all(&transfer, ANSWER_LIMIT, &visit->answer, &error) < 0) {
        no_answer(visit, &error);
    } else {
        status = transfer.status;
    }
    buffer_release(&request.headers);
    return status;
}

static void explain_not_found(const struct visit *visit)
{
    findings_problem(visit->findings, visit->url,
                     "it does not know the token that was written to '%s/%s'" FINDINGS_DO
                     "either that is another server, or its workers use another configuration "
                     "than '%s', or they run as a user other than %s and cannot read the token",
                     visit->configuration->registry.hosted.root, LAYOUT_SETUP_TOKEN,
                     visit->configuration->file, owner_user(geteuid()).text);
}

static void explain_status(const struct visit *visit, int status)
{
    struct findings *findings = visit->findings;

    switch (status) {
    case 0:
        break; /* said already */
    case 401:
    case 403:
        findings_problem(findings, visit->url,
                         "the web server asks for a login (%d)" FINDINGS_DO
                         "let requests to /v2/_berth/setup through without one",
                         status);
        break;
    case 404:
    case 405:
        explain_not_found(visit);
        break;
    case 411:
        findings_problem(findings, visit->url,
                         "the web server refuses bodies without a length (411), as docker push "
                         "sends them" FINDINGS_DO
                         "lighttpd: server.stream-request-body = 0 for /v2/");
        break;
    case 413:
        findings_problem(findings, visit->url,
                         "the web server refuses a body of %d bytes (413)" FINDINGS_DO
                         "nginx: client_max_body_size 0 for /v2/",
                         (int)BODY_SIZE);
        break;
    case 500:
        findings_problem(findings, visit->url,
                         "the web server or a worker fails (500)" FINDINGS_DO "their logs say why");
        break;
    case 502:
    case 503:
    case 504:
        findings_problem(findings, visit->url,
                         "the web server reaches no worker (%d)" FINDINGS_DO
                         "look whether the workers run, and whether the web server's user may "
                         "use their socket",
                         status);
        break;
    default:
        findings_problem(findings, visit->url,
                         "it answers with status %d, as no worker does" FINDINGS_DO
                         "give the URL behind which /v2/ is, without a redirect",
                         status);
        break;
    }
}

static bool is_same_path(const char *left, const char *right)
{
    AUTO_FREE char *real_left = realpath(left, NULL);
    AUTO_FREE char *real_right = realpath(right, NULL);

    return strcmp(real_left ? real_left : left, real_right ? real_right : right) == 0;
}

/* Both files lead to the same registry_storage, or the token would not have been found. */
static bool judge_configuration(const struct visit *visit)
{
    const struct registry_options *options = &visit->configuration->registry;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    AUTO_BUFFER struct buffer temporary = BUFFER_INIT;
    AUTO_BUFFER struct buffer proxy = BUFFER_INIT;

    told(visit, "configuration", &file);
    told(visit, "temporary_registry_storage", &temporary);
    told(visit, "proxy_storage", &proxy);
    if (!is_same_path(file.data, visit->configuration->file)) {
        findings_problem(visit->findings, file.data,
                         "the workers read this configuration, not '%s'" FINDINGS_DO
                         "set BERTH_CONFIGURATION for the one or the other",
                         visit->configuration->file);
    } else if (!is_same_path(temporary.data, options->hosted.temporary) ||
               !is_same_path(proxy.data, options->proxy.store.root)) {
        findings_problem(visit->findings, file.data,
                         "it was changed after the workers read it" FINDINGS_DO
                         "restart the workers");
    } else {
        findings_ok(visit->findings, file.data, "the workers read this configuration");
        return true;
    }
    return false;
}

static void judge_process(const struct visit *visit)
{
    const char *root = visit->configuration->registry.hosted.root;
    struct document document = answer_of(visit);
    AUTO_BUFFER struct buffer user = BUFFER_INIT;
    AUTO_BUFFER struct buffer version = BUFFER_INIT;
    AUTO_BUFFER struct buffer gateway = BUFFER_INIT;
    struct stat status;
    uint64_t uid = 0;

    told(visit, "user", &user);
    told(visit, "version", &version);
    told(visit, "gateway", &gateway);
    if (document_number_member(&document, "uid", &uid) && stat(root, &status) == 0 &&
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

static void judge_parameters(const struct visit *visit)
{
    AUTO_BUFFER struct buffer sendfile = BUFFER_INIT;
    AUTO_BUFFER struct buffer uri = BUFFER_INIT;
    AUTO_BUFFER struct buffer root = BUFFER_INIT;

    told(visit, "BERTH_SENDFILE", &sendfile);
    told(visit, "REQUEST_URI", &uri);
    told(visit, "DOCUMENT_ROOT", &root);
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

/* The web server's file, and why it would have to be copied. */
static void judge_body_file(const struct visit *visit, const char *file)
{
    const char *temporary = visit->configuration->registry.hosted.temporary;
    AUTO_BUFFER struct buffer linked = BUFFER_INIT;
    AUTO_BUFFER struct buffer user = BUFFER_INIT;
    AUTO_BUFFER struct buffer owner = BUFFER_INIT;

    told(visit, "body_linked", &linked);
    told(visit, "user", &user);
    told(visit, "body_owner", &owner);
    if (strcmp(linked.data, "yes") == 0) {
        findings_ok(visit->findings, visit->url,
                    "bodies come as files in '%.*s' and are not copied",
                    (int)(strrchr(file, '/') ? strrchr(file, '/') - file : 0), file);
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
static bool judge_body(const struct visit *visit, const char *how)
{
    struct document document = answer_of(visit);
    AUTO_BUFFER struct buffer error = BUFFER_INIT;
    uint64_t length = 0;

    told(visit, "body_error", &error);
    if (error.length > 0) {
        findings_problem(visit->findings, visit->url,
                         "a worker could not read a body %s: %s" FINDINGS_DO
                         "compare the web server's configuration with the files in deploy/",
                         how, error.data);
        return false;
    }
    if (!document_number_member(&document, "body_length", &length) ||
        length != visit->body.length) {
        findings_problem(visit->findings, visit->url,
                         "of a body %s of %zu bytes a worker saw %" PRIu64 FINDINGS_DO
                         "compare the web server's configuration with the files in deploy/",
                         how, visit->body.length, length);
        return false;
    }
    return true;
}

/* Whether it is a worker's answer; a worker that cannot serve says so in it. */
static bool is_understood(const struct visit *visit, int status)
{
    AUTO_BUFFER struct buffer file = BUFFER_INIT;

    told(visit, "configuration", &file);
    if (status == 200 && file.length == 0) {
        findings_problem(visit->findings, visit->url,
                         "it answers, but not as a worker does" FINDINGS_DO
                         "let the web server hand /v2/ over to the workers");
        return false;
    }
    if (status != 200) {
        explain_status(visit, status);
    }
    return status == 200;
}

/* The web server is to send a file of the store, as it sends blobs. */
static int fetch_probe(struct visit *visit, const char *name)
{
    struct http_request request = {.method = "GET", .headers = BUFFER_INIT};
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    AUTO_BUFFER struct buffer address = BUFFER_INIT;
    struct error error;
    int status = 0;

    buffer_clear(&visit->answer);
    prepare_request(visit, &request);
    buffer_format(&address, "%s?store=%s", visit->address.data, name);
    request.url = address.data;
    if (http_open(&transfer, &request, &error) == 0 &&
        http_read_all(&transfer, ANSWER_LIMIT, &visit->answer, &error) > 0) {
        status = transfer.status;
    }
    buffer_release(&request.headers);
    return status;
}

/* Also those that an earlier check has left behind, when it was killed. */
static void remove_probes(const struct store *store)
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
static int write_probe(const struct store *store, const char *path, const char *content,
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

static void judge_sendfile(struct visit *visit, const struct store *store, const char *name)
{
    const char *root = store->options->root;
    char content[ID_SIZE];
    struct digest token;
    struct error error;
    int status;

    id_make(content);
    digest_of(DIGEST_SHA256, visit->token, strlen(visit->token), &token);
    if (write_probe(store, layout_setup_probe(&token).text, content, &error) < 0) {
        findings_problem(visit->findings, root, "%s" FINDINGS_DO "let this user write there",
                         error.message);
    } else {
        status = fetch_probe(visit, name);
        if (status == 200 && strcmp(visit->answer.data, content) == 0) {
            findings_ok(visit->findings, root, "the web server sends blobs from it");
        } else {
            findings_problem(visit->findings, root,
                             "the web server does not send what is in it (%d)" FINDINGS_DO
                             "nginx: the location /_berth/%s/ is an alias of '%s/'; lighttpd: "
                             "x-sendfile-docroot has it; and the web server's user may read it",
                             status, name, root);
        }
    }
    remove_probes(store);
}

static bool visit_with_length(struct visit *visit)
{
    AUTO_BUFFER struct buffer obstacle = BUFFER_INIT;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;

    if (!is_understood(visit, ask(visit, false))) {
        return false;
    }
    visit->is_same = judge_configuration(visit);
    judge_process(visit);
    told(visit, "obstacle", &obstacle);
    if (obstacle.length > 0) {
        findings_problem(visit->findings, visit->url,
                         "the workers cannot serve: %s" FINDINGS_DO "mend that first",
                         obstacle.data);
        return false;
    }
    judge_parameters(visit);
    told(visit, "body_file", &file);
    if (file.length > 0) {
        judge_body_file(visit, file.data);
    }
    if (judge_body(visit, "with a length") && file.length == 0) {
        findings_ok(visit->findings, visit->url, "bodies are streamed to the workers");
    }
    return true;
}

static void visit_in_chunks(struct visit *visit)
{
    if (is_understood(visit, ask(visit, true)) && judge_body(visit, "in chunks")) {
        findings_ok(visit->findings, visit->url, "bodies without a length arrive whole");
    }
}

static int write_token(struct visit *visit, struct store *hosted, struct error *error)
{
    AUTO_BUFFER struct buffer token = BUFFER_INIT;

    id_make(visit->token);
    buffer_add_text(&token, visit->token);
    return memo_write(hosted, (struct file_place){hosted->root, LAYOUT_SETUP_TOKEN}, &token, error);
}

static void make_address(struct visit *visit)
{
    static const char ending[] = "/v2";
    struct buffer *address = &visit->address;

    buffer_add_text(address, visit->url);
    while (address->data[address->length - 1] == '/') {
        address->data[--address->length] = '\0';
    }
    if (address->length > strlen(ending) &&
        strcmp(address->data + address->length - strlen(ending), ending) == 0) {
        address->length -= strlen(ending);
    }
    buffer_add_text(address, "/v2/_berth/setup");
}

int setup_request(const struct configuration *configuration, struct store *hosted,
                  struct store *cache, const char *url, struct findings *findings)
{
    struct visit visit = {.configuration = configuration,
                          .findings = findings,
                          .url = url,
                          .address = BUFFER_INIT,
                          .body = BUFFER_INIT,
                          .answer = BUFFER_INIT};
    AUTO_BUFFER struct buffer sendfile = BUFFER_INIT;
    struct error error;

    if (write_token(&visit, hosted, &error) < 0) {
        return command_fail(&command_check, &error);
    }
    make_address(&visit);
    memset(buffer_reserve(&visit.body, BODY_SIZE), 'b', BODY_SIZE);
    buffer_added(&visit.body, BODY_SIZE);
    if (visit_with_length(&visit)) {
        told(&visit, "BERTH_SENDFILE", &sendfile);
        visit_in_chunks(&visit);
    }
    if (sendfile.length > 0 && visit.is_same) {
        judge_sendfile(&visit, hosted, "registry");
        if (cache) {
            judge_sendfile(&visit, cache, "proxy");
        }
    }
    memo_forget((struct file_place){hosted->root, LAYOUT_SETUP_TOKEN});
    buffer_release(&visit.address);
    buffer_release(&visit.body);
    buffer_release(&visit.answer);
    return EXIT_FINE;
}
