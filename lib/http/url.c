/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/url.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/text.h"

static bool url_copy_part(CURLU *handle, CURLUPart part, char *out, size_t size)
{
    char *value = NULL;
    bool fits = curl_url_get(handle, part, &value, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                text_copy(out, size, value, strlen(value));

    curl_free(value);
    return fits;
}

static bool url_has_part(CURLU *handle, CURLUPart part)
{
    char *value = NULL;
    bool has = curl_url_get(handle, part, &value, 0) == CURLUE_OK;

    curl_free(value);
    return has;
}

/* A name, and no number in any spelling: the label behind the last dot begins with a letter. */
static bool host_is_plain(const char *host, size_t length)
{
    const char *label = host;

    for (size_t i = 0; i < length; i++) {
        label = host[i] == '.' ? host + i + 1 : label;
    }
    return label < host + length && *label >= 'a' && *label <= 'z' && host[0] != '.' &&
           host[length - 1] != '-';
}

/* A host name in lower case, perhaps a port and a path, of letters that mean nothing else: what
 * nobody can take for anything but what it is. */
static bool url_parse_plain(const char *text, struct url *out)
{
    static const char path[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/";
    bool is_secure = text_begins(text, "https://");
    const char *host = text + (is_secure ? strlen("https://") : strlen("http://"));
    uint64_t port = is_secure ? 443 : 80;
    size_t length;
    size_t digits = 0;

    if (!is_secure && !text_begins(text, "http://")) {
        return false;
    }
    length = strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-");
    text = host + length;
    if (*text == ':') {
        digits = strspn(++text, "0123456789");
        if (digits == 0 || digits > 5 || *text == '0' || !text_number(text, digits, &port)) {
            return false;
        }
        text += digits;
    }
    if (port > UINT16_MAX || !host_is_plain(host, length) || (*text != '/' && *text != '\0') ||
        text[strspn(text, path)] != '\0' ||
        !text_copy(out->host, sizeof(out->host), host, length)) {
        return false;
    }
    memcpy(out->scheme, is_secure ? "https" : "http", is_secure ? sizeof("https") : sizeof("http"));
    out->port = (unsigned)port;
    return true;
}

static bool url_parse_any(const char *text, struct url *out)
{
    CURLU *handle = curl_url();
    char port[8];
    uint64_t number;
    bool good = handle && curl_url_set(handle, CURLUPART_URL, text, 0) == CURLUE_OK &&
                url_copy_part(handle, CURLUPART_SCHEME, out->scheme, sizeof(out->scheme)) &&
                url_copy_part(handle, CURLUPART_HOST, out->host, sizeof(out->host)) &&
                url_copy_part(handle, CURLUPART_PORT, port, sizeof(port)) &&
                text_number(port, strlen(port), &number) &&
                (strcmp(out->scheme, "http") == 0 || strcmp(out->scheme, "https") == 0) &&
                !url_has_part(handle, CURLUPART_USER) && !url_has_part(handle, CURLUPART_ZONEID);

    if (good) {
        out->port = (unsigned)number;
        for (char *c = out->host; *c; c++) {
            *c = (char)tolower((unsigned char)*c);
        }
    }
    curl_url_cleanup(handle);
    return good;
}

bool url_parse(const char *text, struct url *out)
{
    return url_parse_plain(text, out) || url_parse_any(text, out);
}

bool url_resolve(const char *base, const char *reference, struct buffer *out)
{
    CURLU *handle = curl_url();
    char *value = NULL;
    bool good = handle && curl_url_set(handle, CURLUPART_URL, base, 0) == CURLUE_OK &&
                curl_url_set(handle, CURLUPART_URL, reference, 0) == CURLUE_OK &&
                curl_url_set(handle, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
                curl_url_get(handle, CURLUPART_URL, &value, 0) == CURLUE_OK;

    if (good) {
        buffer_add_text(out, value);
    }
    curl_free(value);
    curl_url_cleanup(handle);
    return good;
}
