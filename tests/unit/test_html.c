/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "fcgi/page/html.h"

static void check(struct html *html, const char *expected)
{
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;

    html_take(html, &bytes);
    assert_string_equal(bytes.data, expected);
}

static void text_and_attributes_are_escaped(void **state)
{
    static const struct {
        const char *text;
        const char *escaped;
    } rows[] = {
        {"", ""},
        {"plain 1.0", "plain 1.0"},
        {"<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"},
        {"\"onload='x'", "&#34;onload=&#39;x&#39;"},
        {"a&amp;b", "a&amp;amp;b"},
        {"two\nlines\tand", "two\nlines\tand"},
        {"a\001b\033[31m\177", "a\xef\xbf\xbd"
                               "b\xef\xbf\xbd[31m\xef\xbf\xbd"},
        {"\xc3\xa4\xf0\x9f\x9a\xa2", "\xc3\xa4\xf0\x9f\x9a\xa2"},
        /* Overlong, a surrogate, beyond Unicode, cut off, stray: a '<' behind them is seen. */
        {"\xc0\xbc<", "\xef\xbf\xbd\xef\xbf\xbd&lt;"},
        {"\xe0\x80\xbc<", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd&lt;"},
        {"\xed\xa0\x80<", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd&lt;"},
        {"\xf4\x90\x80\x80<", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd&lt;"},
        {"\xe2\x82<", "\xef\xbf\xbd\xef\xbf\xbd&lt;"},
        {"\xf0\x9f\x9a", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xff\x80<", "\xef\xbf\xbd\xef\xbf\xbd&lt;"},
        {"\xc2\x85", "\xef\xbf\xbd"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_HTML struct html html = HTML_INIT;

        html_text(&html, rows[i].text);
        check(&html, rows[i].escaped);
        html_attribute(&html, rows[i].text);
        check(&html, rows[i].escaped);
    }
}

static void urls_of_ours_are_made_of_plain_characters(void **state)
{
    AUTO_HTML struct html html = HTML_INIT;

    (void)state;
    html_path(&html, "team/a\"b<c>:1?#%&'");
    check(&html, "team/a%22b%3Cc%3E:1%3F%23%25%26%27");
    html_argument(&html, "a&b=c+d \xc3\xa4");
    check(&html, "a%26b%3Dc%2Bd%20%C3%A4");
}

static void only_links_of_the_web_are_links(void **state)
{
    static const char *const good[] = {"http://a", "https://example.org/x?y=1&z#f", "HTTPS://A/"};
    static const char *const bad[] = {"",
                                      "javascript:alert(1)",
                                      "JaVaScRiPt:alert(1)",
                                      " https://a",
                                      "\thttps://a",
                                      "java\nscript:x",
                                      "https:/a",
                                      "https://",
                                      "https:///a",
                                      "http://a b",
                                      "https://a\\@b",
                                      "data:text/html,x",
                                      "//a",
                                      "ftp://a",
                                      "https://\xd0\xb0",
                                      "https://a/\"><script>",
                                      "https://a/<b>",
                                      "http://a\177"};
    AUTO_HTML struct html html = HTML_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_true(html_url_is_good(good[i]));
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (html_url(&html, bad[i])) {
            fail_msg("'%s' would be a link", bad[i]);
        }
    }
    assert_true(html_is_empty(&html));
    assert_true(html_url(&html, "https://a/?b=1&c='"));
    check(&html, "https://a/?b=1&amp;c=&#39;");
}

static void what_others_say_has_a_direction_and_a_length(void **state)
{
    AUTO_HTML struct html html = HTML_INIT;

    (void)state;
    html_foreign(&html, "<\xe2\x80\xae>", 10);
    check(&html, "<bdi>&lt;\xef\xbf\xbd&gt;</bdi>");
    html_foreign(&html, "\xe2\x81\xa9\xe2\x80\xaa\xe2\x81\xa6 \xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5",
                 10);
    check(&html,
          "<bdi>\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5</bdi>");
    html_foreign(&html, "\xc3\xa4\xc3\xb6\xc3\xbc", 2);
    check(&html, "<bdi>\xc3\xa4\xc3\xb6\xe2\x80\xa6</bdi>");
    html_foreign(&html, "ab", 2);
    check(&html, "<bdi>ab</bdi>");
}

static void numbers_and_dates(void **state)
{
    AUTO_HTML struct html html = HTML_INIT;

    (void)state;
    html_number(&html, 0);
    HTML(&html, " ");
    html_number(&html, 999);
    HTML(&html, " ");
    html_number(&html, 1000);
    HTML(&html, " ");
    html_number(&html, 12345678);
    check(&html, "0 999 1,000 12,345,678");
    html_time(&html, 1764415205);
    check(&html, "<time datetime=\"2025-11-29T11:20:05Z\">2025-11-29 11:20</time>");
    html_time(&html, 0);
    check(&html, "<span class=\"dim\">\xe2\x80\x93</span>");
    html_time(&html, INT64_MAX);
    html_time(&html, 253402300800);
    html_time(&html, INT64_MIN);
    check(&html, "<span class=\"dim\">\xe2\x80\x93</span><span class=\"dim\">\xe2\x80\x93</span>"
                 "<span class=\"dim\">\xe2\x80\x93</span>");
    html_time(&html, 0);
    check(&html, "<span class=\"dim\">\xe2\x80\x93</span>");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_attributes_are_escaped),
        cmocka_unit_test(urls_of_ours_are_made_of_plain_characters),
        cmocka_unit_test(only_links_of_the_web_are_links),
        cmocka_unit_test(what_others_say_has_a_direction_and_a_length),
        cmocka_unit_test(numbers_and_dates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
