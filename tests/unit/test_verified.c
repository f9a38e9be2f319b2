/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/store/verified.h"

/* A digest whose digits begin with these two. */
static struct digest digest_in(const char *prefix, char last)
{
    char text[DIGEST_TEXT_SIZE];
    struct digest digest;
    struct error error;

    (void)snprintf(text, sizeof(text), "sha256:%s%061d%c", prefix, 0, last);
    assert_returns(0, digest_parse(&digest, text, &error));
    return digest;
}

static bool is_known(struct verified *verified, const struct digest *digest)
{
    verified_turn_to(verified, digest);
    return verified_is_since(verified, digest, 5, 1);
}

static void note(struct verified *verified, const struct digest *digest)
{
    verified_turn_to(verified, digest);
    verified_note(verified, digest, 5);
}

static void what_was_noted_is_known_to_the_next_run(void **state)
{
    struct fixture *fixture = *state;
    struct digest one = digest_in("00", '1');
    struct digest two = digest_in("00", '2');
    struct digest other = digest_in("ff", '1');
    AUTO_VERIFIED struct verified first = VERIFIED_INIT(&fixture->store);
    AUTO_VERIFIED struct verified second = VERIFIED_INIT(&fixture->store);

    note(&first, &one);
    note(&first, &other);
    verified_finish(&first);
    assert_true(is_known(&second, &one));
    assert_false(is_known(&second, &two));
    assert_true(is_known(&second, &other));
    assert_false(verified_is_since(&second, &other, 6, 1));
    assert_false(verified_is_since(&second, &other, 5, clock_date() + 10));
}

static void what_is_not_seen_to_the_end_is_forgotten_and_what_is_stopped_keeps_it(void **state)
{
    struct fixture *fixture = *state;
    struct digest gone = digest_in("00", '1');
    struct digest left = digest_in("00", '2');

    for (int stopped = 1; stopped >= 0; stopped--) {
        AUTO_VERIFIED struct verified first = VERIFIED_INIT(&fixture->store);
        AUTO_VERIFIED struct verified second = VERIFIED_INIT(&fixture->store);
        AUTO_VERIFIED struct verified third = VERIFIED_INIT(&fixture->store);

        note(&first, &gone);
        note(&first, &left);
        verified_finish(&first);
        note(&second, &left);
        if (stopped) {
            verified_stop(&second);
        } else {
            verified_finish(&second);
        }
        assert_int_equal(is_known(&third, &gone), stopped);
        assert_true(is_known(&third, &left));
    }
}

/* Also if the run is killed in that moment. */
static void what_is_damaged_is_not_known_any_more(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = digest_in("ab", '1');
    AUTO_VERIFIED struct verified first = VERIFIED_INIT(&fixture->store);
    AUTO_VERIFIED struct verified second = VERIFIED_INIT(&fixture->store);
    AUTO_VERIFIED struct verified third = VERIFIED_INIT(&fixture->store);

    note(&first, &digest);
    verified_finish(&first);
    verified_turn_to(&first, &digest);
    verified_forget(&first, &digest);
    assert_false(is_known(&second, &digest));
    verified_finish(&first);
    assert_false(is_known(&third, &digest));
}

static void a_date_that_is_ahead_says_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = digest_in("ab", '1');
    AUTO_VERIFIED struct verified verified = VERIFIED_INIT(&fixture->store);
    char text[256];

    (void)snprintf(text, sizeof(text), "%s %lld 5\n", digest_hex(&digest),
                   (long long)clock_date() + 86400);
    put_file(fixture->store.root, layout_verified(DIGEST_SHA256, "ab").text, text);
    assert_false(is_known(&verified, &digest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(what_was_noted_is_known_to_the_next_run),
        IN_STORE(what_is_not_seen_to_the_end_is_forgotten_and_what_is_stopped_keeps_it),
        IN_STORE(what_is_damaged_is_not_known_any_more),
        IN_STORE(a_date_that_is_ahead_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
