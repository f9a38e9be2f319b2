/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/handle/exchange.h"

#include <string.h>

#include "lib/base/text.h"

int handle_base(struct exchange *exchange, struct error *error)
{
    (void)error;
    exchange->response.body = BODY_BYTES;
    buffer_add_text(&exchange->response.bytes, "{}");
    response_content_header(&exchange->response, "Content-Type", "application/json");
    return 0;
}

void handle_digest_headers(struct exchange *exchange, const struct digest *digest)
{
    response_header(&exchange->response, "Docker-Content-Digest", "%s", digest->text);
    response_content_header(&exchange->response, "ETag", "\"%s\"", digest->text);
}

/* Whether a field such as `"sha256:…", W/"x"` or `*` names this digest (RFC 9110, 13.1). */
static bool names_digest(const char *field, const struct digest *digest)
{
    const char *item;
    size_t length;

    while (text_next_item(&field, ',', &item, &length)) {
        size_t weak = length > 2 && strncmp(item, "W/", 2) == 0 ? 2 : 0;
        size_t quote = length > weak + 2 && item[weak] == '"' ? 1 : 0;
        size_t begin = weak + quote;

        if ((length == 1 && *item == '*') ||
            (length == begin + strlen(digest->text) + quote &&
             strncmp(item + begin, digest->text, strlen(digest->text)) == 0)) {
            return true;
        }
    }
    return false;
}

int handle_check_match(const struct exchange *exchange, const struct digest *digest,
                       struct error *error)
{
    const char *field = request_parameter(exchange->request, "HTTP_IF_MATCH");

    if (field && !names_digest(field, digest)) {
        return error_set(error, ERROR_PRECONDITION, "If-Match: the content has another digest");
    }
    return 0;
}

bool handle_not_modified(struct exchange *exchange, const struct digest *digest)
{
    const char *field = request_parameter(exchange->request, "HTTP_IF_NONE_MATCH");

    if (!field || !names_digest(field, digest)) {
        return false;
    }
    exchange->response.status = 304;
    exchange->response.body = BODY_NONE;
    return true;
}
