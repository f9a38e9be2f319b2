/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/handlers.h"

#include <string.h>

#include "lib/store/blob.h"

static int blob_unknown(struct error *error)
{
    return error_set(error, ERROR_BLOB_UNKNOWN, "blob unknown to the repository");
}

int handle_blob_get(struct exchange *exchange, struct error *error)
{
    struct response *response = &exchange->response;
    struct digest digest;
    struct blob blob;
    int found;

    if (digest_parse(&digest, exchange->route.last, error) < 0) {
        return -1;
    }
    found = blob_find(&exchange->repository, &digest, &blob, error);
    if (found <= 0) {
        return found < 0 ? -1 : blob_unknown(error);
    }
    handle_digest_headers(exchange, &digest);
    response_content_header(response, "Cache-Control", "max-age=31536000, immutable");
    if (handle_not_modified(exchange, &digest)) {
        return 0;
    }
    response_content_header(response, "Content-Type", "application/octet-stream");
    response->body = BODY_FILE;
    response->size = blob.size;
    response->root = exchange->repository.store->options->root;
    response->store = "registry";
    buffer_add_text(&response->target, layout_blob(&blob.target).text);
    if (strcmp(exchange->request->method, "HEAD") != 0 &&
        !response_can_hand_over(exchange->request)) {
        response->descriptor = blob_open(&exchange->repository, &blob, error);
        return response->descriptor < 0 ? -1 : 0;
    }
    return 0;
}

int handle_blob_delete(struct exchange *exchange, struct error *error)
{
    struct digest digest;
    int removed;

    if (digest_parse(&digest, exchange->route.last, error) < 0) {
        return -1;
    }
    removed = blob_unlink(&exchange->repository, &digest, error);
    if (removed <= 0) {
        return removed < 0 ? -1 : blob_unknown(error);
    }
    exchange->response.status = 202;
    response_header(&exchange->response, "Docker-Content-Digest", "%s", digest.text);
    return 0;
}
