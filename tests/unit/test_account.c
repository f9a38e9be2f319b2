/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "fcgi/page/account.h"

static void leads_back_to_a_path_of_the_page_and_nowhere_else(void **state)
{
    static const struct {
        const char *prefix;
        const char *path;
        bool is_own;
    } rows[] = {
        {"/", "/", true},
        {"/", "/team/app:1.0", true},
        {"/", "/team/app@sha256:00?show=history&page=2", true},
        {"/", "/team/?q=a%2Fb+c", true},
        {"/registry/", "/registry/", true},
        {"/registry/", "/registry/team/app", true},
        {"/registry/", "/", false},
        {"/registry/", "/registry", false},
        {"/registry/", "/other/", false},
        {"/", "", false},
        {"/", "team", false},
        {"/registry/", "/registry/../other", false},
        {"/registry/", "/registry/%2e%2E/other", false},
        {"/registry/", "/registry/a/.%2e/../other", false},
        {"/registry/", "/registry/%2E./other", false},
        {"/", "/..//evil.example", false},
        {"/", "/.//evil.example", false},
        {"/", "//evil.example", false},
        {"/", "/\\evil.example", false},
        {"/", "\\\\evil.example", false},
        {"/", "https://evil.example/", false},
        {"/", "javascript:alert(1)", false},
        {"/", "/a b", false},
        {"/", "/a\r\nSet-Cookie: x", false},
        {"/", "/a\tb", false},
        {"/", "/<script>", false},
        {"/", "/a\"b", false},
        {"/", "/#x", false},
        {"/", "/\xc3\xa4", false},
    };
    AUTO_BUFFER struct buffer path = BUFFER_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (account_return_is_own(rows[i].prefix, rows[i].path) != rows[i].is_own) {
            fail_msg("'%s' below '%s'", rows[i].path, rows[i].prefix);
        }
    }
    buffer_format(&path, "/%0*d", 1023, 0);
    assert_true(account_return_is_own("/", path.data));
    buffer_add_text(&path, "0");
    assert_false(account_return_is_own("/", path.data));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leads_back_to_a_path_of_the_page_and_nowhere_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
