/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/handle/exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/http/range.h"
#include "lib/store/expire.h"
#include "lib/store/upload.h"

/* Bytes taken from the connection at a time. */
enum { PIECE_SIZE = 256 * 1024 };

/* Where the session is and how much it has. An empty one says 0-0, as Docker's own registry does:
 * the form has no way to say "nothing". */
static void session_headers(struct exchange *exchange, const char *id, uint64_t size)
{
    struct response *response = &exchange->response;

    response_header(response, "Location", "/v2/%s/blobs/uploads/%s", exchange->route.name, id);
    response_header(response, "Range", "0-%" PRIu64, size > 0 ? size - 1 : 0);
    response_header(response, "Docker-Upload-UUID", "%s", id);
}

static int created(struct exchange *exchange, const struct digest *digest)
{
    exchange->deed.kind = DEED_PUSH_BLOB;
    exchange->deed.digest = *digest;
    exchange->response.status = 201;
    response_header(&exchange->response, "Location", "/v2/%s/blobs/%s", exchange->route.name,
                    digest->text);
    response_header(&exchange->response, "Docker-Content-Digest", "%s", digest->text);
    return 0;
}

/* The query parameter as a digest. 1; 0 if there is none; -1. */
static int query_digest(const struct exchange *exchange, const char *name, struct digest *out,
                        struct error *error)
{
    const char *value = request_query(exchange->request, name);

    return !value ? 0 : digest_parse(out, value, error) < 0 ? -1 : 1;
}

/* What a body will take of the disk: one that the web server has written is there already. */
static uint64_t body_space(const struct request *request)
{
    return request->has_length && !request->body_file ? request->length : 0;
}

static bool has_body(const struct request *request)
{
    return !request->has_length || request->length > 0;
}

/*
 * Checks where the body belongs before a byte of it is taken ("Pushing a blob in chunks"): it has
 * to begin where the session ends and to be as long as it says. `out_length` is the length that it
 * must have, or UINT64_MAX.
 */
static int check_chunk(struct exchange *exchange, const struct upload *upload, uint64_t *out_length,
                       struct error *error)
{
    const struct request *request = exchange->request;
    const char *header = request_parameter(request, "HTTP_CONTENT_RANGE");
    struct range range;

    *out_length = UINT64_MAX;
    if (!header) {
        return 0;
    }
    if (!content_range_parse(header, &range)) {
        return error_set(error, ERROR_UPLOAD_INVALID, "Content-Range is not FIRST-LAST");
    }
    if (range.first != upload->size) {
        return error_set(error, ERROR_UPLOAD_RANGE, "the next chunk has to begin at byte %" PRIu64,
                         upload->size);
    }
    *out_length = range.last - range.first + 1;
    if (request->has_length && request->length != *out_length) {
        return error_set(error, ERROR_SIZE_INVALID,
                         "Content-Range and Content-Length disagree about the chunk's length");
    }
    return 0;
}

/* Streams the body into the session. */
static int take_stream(struct request *request, struct upload *upload, uint64_t length,
                       struct error *error)
{
    AUTO_FREE char *piece = memory_reserve(PIECE_SIZE);
    uint64_t begin = upload->size;
    ssize_t got;

    while ((got = request_read(request, piece, PIECE_SIZE, error)) > 0) {
        if ((uint64_t)got > length - (upload->size - begin)) {
            got = -1;
            (void)error_set(error, ERROR_SIZE_INVALID, "the chunk is longer than Content-Range");
            break;
        }
        if (upload_write(upload, piece, (size_t)got, error) < 0) {
            return -1;
        }
    }
    if (got == 0 && length != UINT64_MAX && upload->size - begin != length) {
        got = error_set(error, ERROR_SIZE_INVALID, "the chunk is shorter than Content-Range");
    }
    if (got < 0 && error->code == ERROR_SIZE_INVALID) {
        struct error ignored;

        (void)upload_rewind(upload, begin, &ignored);
    }
    return got < 0 ? -1 : 0;
}

/*
 * Appends the body to the session. When that fails, the session is closed in the state that the
 * client can go on from: with what arrived if the client broke off, without it if the chunk was
 * wrong, removed if the disk is full.
 */
static int take_body(struct exchange *exchange, struct upload *upload, struct error *error)
{
    struct request *request = exchange->request;
    struct error ignored;
    uint64_t length;
    int result;

    if (upload->is_closed) { /* all has come before; what comes again is not kept */
        return request->body_file ? 0 : take_stream(request, upload, UINT64_MAX, error);
    }
    if (check_chunk(exchange, upload, &length, error) < 0) {
        session_headers(exchange, upload->id, upload->size);
        return -1;
    }
    result = source_check_space(&exchange->source, body_space(request), error);
    if (result == 0 && request->body_file) {
        result = upload_adopt(upload, request->body_file, error);
    } else if (result == 0) {
        result = take_stream(request, upload, length, error);
    }
    if (result < 0 && error->code == ERROR_NO_SPACE) {
        (void)upload_cancel(upload, &ignored);
    } else if (result < 0) {
        session_headers(exchange, upload->id, upload->size);
        (void)upload_suspend(upload, &ignored);
    }
    return result;
}

