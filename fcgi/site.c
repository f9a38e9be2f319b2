/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/site.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/clock.h"
#include "lib/base/text.h"

/* Whether it can stand between quotes in a header, and is a host. */
static bool host_is_plain(const char *host)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]";

    return host && *host && strlen(host) < 256 && strspn(host, allowed) == strlen(host);
}

static bool is_secure(const struct request *request)
{
    const char *https = request_parameter(request, "HTTPS");
    const char *scheme = request_parameter(request, "REQUEST_SCHEME");
    const char *forwarded = request_parameter(request, "HTTP_X_FORWARDED_PROTO");

    return (https && strcasecmp(https, "off") != 0) ||
           (scheme && strcasecmp(scheme, "https") == 0) ||
           (forwarded && strcasecmp(forwarded, "https") == 0);
}

void site_find(struct site *out, const struct request *request, const char *public_url)
{
    const char *host = request_parameter(request, "HTTP_HOST");

    if (public_url && *public_url) {
        (void)snprintf(out->url, sizeof(out->url), "%s", public_url);
        out->knows_scheme = true;
        return;
    }
    if (!host_is_plain(host)) {
        host = request_parameter(request, "SERVER_NAME");
    }
    out->knows_scheme = is_secure(request);
    (void)snprintf(out->url, sizeof(out->url), "%s://%s", out->knows_scheme ? "https" : "http",
                   host_is_plain(host) ? host : "localhost");
    for (char *c = out->url; *c; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    }
}

const char *site_service(const struct site *site)
{
    const char *host = strstr(site->url, "://");

    return host ? host + strlen("://") : site->url;
}

bool site_is_origin(const struct site *site, const struct request *request, const char *origin)
{
    const char *own = request_parameter(request, "HTTP_HOST");
    bool is_secured = text_begins(origin, "https://");
    const char *host = strstr(origin, "://");

    if (!host || (!is_secured && !text_begins(origin, "http://"))) {
        return false;
    }
    host += strlen("://");
    if (strcasecmp(host, site_service(site)) == 0) {
        return !site->knows_scheme || strcasecmp(origin, site->url) == 0;
    }
    return own && strcasecmp(host, own) == 0 && (is_secured || !is_secure(request));
}

/* Seconds since the request began, of which nginx tells: the rest of it may have taken hours. */
static int64_t request_age(const struct request *request)
{
    const char *text = request_parameter(request, "BERTH_REQUEST_TIME");
    uint64_t seconds = 0;

    return text && text_number(text, strspn(text, "0123456789"), &seconds) ? (int64_t)seconds : 0;
}

struct attempt site_attempt(const struct site *site, const struct request *request)
{
    const char *authorization = request_parameter(request, "HTTP_AUTHORIZATION");

    return (struct attempt){
        /* Apache's other name for it, behind an internal redirect. */
        .authorization = authorization ? authorization
                                       : request_parameter(request, "REDIRECT_HTTP_AUTHORIZATION"),
        .remote_user = request_parameter(request, "REMOTE_USER"),
        .address = request_parameter(request, "REMOTE_ADDR"),
        .service = site_service(site),
        .began = (int64_t)clock_date() - request_age(request),
    };
}

bool attempt_has_token(const struct attempt *attempt)
{
    return attempt->authorization && strncasecmp(attempt->authorization, "Bearer ", 7) == 0;
}

void site_challenge(const struct site *site, const char *scope, const char *error,
                    struct response *response)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    if (site->realm) {
        buffer_format(&text, "Bearer realm=\"%s\",service=\"%s\"", site->realm, site->audience);
    } else {
        buffer_format(&text, "Bearer realm=\"%s/v2/_berth/token\",service=\"%s\"", site->url,
                      site_service(site));
    }
    if (scope) {
        buffer_format(&text, ",scope=\"%s\"", scope);
    }
    if (error) {
        buffer_format(&text, ",error=\"%s\"", error);
    }
    response_header(response, "WWW-Authenticate", "%s", text.data);
}
