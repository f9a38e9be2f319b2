/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "lib/access/remembered.h"
#include "lib/base/clock.h"

enum { NOW = 1764000000 };

static struct subject somebody(const char *name)
{
    struct subject subject = subject_anonymous();

    assert_true(subject_make(SUBJECT_ISSUER, name, &subject));
    subject.end = NOW + 300;
    return subject;
}

static void knows_a_token_that_was_verified_and_no_other(void **state)
{
    struct remembered remembered = {.entries = NULL};
    struct subject subject = somebody("server/alice");
    struct subject found = subject_anonymous();
    struct error error = ERROR_INIT;

    (void)state;
    assert_true(subject_add_scope(&subject, RIGHT_PULL, "team/app"));
    assert_returns(0, remembered_find(&remembered, "a.b.c", NOW, &found, &error));
    assert_returns(0, remembered_add(&remembered, "a.b.c", &subject, &error));
    assert_returns(0, remembered_find(&remembered, "a.b.d", NOW, &found, &error));
    assert_returns(0, remembered_find(&remembered, "a.b.", NOW, &found, &error));
    assert_returns(0, remembered_find(&remembered, "", NOW, &found, &error));
    assert_string_equal("", found.name);
    assert_returns(1, remembered_find(&remembered, "a.b.c", NOW, &found, &error));
    assert_string_equal("server/alice", found.name);
    assert_string_equal("1 team/app\n", found.scopes);
    remembered_wipe(&remembered);
    assert_returns(0, remembered_find(&remembered, "a.b.c", NOW, &found, &error));
    remembered_wipe(&remembered);
}

static void forgets_what_has_expired_and_what_was_long_ago(void **state)
{
    struct remembered remembered = {.entries = NULL};
    struct subject subject = somebody("server/alice");
    struct subject found;
    struct error error = ERROR_INIT;

    (void)state;
    assert_returns(0, remembered_add(&remembered, "a.b.c", &subject, &error));
    assert_returns(1, remembered_find(&remembered, "a.b.c", NOW + 299, &found, &error));
    assert_returns(0, remembered_find(&remembered, "a.b.c", NOW + 300, &found, &error));
    for (size_t i = 0; i < REMEMBERED_ENTRIES; i++) {
        int64_t *until = &remembered.entries[i].until;

        assert_true(*until <= clock_milliseconds() + REMEMBERED_SECONDS * 1000);
        *until -= *until > 0 ? REMEMBERED_SECONDS * 1000 : 0;
    }
    assert_returns(0, remembered_find(&remembered, "a.b.c", NOW, &found, &error));
    remembered_wipe(&remembered);
}

static void the_oldest_gives_way(void **state)
{
    struct remembered remembered = {.entries = NULL};
    struct subject found;
    struct error error = ERROR_INIT;

    (void)state;
    for (int i = 0; i <= REMEMBERED_ENTRIES; i++) {
        struct subject subject = somebody("server/alice");
        char token[16];

        (void)snprintf(token, sizeof(token), "a.b.%d", i);
        assert_returns(0, remembered_add(&remembered, token, &subject, &error));
        remembered.entries[i % REMEMBERED_ENTRIES].until += i;
    }
    assert_returns(0, remembered_find(&remembered, "a.b.0", NOW, &found, &error));
    for (int i = 1; i <= REMEMBERED_ENTRIES; i++) {
        char token[16];

        (void)snprintf(token, sizeof(token), "a.b.%d", i);
        assert_returns(1, remembered_find(&remembered, token, NOW, &found, &error));
    }
    remembered_wipe(&remembered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_a_token_that_was_verified_and_no_other),
        cmocka_unit_test(forgets_what_has_expired_and_what_was_long_ago),
        cmocka_unit_test(the_oldest_gives_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
