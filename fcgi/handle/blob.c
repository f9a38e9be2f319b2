/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/handle/exchange.h"

#include <string.h>

#include "lib/store/blob.h"

static int blob_unknown(struct error *error)
{
    return error_set(error, ERROR_BLOB_UNKNOWN, "blob unknown to the repository");
}

/* The parts of a response that say where the bytes are. */
static int use_stored(struct exchange *exchange, const struct blob *blob, struct error *error)
{
    struct response *response = &exchange->response;
    const struct repository *repository = &exchange->source.repository;

    response->body = BODY_FILE;
    response->root = repository->store->options->root;
    response->store = exchange->source.is_proxied ? "proxy" : "registry";
    buffer_add_text(&response->target, blob_path(blob).text);
    if (strcmp(exchange->request->method, "HEAD") == 0 ||
        response_can_hand_over(exchange->request)) {
        return 0;
    }
    response->descriptor = blob_open(repository, blob, error);
    return response->descriptor < 0 ? -1 : 0;
}

int handle_blob_get(struct exchange *exchange, struct error *error)
{
    struct response *response = &exchange->response;
    struct proxy_blob_request request = {
        .head_only = strcmp(exchange->request->method, "HEAD") == 0,
        .prefers_file = response_can_hand_over(exchange->request),
        .is_asked_again = response_is_asked_again(exchange->request)};
    struct proxy_blob blob;
    int found;

    if (digest_parse(&request.digest, exchange->route.reference, error) < 0) {
        return -1;
    }
    if (!request_parameter(exchange->request, "HTTP_IF_RANGE")) {
        request.range = request_parameter(exchange->request, "HTTP_RANGE");
    }
    found = source_get_blob(&exchange->source, &request, &blob, error);
    if (found <= 0) {
        return found < 0 ? -1 : blob_unknown(error);
    }
    response->stream = blob.stream;
    if (handle_check_match(exchange, &request.digest, error) < 0) {
        return -1;
    }
    handle_digest_headers(exchange, &request.digest);
    response_content_header(response, "Cache-Control", "max-age=31536000, immutable");
    if (handle_not_modified(exchange, &request.digest)) {
        return 0;
    }
    response_content_header(response, "Content-Type", "application/octet-stream");
    response->size = blob.size;
    if (blob.is_stored) {
        return use_stored(exchange, &blob.blob, error);
    }
    response->body = BODY_STREAM;
    return 0;
}

int handle_blob_delete(struct exchange *exchange, struct error *error)
{
    struct digest digest;
    int removed;

    if (digest_parse(&digest, exchange->route.reference, error) < 0) {
        return -1;
    }
    if (handle_check_match(exchange, &digest, error) < 0) {
        struct error ignored;
        struct blob blob;

        removed = blob_find(&exchange->source.repository, &digest, &blob, &ignored) == 0 ? 0 : -1;
    } else {
        removed = repository_delete_blob(&exchange->source.repository, &digest, error);
    }
    if (removed <= 0) {
        return removed < 0 ? -1 : blob_unknown(error);
    }
    exchange->deed.kind = DEED_DELETE_BLOB;
    exchange->deed.digest = digest;
    exchange->response.status = 202;
    response_header(&exchange->response, "Docker-Content-Digest", "%s", digest.text);
    return 0;
}
