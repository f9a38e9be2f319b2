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
#include "fcgi/setup.h"
#include "lib/base/json.h"
#include "lib/base/owner.h"
#include "lib/configuration/configuration.h"

enum { BODY_LIMIT = 256 * 1024 }; /* bytes; the tool sends less */

static void setup_add_text(struct buffer *out, const char *key, const char *value)
{
    if (value) {
        json_text(out, key, value);
    }
}

static void setup_add_process(const struct exchange *exchange, struct buffer *out)
{
    const struct registry_options *options = &exchange->configuration->registry;

    json_text(out, SETUP_VERSION, BERTH_VERSION);
    json_text(out, SETUP_GATEWAY, exchange->request->fastcgi ? "FastCGI" : "CGI");
    json_number(out, SETUP_UID, geteuid());
    json_text(out, SETUP_USER, owner_user(geteuid()).text);
    json_text(out, SETUP_GROUP, owner_group(getegid()).text);
    json_text(out, SETUP_CONFIGURATION, exchange->configuration->file);
    json_text(out, SETUP_REGISTRY_STORAGE, options->hosted.root);
    json_text(out, SETUP_TEMPORARY_STORAGE, options->hosted.temporary);
    json_text(out, SETUP_PROXY_STORAGE, options->proxy.store.root);
}

static void setup_add_parameters(const struct request *request, struct buffer *out)
{
    static const char *const names[] = {SETUP_SENDFILE, SETUP_REQUEST_URI,    SETUP_DOCUMENT_ROOT,
                                        SETUP_SOFTWARE, SETUP_CONTENT_LENGTH, NULL};

    for (const char *const *name = names; *name; name++) {
        setup_add_text(out, *name, request_parameter(request, *name));
    }
}

/* Whether the web server's file can become an upload without being copied. */
static void setup_try_link(const struct exchange *exchange, struct buffer *out)
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
        json_text(out, SETUP_BODY_LINKED, SETUP_YES);
        return;
    }
    json_text(out, SETUP_BODY_LINKED, strerror(errno));
    if (stat(file, &status) == 0) {
        json_text(out, SETUP_BODY_OWNER, owner_user(status.st_uid).text);
    }
}

static void setup_add_body(const struct exchange *exchange, struct buffer *out)
{
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    struct error error;

    if (exchange->request->body_file) {
        json_text(out, SETUP_BODY_FILE, exchange->request->body_file);
        setup_try_link(exchange, out);
    }
    switch (request_read_all(exchange->request, BODY_LIMIT, &body, &error)) {
    case -1:
        json_text(out, SETUP_BODY_ERROR, error.message);
        break;
    case 0:
        json_text(out, SETUP_BODY_ERROR, "it is longer than what was sent");
        break;
    default:
        json_number(out, SETUP_BODY_LENGTH, body.length);
    }
}

/* A file for the web server to send by itself, as it sends blobs. */
static void setup_send_probe(struct exchange *exchange)
{
    const struct registry_options *options = &exchange->configuration->registry;
    struct response *response = &exchange->response;
    const char *token = exchange->caller.token;
    const char *store = request_query(exchange->request, SETUP_QUERY_STORE);
    bool is_cache = store && strcmp(store, SETUP_STORE_CACHE) == 0;
    struct digest digest;

    response->body = BODY_FILE;
    response->store = is_cache ? "proxy" : "registry";
    response->root = is_cache ? options->proxy.store.root : options->hosted.root;
    digest_of(DIGEST_SHA256, token, strlen(token), &digest);
    buffer_add_text(&response->target, layout_setup_probe(&digest).text);
    response_content_header(response, "Content-Type", "application/octet-stream");
    response_content_header(response, "Cache-Control", "no-store");
}

static void setup_describe(struct exchange *exchange)
{
    struct buffer *out = &exchange->response.bytes;

    exchange->response.body = BODY_BYTES;
    response_content_header(&exchange->response, "Content-Type", "application/json");
    response_content_header(&exchange->response, "Cache-Control", "no-store");
    json_open_object(out, NULL);
    setup_add_text(out, SETUP_OBSTACLE, exchange->obstacle);
    setup_add_process(exchange, out);
    setup_add_parameters(exchange->request, out);
    setup_add_body(exchange, out);
    json_close_object(out);
}

int handle_setup_post(struct exchange *exchange, struct error *error)
{
    (void)error;
    setup_describe(exchange);
    return 0;
}

int handle_setup_get(struct exchange *exchange, struct error *error)
{
    if (exchange->obstacle || !response_can_hand_over(exchange->request)) {
        return error_set(error, ERROR_NOT_FOUND, "the web server is not told to send files");
    }
    setup_send_probe(exchange);
    return 0;
}
