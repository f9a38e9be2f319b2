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

bool url_parse(const char *text, struct url *out)
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
