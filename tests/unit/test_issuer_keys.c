/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/access/issuer_keys.h"
#include "lib/base/clock.h"
#include "tests/unit/own_time.h"
#include "tests/unit/signer.h"

#define URL "http://127.0.0.1:1" /* where nobody is */
#define TOKEN_OF(id) "{\"alg\":\"ES256\",\"kid\":\"" id "\"}"

/* One who has the lock and lives. */
static struct lock held = LOCK_INIT;

static void show_life(void *context)
{
    (void)context;
    lock_refresh(&held);
}

static void begin(struct fixture *fixture, void (*meanwhile)(void *context))
{
    struct error error;

    assert_int_equal(mkdirat(fixture->directory, "access", 0700), 0);
    assert_returns(
        LOCK_TAKEN,
        lock_take_or_make(&held, (struct file_place){fixture->directory, "access/lock-issuer-ci"},
                          LOCK_TRY, &error));
    own_time_begin(meanwhile, fixture);
}

static void end(void)
{
    lock_release(&held);
    own_time_end();
}

/* What is known of the issuer: the key "one", since it was asked so many seconds ago. */
static void put_memo(struct fixture *fixture, int64_t age, unsigned failed)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    int64_t asked = (int64_t)clock_date() - age;

    buffer_format(&text,
                  "{\"url\":\"" URL "\",\"asked\":%" PRId64 ",\"failed\":%u,\"fetched\":%" PRId64
                  ",\"set\":{\"keys\":[",
                  asked, failed, asked);
    signer_add_key("one", &text);
    buffer_add_text(&text, "]}}");
    put_file(fixture->directory, "access/issuer-ci", text.data);
    assert_int_equal(fchmodat(fixture->directory, "access/issuer-ci", 0600, 0), 0);
}

static void put_new_memo(void *context)
{
    show_life(context);
    put_memo(context, 0, 0);
}

/* Whether there is a key for a token with this head. */
static int find(struct fixture *fixture, const char *head, bool is_stale, struct error *error)
{
    AUTO_BUFFER struct buffer directory = BUFFER_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_BUFFER struct buffer key = BUFFER_INIT;
    AUTO_JWT struct jwt jwt = JWT_INIT;
    struct issuer_options issuer = {.name = TEXT("ci"), .url = TEXT(URL)};
    struct access_options options = {.http_proxy = "", .ca_file = ""};
    struct issuer_trust trust = {&options, &issuer, true, 0};
    int result;

    buffer_format(&directory, "%s/access", fixture->path);
    options.directory = directory.data;
    signer_add_token(head, "{}", &text);
    assert_int_equal(jwt_parse(&jwt, text.data, error), 0);
    result = issuer_keys_find(&trust, &jwt, is_stale, &key, error);
    assert_int_equal(key.length > 0, result == 0);
    return result;
}

static void who_cannot_ask_for_others_who_do_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct error error;

    begin(fixture, show_life);
    assert_fails(ERROR_UNAVAILABLE, find(fixture, TOKEN_OF("one"), false, &error));
    put_memo(fixture, 3600, 0);
    assert_fails(ERROR_UNAVAILABLE, find(fixture, TOKEN_OF("two"), false, &error));
    assert_fails(ERROR_UNAVAILABLE, find(fixture, TOKEN_OF("one"), true, &error));
    assert_returns(0, find(fixture, TOKEN_OF("one"), false, &error));
    end();
}

static void what_others_were_told_meanwhile_is_of_use(void **state)
{
    struct fixture *fixture = *state;
    struct error error;

    begin(fixture, put_new_memo);
    assert_returns(0, find(fixture, TOKEN_OF("one"), false, &error));
    put_memo(fixture, 3600, 0);
    assert_fails(ERROR_UNAUTHORIZED, find(fixture, TOKEN_OF("two"), false, &error));
    end();
}

/* Nobody but the issuer can say that there is no such key, or no other one of that id. */
static void who_was_not_told_does_not_say_no(void **state)
{
    struct fixture *fixture = *state;
    struct error error;

    begin(fixture, NULL);
    put_memo(fixture, 0, 1);
    assert_returns(0, find(fixture, TOKEN_OF("one"), false, &error));
    assert_fails(ERROR_UPSTREAM, find(fixture, TOKEN_OF("two"), false, &error));
    assert_fails(ERROR_UPSTREAM, find(fixture, TOKEN_OF("one"), true, &error));
    put_memo(fixture, 0, 0);
    assert_fails(ERROR_UNAUTHORIZED, find(fixture, TOKEN_OF("two"), false, &error));
    assert_returns(0, find(fixture, TOKEN_OF("one"), true, &error));
    end();
}

/* Here it is the directory in which it would be noted. */
static void who_cannot_even_ask_does_not_say_no(void **state)
{
    struct fixture *fixture = *state;
    struct error error;

    begin(fixture, NULL);
    put_memo(fixture, 3600, 0);
    assert_int_equal(unlinkat(fixture->directory, "access/lock-issuer-ci", 0), 0);
    assert_int_equal(mkdirat(fixture->directory, "access/lock-issuer-ci", 0700), 0);
    assert_fails(ERROR_INTERNAL, find(fixture, TOKEN_OF("two"), false, &error));
    assert_fails(ERROR_INTERNAL, find(fixture, TOKEN_OF("one"), true, &error));
    assert_returns(0, find(fixture, TOKEN_OF("one"), false, &error));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(who_cannot_ask_for_others_who_do_says_so),
        IN_DIRECTORY(what_others_were_told_meanwhile_is_of_use),
        IN_DIRECTORY(who_was_not_told_does_not_say_no),
        IN_DIRECTORY(who_cannot_even_ask_does_not_say_no),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
