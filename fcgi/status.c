/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/status.h"

#include <stddef.h>

/* Without `default` in these two: the compiler reports a code that is forgotten. */
int status_of_error(enum error_code code)
{
    switch (code) {
    case ERROR_UPLOAD_INVALID:
    case ERROR_DIGEST_INVALID:
    case ERROR_MANIFEST_BLOB_UNKNOWN:
    case ERROR_MANIFEST_INVALID:
    case ERROR_SIZE_INVALID:
    case ERROR_REQUEST_INVALID:
    case ERROR_CLIENT_GONE:
        return 400;
    case ERROR_UNAUTHORIZED:
        return 401;
    case ERROR_DENIED:
    case ERROR_TAG_IMMUTABLE:
        return 403;
    case ERROR_BLOB_UNKNOWN:
    case ERROR_UPLOAD_UNKNOWN:
    case ERROR_MANIFEST_UNKNOWN:
    case ERROR_NAME_INVALID:
    case ERROR_NAME_UNKNOWN:
    case ERROR_NOT_FOUND:
        return 404;
    case ERROR_UNSUPPORTED:
    case ERROR_READ_ONLY:
        return 405;
    case ERROR_UPLOAD_BUSY:
        return 409;
    case ERROR_PRECONDITION:
        return 412;
    case ERROR_MANIFEST_TOO_LARGE:
        return 413;
    case ERROR_UPLOAD_RANGE:
    case ERROR_RANGE:
        return 416;
    case ERROR_TOO_MANY_REQUESTS:
        return 429;
    case ERROR_UPSTREAM:
    case ERROR_UPSTREAM_REFUSED:
    case ERROR_UPSTREAM_UNREACHABLE:
        return 502;
    case ERROR_UNAVAILABLE:
        return 503;
    case ERROR_UPSTREAM_TIMEOUT:
        return 504;
    case ERROR_NO_SPACE:
        return 507;
    case ERROR_NONE:
    case ERROR_DATA_LOST:
    case ERROR_LOCK_HELD:
    case ERROR_WOULD_WAIT:
    case ERROR_INTERNAL:
        break;
    }
    return 500;
}

const char *status_identifier(enum error_code code)
{
    switch (code) {
    case ERROR_BLOB_UNKNOWN:
        return "BLOB_UNKNOWN";
    case ERROR_UPLOAD_INVALID:
    case ERROR_UPLOAD_BUSY:
    case ERROR_UPLOAD_RANGE:
    case ERROR_CLIENT_GONE:
        return "BLOB_UPLOAD_INVALID";
    case ERROR_UPLOAD_UNKNOWN:
        return "BLOB_UPLOAD_UNKNOWN";
    case ERROR_DIGEST_INVALID:
        return "DIGEST_INVALID";
    case ERROR_MANIFEST_BLOB_UNKNOWN:
        return "MANIFEST_BLOB_UNKNOWN";
    case ERROR_MANIFEST_INVALID:
    case ERROR_MANIFEST_TOO_LARGE:
    case ERROR_PRECONDITION:
        return "MANIFEST_INVALID";
    case ERROR_MANIFEST_UNKNOWN:
        return "MANIFEST_UNKNOWN";
    case ERROR_NAME_INVALID:
        return "NAME_INVALID";
    case ERROR_NAME_UNKNOWN:
        return "NAME_UNKNOWN";
    case ERROR_SIZE_INVALID:
        return "SIZE_INVALID";
    case ERROR_UNAUTHORIZED:
        return "UNAUTHORIZED";
    case ERROR_DENIED:
    case ERROR_TAG_IMMUTABLE:
    case ERROR_NO_SPACE:
    case ERROR_UPSTREAM_REFUSED:
        return "DENIED";
    case ERROR_TOO_MANY_REQUESTS:
        return "TOOMANYREQUESTS";
    case ERROR_UNAVAILABLE:
        return "UNAVAILABLE";
    case ERROR_UNSUPPORTED:
    case ERROR_READ_ONLY:
    case ERROR_RANGE:
    case ERROR_REQUEST_INVALID:
    case ERROR_NOT_FOUND:
    case ERROR_UPSTREAM:
    case ERROR_UPSTREAM_UNREACHABLE:
    case ERROR_UPSTREAM_TIMEOUT:
    case ERROR_NONE:
    case ERROR_DATA_LOST:
    case ERROR_LOCK_HELD:
    case ERROR_WOULD_WAIT:
    case ERROR_INTERNAL:
        break;
    }
    return "UNSUPPORTED";
}

const char *status_reason(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {303, "See Other"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {416, "Range Not Satisfiable"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {507, "Insufficient Storage"},
    };

    for (size_t i = 0; i < sizeof(phrases) / sizeof(*phrases); i++) {
        if (phrases[i].status == status) {
            return phrases[i].phrase;
        }
    }
    return "Status";
}
