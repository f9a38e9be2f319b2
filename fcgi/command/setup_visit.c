/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/setup_visit.h"

#include <string.h>
#include <unistd.h>

#include "fcgi/command/setup_address.h"
#include "lib/base/owner.h"
#include "lib/base/text.h"
#include "lib/http/base64.h"
#include "lib/http/client.h"

enum {
    BODY_SIZE = 100 * 1000,   /* bytes of the request: more than web servers keep in memory */
    ANSWER_LIMIT = 64 * 1024, /* bytes */
    HEADERS_ROOM = 512,       /* bytes of headers: more than there are, lest a secret moves */
};

struct document visit_document(const struct visit *visit)
{
    return (struct document){visit->answer.data, visit->answer.length, NULL};
}

/* A member of the answer; "" if there is none. */
void visit_told(const struct visit *visit, const char *name, struct buffer *out)
{
    struct document document = visit_document(visit);

    buffer_clear(out);
    (void)document_text_member(&document, name, out);
}

static void visit_prepare(const struct visit *visit, struct http_request *request)
{
    request->url = visit->address.data;
    request->proxy = "";
    request->ca_file = visit->configuration->registry.proxy.ca_file;
    request->connect_milliseconds = SETUP_CONNECT_TIMEOUT;
    request->stall_milliseconds = SETUP_STALL_TIMEOUT;
    request->allow_private_address = true;
    request->allow_http = true;
    if (visit->authorization.length > 0) {
        (void)buffer_reserve(&request->headers, HEADERS_ROOM + visit->authorization.length);
        buffer_add(&request->headers, visit->authorization.data, visit->authorization.length);
    }
    buffer_format(&request->headers, "Berth-Setup: %s\nContent-Type: application/octet-stream\n",
                  visit->token);
    buffer_add_text(&request->headers, "Expect:\n"); /* do not wait for "100 Continue" */
}

static void visit_tell_silence(const struct visit *visit, const struct error *error)
{
    if (setup_url_tell_language(visit->configuration, visit->url, visit->findings)) {
        return;
    }
    findings_problem(visit->findings, visit->url,
                     "%s" FINDINGS_DO
                     "look whether the web server runs, listens there, and has a certificate "
                     "that is trusted here",
                     error->message);
}

/* The answer's status, 0 if there was none. */
int visit_ask(struct visit *visit, bool chunked)
{
    struct http_request request = {.method = "POST", .headers = BUFFER_INIT, .body = &visit->body};
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    struct error error;
    int status = 0;

    buffer_clear(&visit->answer);
    visit_prepare(visit, &request);
    if (chunked) {
        buffer_add_text(&request.headers, "Transfer-Encoding: chunked\n");
    }
    if (http_open(&transfer, &request, &error) < 0 ||
        http_read_all(&transfer, ANSWER_LIMIT, &visit->answer, &error) < 0) {
        visit_tell_silence(visit, &error);
    } else {
        status = transfer.status;
    }
    buffer_wipe(&request.headers);
    return status;
}

static void visit_explain_not_found(const struct visit *visit)
{
    findings_problem(visit->findings, visit->url,
                     "it does not know the token that was written to '%s/%s'" FINDINGS_DO
                     "either that is another server, or its workers use another configuration "
                     "than '%s', or they run as a user other than %s and cannot read the token",
                     visit->configuration->registry.hosted.root, LAYOUT_SETUP_TOKEN,
                     visit->configuration->file, owner_user(geteuid()).text);
}

static void visit_explain_login(const struct visit *visit, int status)
{
    if (visit->authorization.length == 0) {
        findings_problem(visit->findings, visit->url,
                         "it asks for a login (%d)" FINDINGS_DO
                         "give --user NAME, which asks for the password",
                         status);
    } else if (status == 401) {
        findings_problem(visit->findings, visit->url,
                         "it does not know this user with this password (401)" FINDINGS_DO
                         "try again, or look at the password file that it reads");
    } else {
        findings_problem(visit->findings, visit->url,
                         "this user may not ask it (403)" FINDINGS_DO
                         "let requests to /v2/_berth/setup through, or give --user another one");
    }
}

/*
 * 507 is what nginx's snippet makes of 500: a body that is larger than its memory and that it
 * cannot keep in a file. A worker that may not write to the stores, or not read the token, fails by
 * 500.
 */
