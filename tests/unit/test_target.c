/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "fcgi/command/target.h"

#define DIGEST "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

static void reads_a_name_with_tag_and_digest_or_without(void **state)
{
    static const struct {
        const char *text, *name, *tag, *digest;
    } rows[] = {
        {"app", "app", "", ""},
        {"me/app:v1", "me/app", "v1", ""},
        {"me/app@" DIGEST, "me/app", "", DIGEST},
        {"me/app:v1@" DIGEST, "me/app", "v1", DIGEST},
        {"a/b/c:V_1.0-x@" DIGEST, "a/b/c", "V_1.0-x", DIGEST},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct target target;

        assert_true(target_parse(&target, rows[i].text));
        assert_string_equal(target.name, rows[i].name);
        assert_string_equal(target.tag, rows[i].tag);
        assert_string_equal(target.digest.text, rows[i].digest);
    }
}

static void takes_nothing_else(void **state)
{
    static const char *const bad[] = {
        "",
        ":v1",
        "@" DIGEST,
        "me/app:",
        "me/app@",
        "me/app:v1@",
        "Me/app",
        "me/app:a b",
        "me//app",
        "me/app@sha256:12",
        "me/app:v1:v2",
        "/me/app",
        "me/app:@" DIGEST,
        "me/app@" DIGEST ":v1",
        "me/app@" DIGEST "@" DIGEST,
    };
    char long_tag[200] = "app:";
    struct target target = {.name = "untouched"};

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (target_parse(&target, bad[i])) {
            fail_msg("'%s'", bad[i]);
        }
    }
    memset(long_tag + 4, 'a', 129);
    assert_false(target_parse(&target, long_tag));
    assert_string_equal(target.name, "untouched");
    long_tag[4 + 128] = '\0';
    assert_true(target_parse(&target, long_tag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_name_with_tag_and_digest_or_without),
        cmocka_unit_test(takes_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
