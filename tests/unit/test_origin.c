/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>

#include "lib/proxy/fill/origin.h"

static struct upstream_options sections[] = {
    {.name = TEXT("a.example/alice"), .username = TEXT("alice")},
    {.name = TEXT("a.example/bob"), .username = TEXT("bob")},
};
static struct proxy_options options = {
    .enabled = true, .sections = sections, .section_count = COUNT(sections)};

static struct upstream upstream_named(struct fixture *fixture, const char *name, bool is_private)
{
    struct upstream upstream = {
        .options = &options, .store = &fixture->store, .allow_private_address = is_private};

    (void)snprintf(upstream.name, sizeof(upstream.name), "%s", name);
    return upstream;
}

static void what_the_public_gave_is_anybodys(void **state)
{
    struct fixture *fixture = *state;
    struct upstream upstream = upstream_named(fixture, "a.example", false);
    struct upstream other = upstream_named(fixture, "b.example", true);
    struct digest digest = sha256("x");
    struct digest unknown = sha256("y");
    struct error error;

    assert_false(origin_allows(&upstream, "app", &digest));
    assert_returns(0, origin_record(&upstream, "app", &digest, ORIGIN_GIVEN, &error));
    assert_true(origin_allows(&upstream, "app", &digest));
    assert_true(origin_allows(&upstream, "alice/app", &digest));
    assert_true(origin_allows(&other, "app", &digest));
    assert_false(origin_allows(&upstream, "app", &unknown));
}

static void what_a_private_address_gave_is_that_upstreams(void **state)
{
    struct fixture *fixture = *state;
    struct upstream upstream = upstream_named(fixture, "a.example", true);
    struct upstream other = upstream_named(fixture, "b.example", false);
    struct digest digest = sha256("x");
    struct error error;

    assert_returns(0, origin_record(&upstream, "app", &digest, ORIGIN_GIVEN, &error));
    assert_true(origin_allows(&upstream, "other", &digest));
    assert_true(origin_allows(&upstream, "alice/app", &digest));
    assert_false(origin_allows(&other, "app", &digest));
}

static void what_an_account_got_is_that_accounts(void **state)
{
    struct fixture *fixture = *state;
    struct upstream upstream = upstream_named(fixture, "a.example", false);
    struct upstream other = upstream_named(fixture, "b.example", false);
    struct digest digest = sha256("x");
    struct error error;

    assert_returns(0,
                   origin_record(&upstream, "alice/app", &digest, ORIGIN_GIVEN_TO_ACCOUNT, &error));
    assert_true(origin_allows(&upstream, "alice/other", &digest));
    assert_false(origin_allows(&upstream, "bob/app", &digest));
    assert_false(origin_allows(&upstream, "app", &digest));
    assert_false(origin_allows(&other, "alice/app", &digest));
}

/* Whoever says that he has something has not shown it. */
static void what_was_confirmed_is_nobody_elses(void **state)
{
    struct fixture *fixture = *state;
    struct upstream upstream = upstream_named(fixture, "a.example", false);
    struct upstream other = upstream_named(fixture, "b.example", false);
    struct digest digest = sha256("x");
    struct error error;

    assert_returns(0, origin_record(&upstream, "bob/app", &digest, ORIGIN_CONFIRMED, &error));
    assert_true(origin_allows(&upstream, "bob/app", &digest));
    assert_false(origin_allows(&upstream, "alice/app", &digest));
    assert_false(origin_allows(&upstream, "app", &digest));
    assert_returns(0, origin_record(&other, "app", &digest, ORIGIN_CONFIRMED, &error));
    assert_true(origin_allows(&other, "any", &digest));
    assert_false(origin_allows(&upstream, "app", &digest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(what_the_public_gave_is_anybodys),
        IN_STORE(what_a_private_address_gave_is_that_upstreams),
        IN_STORE(what_an_account_got_is_that_accounts),
        IN_STORE(what_was_confirmed_is_nobody_elses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