static void visit_explain_failure(const struct visit *visit, int status)
{
    const struct store_options *hosted = &visit->configuration->registry.hosted;

    findings_problem(visit->findings, visit->url,
                     "%s (%d)" FINDINGS_DO
                     "their logs say why; the owner of '%s', here %s, has to be the workers' user "
                     "and nginx's `user`, and client_body_temp_path inside of '%s', where there is "
                     "room",
                     status == 500 ? "the web server or a worker fails"
                                   : "the web server cannot keep a body",
                     status, hosted->root, owner_user(geteuid()).text, hosted->temporary);
}

static void visit_explain(const struct visit *visit, int status)
{
    struct findings *findings = visit->findings;

    if (status == 400 &&
        setup_url_tell_language(visit->configuration, visit->url, visit->findings)) {
        return;
    }
    switch (status) {
    case 0:
        break; /* said already */
    case 401:
    case 403:
        visit_explain_login(visit, status);
        break;
    case 404:
    case 405:
        visit_explain_not_found(visit);
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
                         "nginx: client_max_body_size 0 for /v2/; Apache: LimitRequestBody 0",
                         (int)BODY_SIZE);
        break;
    case 500:
    case 507:
        visit_explain_failure(visit, status);
        break;
    case 502:
    case 503:
    case 504:
        findings_problem(findings, visit->url,
                         "the web server reaches no worker (%d)" FINDINGS_DO
                         "look whether the workers run, and whether the web server's user, "
                         "nginx's `user`, may use their socket: it has to be theirs, here %s",
                         status, owner_user(geteuid()).text);
        break;
    default:
        findings_problem(findings, visit->url,
                         "it answers with status %d, as no worker does" FINDINGS_DO
                         "give the URL behind which /v2/ is, without a redirect",
                         status);
        break;
    }
}

/* Whether it is a worker's answer; a worker that cannot serve says so in it. */
bool visit_is_understood(const struct visit *visit, int status)
{
    AUTO_BUFFER struct buffer file = BUFFER_INIT;

    visit_told(visit, SETUP_CONFIGURATION, &file);
    if (status == 200 && file.length == 0) {
        findings_problem(visit->findings, visit->url,
                         "it answers, but not as a worker does" FINDINGS_DO
                         "let the web server hand /v2/ over to the workers");
        return false;
    }
    if (status != 200) {
        visit_explain(visit, status);
    }
    return status == 200;
}

/* The web server is to send a file of the store, as it sends blobs. */
int visit_fetch(struct visit *visit, const char *name)
{
    struct http_request request = {.method = "GET", .headers = BUFFER_INIT};
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    AUTO_BUFFER struct buffer address = BUFFER_INIT;
    struct error error;
    int status = 0;

    buffer_clear(&visit->answer);
    visit_prepare(visit, &request);
    buffer_format(&address, "%s?" SETUP_QUERY_STORE "=%s", visit->address.data, name);
    request.url = address.data;
    if (http_open(&transfer, &request, &error) == 0 &&
        http_read_all(&transfer, ANSWER_LIMIT, &visit->answer, &error) > 0) {
        status = transfer.status;
    }
    buffer_wipe(&request.headers);
    return status;
}

static void visit_make_address(struct visit *visit)
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

void visit_begin(struct visit *visit, const struct configuration *configuration, const char *url,
                 struct findings *findings)
{
    visit->configuration = configuration;
    visit->findings = findings;
    visit->url = url;
    id_make(visit->token);
    visit_make_address(visit);
    memset(buffer_reserve(&visit->body, BODY_SIZE), 'b', BODY_SIZE);
    buffer_added(&visit->body, BODY_SIZE);
}

void visit_log_in(struct visit *visit, const struct buffer *credentials)
{
    if (credentials->length == 0) {
        return;
    }
    (void)buffer_reserve(&visit->authorization, HEADERS_ROOM + 2 * credentials->length);
    buffer_add_text(&visit->authorization, "Authorization: Basic ");
    base64_encode(credentials->data, credentials->length, &visit->authorization);
    buffer_add_text(&visit->authorization, "\n");
}

void visit_release(struct visit *visit)
{
    buffer_release(&visit->address);
    buffer_wipe(&visit->authorization);
    buffer_release(&visit->body);
    buffer_release(&visit->answer);
}
