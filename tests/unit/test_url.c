/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/http/url.h"

static void takes_urls_apart(void **state)
{
    static const struct {
        const char *text;
        const char *scheme;
        const char *host;
        unsigned port;
    } cases[] = {
        {"https://example.org", "https", "example.org", 443},
        {"http://example.org/", "http", "example.org", 80},
        {"https://example.org:8443/a/b?c=d#e", "https", "example.org", 8443},
        {"HTTPS://Example.ORG/", "https", "example.org", 443},
        {"http://127.0.0.1:5000/v2/", "http", "127.0.0.1", 5000},
        {"http://[::1]:5000/", "http", "[::1]", 5000},
        {"https://example.org?x", "https", "example.org", 443},
        /* Numbers in other clothes are the address that they lead to. */
        {"http://0x7f.1/", "http", "127.0.0.1", 80},
        {"http://2130706433/", "http", "127.0.0.1", 80},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct url url;

        if (!url_parse(cases[i].text, &url)) {
            fail_msg("'%s' is a URL", cases[i].text);
        }
        assert_string_equal(url.scheme, cases[i].scheme);
        assert_string_equal(url.host, cases[i].host);
        assert_int_equal(url.port, cases[i].port);
    }
}

static void refuses_what_is_not_for_us(void **state)
{
    static const char *const texts[] = {
        "",
        "example.org",
        "/v2/",
        "//example.org/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/x",
        "http://user@example.org/",
        "http://user:password@example.org/",
        "http://[fe80::1%25eth0]/",
        "http://example.org:0x50/",
        "http://example.org:65536/",
        "http://example.org:-1/",
        "http://exa mple.org/",
        "http://",
        "https://example.org\n/",
    };
    char long_host[400] = "http://";

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct url url;

        if (url_parse(texts[i], &url)) {
            fail_msg("'%s' is not for us", texts[i]);
        }
    }
    memset(long_host + 7, 'a', 300);
    assert_false(url_parse(long_host, &(struct url){.port = 0}));
}

/* With a query behind it libcurl reads it, without one perhaps we do. */
static void reads_what_is_plain_as_libcurl_does(void **state)
{
    static const char *const texts[] = {
        "http://a",
        "https://a.b.example:65535/x",
        "http://a:80",
        "http://a..b/",
        "http://a.b./",
        "http://.a/",
        "http://-a.b/",
        "http://a.b-/",
        "http://a.b:0080/",
        "http://a.b:0/",
        "http://a.b:/",
        "http://a.b:99999/",
        "http://1.2.3.4",
        "http://1.2.3.a4/",
        "http://a.1/",
        "http://a.0x1/",
        "http://0x7f.x/",
        "http://a//b/../c/.",
        "http:///a",
        "http://a:80a/",
        "https://xn--bcher-kva.example/v2",
        "http://a.x1f",
        "https://a1.b2",
        "http:/a",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        AUTO_BUFFER struct buffer asking = BUFFER_INIT;
        struct url url = {.port = 0};
        struct url other = {.port = 0};

        buffer_format(&asking, "%s?", texts[i]);
        if (url_parse(texts[i], &url) != url_parse(asking.data, &other)) {
            fail_msg("'%s'", texts[i]);
        }
        assert_string_equal(url.host, other.host);
        assert_string_equal(url.scheme, other.scheme);
        assert_int_equal(url.port, other.port);
    }
}

static void resolves_references(void **state)
{
    static const struct {
        const char *base;
        const char *reference;
        const char *expected;
    } cases[] = {
        {"https://a.example/v2/x/blobs/d", "/other", "https://a.example/other"},
        {"https://a.example/v2/x/blobs/d", "e", "https://a.example/v2/x/blobs/e"},
        {"https://a.example/v2/x/blobs/d", "../e", "https://a.example/v2/x/e"},
        {"https://a.example/v2/x", "?y=z", "https://a.example/v2/x?y=z"},
        {"https://a.example/v2/x", "//b.example/y", "https://b.example/y"},
        {"https://a.example/v2/x", "http://b.example:81/y?z", "http://b.example:81/y?z"},
        {"https://a.example/v2/x", "https://b.example/y#fragment", "https://b.example/y"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;

        assert_true(url_resolve(cases[i].base, cases[i].reference, &out));
        assert_string_equal(out.data, cases[i].expected);
    }
}

static void does_not_resolve_nonsense(void **state)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    (void)state;
    assert_false(url_resolve("not a url", "x", &out));
    assert_false(url_resolve("https://a.example/", "http://[", &out));
    assert_int_equal(out.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_urls_apart),
        cmocka_unit_test(refuses_what_is_not_for_us),
        cmocka_unit_test(reads_what_is_plain_as_libcurl_does),
        cmocka_unit_test(resolves_references),
        cmocka_unit_test(does_not_resolve_nonsense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
