/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/party.h"

#include "lib/base/buffer.h"
#include "lib/http/url.h"

int party_fail_list(const struct http_party *party, struct error *error, enum error_code code,
                    const char *format, va_list arguments)
{
    AUTO_BUFFER struct buffer message = BUFFER_INIT;
    struct url url;

    if (party->upstream) {
        buffer_format(&message, "upstream %s", party->upstream);
    } else {
        buffer_add_text(&message, "the server");
    }
    if (url_parse(party->url, &url)) {
        buffer_format(&message, " (%s:%u)", url.host, url.port);
    }
    buffer_add_text(&message, " ");
    buffer_format_list(&message, format, arguments);
    return error_set(error, code, "%s", message.data);
}

int party_fail(const struct http_party *party, struct error *error, enum error_code code,
               const char *format, ...)
{
    va_list arguments;
    int result;

    va_start(arguments, format);
    result = party_fail_list(party, error, code, format, arguments);
    va_end(arguments);
    return result;
}
