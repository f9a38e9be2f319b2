/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/setup_address.h"

#include <ctype.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/http/url.h"

static bool url_has_scheme(const char *url)
{
    return text_begins(url, "http://") || text_begins(url, "https://");
}

static bool address_is_valid(const char *url)
{
    struct url parsed;

    return !strpbrk(url, "?# \r\n") && url_parse(url, &parsed);
}

bool setup_url_is_valid(const char *url)
{
    AUTO_BUFFER struct buffer complete = BUFFER_INIT;
    size_t host = strcspn(url, "/");

    if (url_has_scheme(url)) {
        return address_is_valid(url);
    }
    if (text_begins(url, "http:") || text_begins(url, "https:") || strstr(url, "://") ||
        (!isalnum((unsigned char)*url) && *url != '[') ||
        (!memchr(url, '.', host) && !memchr(url, ':', host) && !text_begins(url, "localhost"))) {
        return false;
    }
    buffer_format(&complete, "https://%s", url);
    return address_is_valid(complete.data);
}

bool setup_url_has_user(const char *url)
{
    const char *scheme = strstr(url, "://");
    const char *authority = scheme ? scheme + strlen("://") : url;

    return memchr(authority, '@', strcspn(authority, "/?#")) != NULL;
}

/* The same place by another scheme: the port stays. */
static void address_by(const char *url, const char *scheme, struct buffer *out)
{
    const char *authority = strstr(url, "://") + strlen("://");
    struct url parsed;

    if (url_parse(url, &parsed)) {
        buffer_format(out, "%s://%s:%u%s", scheme, parsed.host, parsed.port,
                      authority + strcspn(authority, "/"));
    }
}

/* Nothing secret is sent. */
static enum http_language address_ask(const struct configuration *configuration, const char *url)
{
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    AUTO_BUFFER struct buffer address = BUFFER_INIT;
    struct http_request request = {.method = "GET",
                                   .headers = BUFFER_INIT,
                                   .proxy = "",
                                   .ca_file = configuration->registry.proxy.ca_file,
                                   .connect_milliseconds = SETUP_CONNECT_TIMEOUT,
                                   .stall_milliseconds = SETUP_STALL_TIMEOUT,
                                   .allow_private_address = true};
    struct error ignored;

    address_by(url, "https", &address);
    request.url = address.data;
    (void)http_open(&transfer, &request, &ignored);
    return http_language(&transfer);
}

bool setup_url_complete(const struct configuration *configuration, const char *url,
                        bool has_password, struct findings *findings, struct buffer *out)
{
    AUTO_BUFFER struct buffer encrypted = BUFFER_INIT;
    enum http_language language;

    if (url_has_scheme(url)) {
        buffer_add_text(out, url);
        return true;
    }
    buffer_format(&encrypted, "https://%s", url);
    language = address_ask(configuration, encrypted.data);
    if (language == HTTP_LANGUAGE_PLAIN && has_password) {
        findings_problem(findings, url,
                         "it has no scheme, and no TLS is spoken there: the password was not "
                         "sent" FINDINGS_DO "give http://%s if it may be read on the way",
                         url);
        return false;
    }
    buffer_format(out, "%s://%s", language == HTTP_LANGUAGE_PLAIN ? "http" : "https", url);
    switch (language) {
    case HTTP_LANGUAGE_TLS:
        findings_ok(findings, url, "it has no scheme: %s is taken, TLS is spoken there", out->data);
        break;
    case HTTP_LANGUAGE_PLAIN:
        findings_ok(findings, url, "it has no scheme: %s is taken, no TLS is spoken there",
                    out->data);
        break;
    case HTTP_LANGUAGE_UNKNOWN:
        findings_warning(findings, url,
                         "it has no scheme: %s is tried" FINDINGS_DO
                         "give it with http:// or https://",
                         out->data);
        break;
    }
    return true;
}

bool setup_url_tell_language(const struct configuration *configuration, const char *url,
                             struct findings *findings)
{
    bool is_https = text_begins(url, "https://");
    enum http_language language = address_ask(configuration, url);
    AUTO_BUFFER struct buffer right = BUFFER_INIT;

    address_by(url, is_https ? "http" : "https", &right);
    if (is_https && language == HTTP_LANGUAGE_PLAIN) {
        findings_problem(findings, url,
                         "https was spoken to a port without TLS" FINDINGS_DO
                         "give %s, or let the web server speak TLS there",
                         right.data);
    } else if (!is_https && language == HTTP_LANGUAGE_TLS) {
        findings_problem(findings, url, "http was spoken to a port of TLS" FINDINGS_DO "give %s",
                         right.data);
    } else {
        return false;
    }
    return true;
}