static int start_session(struct exchange *exchange, struct upload *upload, struct error *error)
{
    const char *name = request_query(exchange->request, "digest-algorithm");
    enum digest_algorithm algorithm = DIGEST_SHA256;
    struct error expiry;

    if (name && !digest_algorithm_parse(name, &algorithm)) {
        return error_set(error, ERROR_DIGEST_INVALID,
                         "the digest algorithm is not supported: use sha256 or sha512");
    }
    if (expire_abandoned(exchange->source.repository.store, &expiry) < 0) {
        log_warning("abandoned uploads cannot be removed: %s", expiry.message);
    }
    return upload_start(upload, &exchange->source.repository, algorithm, error);
}

/* "Single POST": the whole blob at once; nothing is left behind if it fails. */
static int post_monolithic(struct exchange *exchange, const struct digest *digest,
                           struct error *error)
{
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct error ignored;
    int result;

    if (upload_start(&upload, &exchange->source.repository, digest->algorithm, error) < 0) {
        return -1;
    }
    if (exchange->request->body_file) {
        result = upload_adopt(&upload, exchange->request->body_file, error);
    } else {
        result = take_stream(exchange->request, &upload, UINT64_MAX, error);
    }
    if (result == 0) {
        result = upload_finish(&upload, digest, error);
    }
    if (result < 0) {
        (void)upload_cancel(&upload, &ignored);
        return -1;
    }
    return created(exchange, digest);
}

/* Whether the request carries the blob itself: then it is the whole of it. */
static bool is_monolithic(const struct request *request, const struct digest *digest)
{
    struct digest empty;

    digest_of(digest->algorithm, "", 0, &empty);
    return has_body(request) || digest_equal(&empty, digest);
}

int handle_uploads_post(struct exchange *exchange, struct error *error)
{
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct digest digest;
    int given;

    if (source_check_space(&exchange->source, body_space(exchange->request), error) < 0) {
        return -1;
    }
    given = query_digest(exchange, "mount", &digest, error);
    if (given > 0) {
        int mounted = source_mount(&exchange->source, request_query(exchange->request, "from"),
                                   &digest, error);

        if (mounted != 0) {
            return mounted < 0 ? -1 : created(exchange, &digest);
        }
    } else if (given == 0) {
        given = query_digest(exchange, "digest", &digest, error);
        if (given > 0 && is_monolithic(exchange->request, &digest)) {
            return post_monolithic(exchange, &digest, error);
        }
    }
    if (given < 0 || start_session(exchange, &upload, error) < 0) {
        return -1;
    }
    exchange->response.status = 202;
    session_headers(exchange, upload.id, 0);
    return 0;
}

int handle_upload_get(struct exchange *exchange, struct error *error)
{
    uint64_t size;

    if (upload_status(&exchange->source.repository, exchange->route.reference, &size, error) < 0) {
        return -1;
    }
    exchange->response.status = 204;
    session_headers(exchange, exchange->route.reference, size);
    return 0;
}

int handle_upload_patch(struct exchange *exchange, struct error *error)
{
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    uint64_t size;

    if (upload_open(&upload, &exchange->source.repository, exchange->route.reference, error) < 0) {
        return -1;
    }
    if (upload.is_closed) {
        session_headers(exchange, upload.id, upload.size);
        return error_set(error, ERROR_UPLOAD_RANGE, "all chunks of this upload have arrived");
    }
    if (take_body(exchange, &upload, error) < 0) {
        return -1;
    }
    size = upload.size;
    if (upload_suspend(&upload, error) < 0) {
        return -1;
    }
    exchange->response.status = 202;
    session_headers(exchange, exchange->route.reference, size);
    return 0;
}

int handle_upload_put(struct exchange *exchange, struct error *error)
{
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct digest digest;
    int given = query_digest(exchange, "digest", &digest, error);

    if (given <= 0) {
        return given < 0 ? -1
                         : error_set(error, ERROR_DIGEST_INVALID,
                                     "the closing request needs a digest parameter");
    }
    /* With a body that is asked when it is taken. */
    if ((!has_body(exchange->request) && source_check_space(&exchange->source, 0, error) < 0) ||
        upload_open(&upload, &exchange->source.repository, exchange->route.reference, error) < 0) {
        return -1;
    }
    if (has_body(exchange->request) && take_body(exchange, &upload, error) < 0) {
        return -1;
    }
    if (upload_finish(&upload, &digest, error) < 0) {
        if (error->code == ERROR_DIGEST_INVALID) {
            session_headers(exchange, exchange->route.reference, upload.size);
        }
        return -1;
    }
    return created(exchange, &digest);
}

int handle_upload_delete(struct exchange *exchange, struct error *error)
{
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;

    if (upload_open(&upload, &exchange->source.repository, exchange->route.reference, error) < 0 ||
        upload_cancel(&upload, error) < 0) {
        return -1;
    }
    exchange->response.status = 204;
    return 0;
}
