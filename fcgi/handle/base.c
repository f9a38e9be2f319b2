/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/handle/exchange.h"

#include "lib/http/conditions.h"
#include "lib/http/form.h"

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

bool handle_condition(const struct exchange *exchange, const char *name, struct digest_set *out)
{
    const char *field = request_parameter(exchange->request, name);

    if (field) {
        conditions_parse(field, out);
    }
    return field != NULL;
}

int handle_check_match(const struct exchange *exchange, const struct digest *digest,
                       struct error *error)
{
    AUTO_DIGEST_SET struct digest_set expected = DIGEST_SET_INIT;

    if (handle_condition(exchange, "HTTP_IF_MATCH", &expected) &&
        !digest_set_has(&expected, digest)) {
        return error_set(error, ERROR_PRECONDITION, "If-Match: the content has another digest");
    }
    return 0;
}

bool handle_not_modified(struct exchange *exchange, const struct digest *digest)
{
    AUTO_DIGEST_SET struct digest_set known = DIGEST_SET_INIT;

    if (!handle_condition(exchange, "HTTP_IF_NONE_MATCH", &known) ||
        !digest_set_has(&known, digest)) {
        return false;
    }
    exchange->response.status = 304;
    exchange->response.body = BODY_NONE;
    return true;
}

int handle_read_form(struct exchange *exchange, struct query *out, struct error *error)
{
    AUTO(buffer_wipe) struct buffer body = BUFFER_INIT;
    int fits;

    if (!form_is_type(request_parameter(exchange->request, "CONTENT_TYPE"))) {
        return error_set(error, ERROR_REQUEST_INVALID,
                         "the body is to be application/x-www-form-urlencoded");
    }
    fits = request_read_form(exchange->request, FORM_LIMIT, &body, error);
    if (fits < 0) {
        return -1;
    }
    return fits > 0 && form_parse(out, body.data, body.length)
               ? 0
               : error_set(error, ERROR_REQUEST_INVALID, "the form is malformed, or too long");
}
