/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a request looks like from here, for `berth check --setup`: whoever can write a token into
 * the store is told, everybody else finds no such endpoint.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fcgi/handle/exchange.h"
#include "lib/base/json.h"
#include "lib/base/owner.h"
#include "lib/configuration/configuration.h"

enum { BODY_LIMIT = 256 * 1024 }; /* bytes; the tool sends less */

static void add_text(struct buffer *out, const char *key, const char *value)
{
    if (value) {
        json_text(out, key, value);
    }
}

static void add_process(const struct exchange *exchange, struct buffer *out)
{
    const struct registry_options *options = &exchange->configuration->registry;

    json_text(out, "version", BERTH_VERSION);
    json_text(out, "gateway", exchange->request->fastcgi ? "FastCGI" : "CGI");
    json_number(out, "uid", geteuid());
    json_text(out, "user", owner_user(geteuid()).text);
    json_text(out, "group", owner_group(getegid()).text);
    json_text(out, "configuration", exchange->configuration->file);
    json_text(out, "registry_storage", options->hosted.root);
    json_text(out, "temporary_registry_storage", options->hosted.temporary);
    json_text(out, "proxy_storage", options->proxy.store.root);
}

static void add_parameters(const struct request *request, struct buffer *out)
{
    static const char *const names[] = {"BERTH_SENDFILE",  "REQUEST_URI",    "DOCUMENT_ROOT",
                                        "SERVER_SOFTWARE", "CONTENT_LENGTH", NULL};

    for (const char *const *name = names; *name; name++) {
        add_text(out, *name, request_parameter(request, *name));
    }
}

/* Whether the web server's file can become an upload without being copied. */
static void try_link(const struct exchange *exchange, struct buffer *out)
{
    const char *file = exchange->request->body_file;
    const char *temporary = exchange->configuration->registry.hosted.temporary;
    AUTO_BUFFER struct buffer target = BUFFER_INIT;
    char id[ID_SIZE];
    struct stat status;

    id_make(id);
    layout_absolute(temporary, layout_piece(id).text, &target);
    if (link(file, target.data) == 0) {
        (void)unlink(target.data);
        json_text(out, "body_linked", "yes");
        return;
    }
    json_text(out, "body_linked", strerror(errno));
    if (stat(file, &status) == 0) {
        json_text(out, "body_owner", owner_user(status.st_uid).text);
    }
}

static void add_body(const struct exchange *exchange, struct buffer *out)
{
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    struct error error;

    if (exchange->request->body_file) {
        json_text(out, "body_file", exchange->request->body_file);
        try_link(exchange, out);
    }
    switch (request_read_all(exchange->request, BODY_LIMIT, &body, &error)) {
    case -1:
        json_text(out, "body_error", error.message);
        break;
    case 0:
        json_text(out, "body_error", "it is longer than what was sent");
        break;
    default:
        json_number(out, "body_length", body.length);
    }
}

/* A file for the web server to send by itself, as it sends blobs. */
static void send_probe(struct exchange *exchange)
{
    const struct registry_options *options = &exchange->configuration->registry;
    struct response *response = &exchange->response;
    const char *token = exchange->caller.token;
    const char *store = request_query(exchange->request, "store");
    bool is_cache = store && strcmp(store, "proxy") == 0;
    struct digest digest;

    response->body = BODY_FILE;
    response->store = is_cache ? "proxy" : "registry";
    response->root = is_cache ? options->proxy.store.root : options->hosted.root;
    digest_of(DIGEST_SHA256, token, strlen(token), &digest);
    buffer_add_text(&response->target, layout_setup_probe(&digest).text);
    response_content_header(response, "Content-Type", "application/octet-stream");
    response_content_header(response, "Cache-Control", "no-store");
}

static void describe(struct exchange *exchange)
{
    struct buffer *out = &exchange->response.bytes;

    exchange->response.body = BODY_BYTES;
    response_content_header(&exchange->response, "Content-Type", "application/json");
    response_content_header(&exchange->response, "Cache-Control", "no-store");
    json_open_object(out, NULL);
    add_text(out, "obstacle", exchange->obstacle);
    add_process(exchange, out);
    add_parameters(exchange->request, out);
    add_body(exchange, out);
    json_close_object(out);
}

int handle_setup_post(struct exchange *exchange, struct error *error)
{
    (void)error;
    describe(exchange);
    return 0;
}

int handle_setup_get(struct exchange *exchange, struct error *error)
{
    if (exchange->obstacle || !response_can_hand_over(exchange->request)) {
        return error_set(error, ERROR_NOT_FOUND, "the web server is not told to send files");
    }
    send_probe(exchange);
    return 0;
}
