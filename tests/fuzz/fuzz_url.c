/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/http/url.h"

/* What is plain is read by us, and with a query behind it by libcurl. */
static void check_plain(const char *text)
{
    AUTO_BUFFER struct buffer asking = BUFFER_INIT;
    struct url url = {.port = 0};
    struct url other = {.port = 0};
    bool good = url_parse(text, &url);

    if (strpbrk(text, "?#")) {
        return;
    }
    buffer_format(&asking, "%s?", text);
    CHECK(url_parse(asking.data, &other) == good);
    CHECK(!good || (strcmp(url.host, other.host) == 0 && url.port == other.port &&
                    strcmp(url.scheme, other.scheme) == 0));
}

static void check_url(const char *text)
{
    struct url url;

    check_plain(text);
    if (!url_parse(text, &url)) {
        return;
    }
    CHECK(strcmp(url.scheme, "http") == 0 || strcmp(url.scheme, "https") == 0);
    CHECK(*url.host && url.port <= 65535);
    CHECK(!strpbrk(url.host, "@/?# \r\n"));
    for (const char *c = url.host; *c; c++) {
        CHECK(!(*c >= 'A' && *c <= 'Z'));
    }
}

/* The first line is a URL, the second a reference that is seen from it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    char *text;
    char *reference;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    text = copy_text(data, size);
    reference = strchr(text, '\n');
    if (reference) {
        *reference++ = '\0';
    }
    check_url(text);
    if (reference && url_resolve(text, reference, &out)) {
        CHECK(!strpbrk(out.data, "\r\n"));
        check_url(out.data);
    }
    free(text);
    return 0;
}
