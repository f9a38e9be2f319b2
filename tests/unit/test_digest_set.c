/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>

#include "lib/oci/digest_set.h"

static void has_what_was_added(void **state)
{
    AUTO_DIGEST_SET struct digest_set set = DIGEST_SET_INIT;
    struct digest first = sha256("first");
    struct digest second = sha256("second");

    (void)state;
    assert_false(digest_set_has(&set, &first));
    digest_set_add(&set, &first);
    assert_true(digest_set_has(&set, &first));
    assert_false(digest_set_has(&set, &second));
    digest_set_add(&set, &second);
    assert_true(digest_set_has(&set, &first));
    assert_true(digest_set_has(&set, &second));
    assert_int_equal(set.count, 2);
}

/* The same digits under another algorithm are another digest. */
static void tells_algorithms_apart(void **state)
{
    AUTO_DIGEST_SET struct digest_set set = DIGEST_SET_INIT;
    struct digest short_one;
    struct digest long_one;

    (void)state;
    digest_of(DIGEST_SHA256, "x", 1, &short_one);
    digest_of(DIGEST_SHA512, "x", 1, &long_one);
    digest_set_add(&set, &short_one);
    assert_false(digest_set_has(&set, &long_one));
}

static void what_does_not_exist_is_in_none(void **state)
{
    AUTO_DIGEST_SET struct digest_set some = DIGEST_SET_INIT;
    AUTO_DIGEST_SET struct digest_set any = {.any = true};
    struct digest digest = sha256("x");

    (void)state;
    digest_set_add(&some, &digest);
    assert_false(digest_set_has(&some, NULL));
    assert_false(digest_set_has(&any, NULL));
    assert_true(digest_set_has(&any, &digest));
}

static void holds_many_and_is_empty_afterwards(void **state)
{
    struct digest_set set = DIGEST_SET_INIT;
    struct digest digest;
    char text[32];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        digest = sha256(text);
        digest_set_add(&set, &digest);
    }
    digest = sha256("0");
    assert_true(digest_set_has(&set, &digest));
    digest_set_release(&set);
    assert_false(digest_set_has(&set, &digest));
    digest_set_release(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_what_was_added),
        cmocka_unit_test(tells_algorithms_apart),
        cmocka_unit_test(what_does_not_exist_is_in_none),
        cmocka_unit_test(holds_many_and_is_empty_afterwards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
