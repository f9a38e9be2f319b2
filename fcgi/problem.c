/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/problem.h"

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/base/text.h"

struct mapping {
    int status;
    const char *code;
};

/* Without `default`: the compiler reports a code that is forgotten here. */
static struct mapping map_error(enum error_code code)
{
    switch (code) {
    case ERROR_BLOB_UNKNOWN:
        return (struct mapping){404, "BLOB_UNKNOWN"};
    case ERROR_UPLOAD_INVALID:
        return (struct mapping){400, "BLOB_UPLOAD_INVALID"};
    case ERROR_UPLOAD_UNKNOWN:
        return (struct mapping){404, "BLOB_UPLOAD_UNKNOWN"};
    case ERROR_UPLOAD_BUSY:
        return (struct mapping){409, "BLOB_UPLOAD_INVALID"};
    case ERROR_UPLOAD_RANGE:
        return (struct mapping){416, "BLOB_UPLOAD_INVALID"};
    case ERROR_DIGEST_INVALID:
        return (struct mapping){400, "DIGEST_INVALID"};
    case ERROR_MANIFEST_BLOB_UNKNOWN:
        return (struct mapping){400, "MANIFEST_BLOB_UNKNOWN"};
    case ERROR_MANIFEST_INVALID:
        return (struct mapping){400, "MANIFEST_INVALID"};
    case ERROR_MANIFEST_UNKNOWN:
        return (struct mapping){404, "MANIFEST_UNKNOWN"};
    case ERROR_MANIFEST_TOO_LARGE:
        return (struct mapping){413, "MANIFEST_INVALID"};
    case ERROR_NAME_INVALID:
        return (struct mapping){404, "NAME_INVALID"};
    case ERROR_NAME_UNKNOWN:
        return (struct mapping){404, "NAME_UNKNOWN"};
    case ERROR_SIZE_INVALID:
        return (struct mapping){400, "SIZE_INVALID"};
    case ERROR_UNAUTHORIZED:
        return (struct mapping){401, "UNAUTHORIZED"};
    case ERROR_DENIED:
        return (struct mapping){403, "DENIED"};
    case ERROR_UNSUPPORTED:
    case ERROR_READ_ONLY:
        return (struct mapping){405, "UNSUPPORTED"};
    case ERROR_RANGE:
        return (struct mapping){416, "UNSUPPORTED"};
    case ERROR_PRECONDITION:
        return (struct mapping){412, "MANIFEST_INVALID"};
    case ERROR_TOO_MANY_REQUESTS:
        return (struct mapping){429, "TOOMANYREQUESTS"};
    case ERROR_NO_SPACE:
        return (struct mapping){507, "DENIED"};
    case ERROR_REQUEST_INVALID:
        return (struct mapping){400, "UNSUPPORTED"};
    case ERROR_NOT_FOUND:
        return (struct mapping){404, "UNSUPPORTED"};
    case ERROR_CLIENT_GONE:
        return (struct mapping){400, "BLOB_UPLOAD_INVALID"};
    case ERROR_UPSTREAM:
    case ERROR_UPSTREAM_UNREACHABLE:
        return (struct mapping){502, "UNSUPPORTED"};
    case ERROR_UPSTREAM_TIMEOUT:
        return (struct mapping){504, "UNSUPPORTED"};
    case ERROR_NONE:
    case ERROR_WOULD_WAIT:
    case ERROR_INTERNAL:
        break;
    }
    return (struct mapping){500, "UNSUPPORTED"};
}

/* `detail` is JSON, or NULL. */
static void add_error(struct buffer *out, const char *code, const char *message, const char *detail)
{
    json_open_object(out, NULL);
    json_text(out, "code", code);
    json_text(out, "message", message);
    if (detail) {
        json_raw(out, "detail", detail);
    }
    json_close_object(out);
}

void response_error(struct response *response, const struct error *error,
                    const struct buffer *details)
{
    struct mapping mapping = map_error(error->code);
    const char *message = error->message;
    const char *cursor = details->data;
    const char *item;
    size_t length;

    if (mapping.status == 500) {
        message = "internal error: the operator finds the reason in the log";
    } else if (error->code == ERROR_NO_SPACE) {
        message = "the registry's storage is full";
    }
    response->status = mapping.status;
    response->body = BODY_BYTES;
    cleanup_close(&response->descriptor);
    response->descriptor = -1;
    buffer_clear(&response->bytes);
    buffer_clear(&response->content_headers);
    response_header(response, "Content-Type", "application/json");
    json_open_object(&response->bytes, NULL);
    json_open_array(&response->bytes, "errors");
    while (text_next_item(&cursor, '\n', &item, &length)) {
        AUTO_BUFFER struct buffer detail = BUFFER_INIT;

        buffer_add(&detail, item, length);
        add_error(&response->bytes, mapping.code, message, detail.data);
    }
    if (details->length == 0) {
        add_error(&response->bytes, mapping.code, message, NULL);
    }
    json_close_array(&response->bytes);
    json_close_object(&response->bytes);
}
