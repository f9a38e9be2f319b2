/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/access/apr1.h"
#include "lib/access/crypted.h"
#include "lib/access/password.h"
#include "lib/access/verified.h"

/* Each of "secret", as htpasswd, openssl and crypt(3) have made them. */
#define CHEAP "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
static const char *const kinds[] = {
    "$2a$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
    "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
    "$2y$05$ln.os7gTQvv.U3Qc4Zsg4uQSkf.ndlbigZS9lsP5TZTM5Eak3MK0a",
    "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA",
    "$5$rounds=1000$salt$CCvcOM6b7TEJDPb37Aec/9UpOg4QhPNAxPpL9ZzjTB7",
    "$6$rounds=1000$salt$HNxBeBnDfSfUrTj6KiLnmd7tGCvHEmcExh8kl/S0cZ5WrCciNZgfhbpkeFQ4JfkHX."
    "8vPq45lY0iINnCx1Lkm.",
    "$y$j75$saltsaltsalt$jyf/lxrpdyAIshWRo1x5DRC6KIE7sNRRtjcomR3PgHA",
    "$7$4/..../....saltsalt$igPP2Af6tc/NuAUIkmqxXdyJJ3gP8gHGvlyEH4hRaZ8",
    "$apr1$Dk3UYJmk$quh5zoLuZ4Z1tAqNr3GU..",
};

static const char *path_of(struct fixture *fixture, char out[256])
{
    (void)snprintf(out, 256, "%s/htpasswd", fixture->path);
    return out;
}

static void takes_the_hashes_of_known_kinds(void **state)
{
    struct error error = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (crypted_refusal(kinds[i])) {
            fail_msg("%s is %s", kinds[i], crypted_refusal(kinds[i]));
        }
        if (crypted_verify(kinds[i], "secret", &error) != 1) {
            fail_msg("%s does not fit", kinds[i]);
        }
        assert_returns(0, crypted_verify(kinds[i], "Secret", &error));
        assert_returns(0, crypted_verify(kinds[i], "", &error));
    }
}

static void computes_what_htpasswd_computes_for_any_length(void **state)
{
    static const struct {
        const char *password;
        const char *crypted;
    } cases[] = {
        {"", "$apr1$xyz$Pix4eE3fQHxJjb6LqtyMK1"},
        {"secret", "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/"},
        {"a much longer password than sixteen bytes", "$apr1$ab$ZgbyBttfAvWjwKDroS41O1"},
    };
    struct error error = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[APR1_SIZE];

        assert_returns(0, apr1_hash(cases[i].password, cases[i].crypted, out, &error));
        assert_string_equal(out, cases[i].crypted);
    }
}

/* crypt(3) would take the second for what "secret" comes to by DES. */
static void refuses_what_no_known_function_has_hashed(void **state)
{
    static const char *const cases[] = {
        "secret", "bphz228.CO3Eg",   "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
        "",       "$1$salt$x",       "$2x$05",
        "$3$x",   "_J9..saltsecret", "*0",
        "!",      "$2y$\n",          "$6$a b",
        "$6$a*",  "$sha1",
    };
    struct error error = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (!crypted_refusal(cases[i]) || crypted_verify(cases[i], "secret", &error) != 0) {
            fail_msg("'%s' was taken", cases[i]);
        }
        assert_returns(0, crypted_verify(cases[i], cases[i], &error));
    }
}

/* Not one of these prefixes may match by itself what crypt(3) says when it fails. */
static void lets_nobody_in_by_a_hash_that_is_cut(void **state)
{
    static const char *const cases[] = {"$2y$05$",    "$2y$99$abcdefghijklmnopqrstuu",
                                        "$6$",        "$y$",
                                        "$7$",        "$apr1$",
                                        "$5$rounds=", "$y$j75$"};
    struct error error = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_returns(0, crypted_verify(cases[i], "", &error));
        assert_returns(0, crypted_verify(cases[i], "*0", &error));
        assert_returns(0, crypted_verify(cases[i], "secret", &error));
    }
}

static void knows_what_says_the_cost(void **state)
{
    static const struct {
        const char *crypted;
        size_t expected;
    } cases[] = {
        {"$2y$05$ln.os7g", 7},
        {"$6$salt$x", 3},
        {"$6$rounds=1000$salt$x", 15},
        {"$y$j9T$salt$x", 7},
        {"$7$C6..../....", 14},
        {"$apr1$x$y", 6},
        {"$y$", 3},
        {"$2y$", 4},
        {"secret", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (crypted_cost(cases[i].crypted) != cases[i].expected) {
            fail_msg("%s: %zu", cases[i].crypted, crypted_cost(cases[i].crypted));
        }
    }
}

static void makes_hashes_that_fit_and_differ(void **state)
{
    char one[CRYPTED_SIZE];
    char other[CRYPTED_SIZE];
    char long_password[600];
    struct error error = ERROR_INIT;

    (void)state;
    assert_returns(0, crypted_make("p\xc3\xa4ss word", one, &error));
    assert_returns(0, crypted_make("p\xc3\xa4ss word", other, &error));
    assert_string_not_equal(one, other);
    assert_null(crypted_refusal(one));
    assert_returns(1, crypted_verify(one, "p\xc3\xa4ss word", &error));
    memset(long_password, 'a', sizeof(long_password));
    long_password[sizeof(long_password) - 1] = '\0';
    assert_fails(ERROR_REQUEST_INVALID, crypted_make(long_password, one, &error));
    assert_returns(0, crypted_verify(other, long_password, &error));
}

static void reads_users_between_comments(void **state)
{
    struct fixture *fixture = *state;
    char path[256];
    AUTO_PASSWORD_FILE struct password_file file = PASSWORD_FILE_INIT(path_of(fixture, path));
    struct error error = ERROR_INIT;

    put_file(fixture->directory, "htpasswd",
             "# team\n\nalice:" CHEAP "\r\nbob:" CHEAP ":Bob\nalice:$6$a$b\n#eve:" CHEAP
             "\nlast:" CHEAP);
    assert_returns(1, password_file_refresh(&file, &error));
    assert_null(password_file_complaint(&file, &error));
    assert_returns(1, password_verify(&file, "alice", "secret", &error));
    assert_returns(1, password_verify(&file, "bob", "secret", &error));
    assert_returns(1, password_verify(&file, "last", "secret", &error));
    assert_returns(0, password_verify(&file, "last", "secre", &error));
    assert_returns(0, password_verify(&file, "eve", "secret", &error));
    assert_returns(0, password_verify(&file, "#eve", "secret", &error));
    assert_returns(0, password_verify(&file, "", "secret", &error));
    assert_returns(0, password_verify(&file, "Alice", "secret", &error));
}

static void names_the_line_that_is_of_no_use(void **state)
{
    static const struct {
        const char *line;
        const char *words;
    } cases[] = {
        {"bob:secret", "the password of 'bob' is in plain text, or hashed by DES"},
        {"bob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "'bob' is hashed by SHA-1"},
        {"bob:$1$a$b", "'bob' is hashed by MD5"},
        {"bob:", "'bob' is empty"},
        {"robot/ci:" CHEAP, "'robot/ci' is of a user that cannot have this name"},
        {"@ci:" CHEAP, "'@ci' is of a user that cannot have this name"},
        {":" CHEAP, "'' is of a user that cannot have this name"},
        {"hunter2", "'' is not behind a name and ':'"},
    };
    struct fixture *fixture = *state;
    char path[256];
    struct error error = ERROR_INIT;

    (void)path_of(fixture, path);
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_PASSWORD_FILE struct password_file file = PASSWORD_FILE_INIT(path);
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        char place[300];

        buffer_format(&text, "alice:" CHEAP "\n%s\n", cases[i].line);
        (void)unlink(path);
        put_file(fixture->directory, "htpasswd", text.data);
        assert_returns(1, password_file_refresh(&file, &error));
        assert_non_null(password_file_complaint(&file, &error));
        (void)snprintf(place, sizeof(place), "%s:2: ", path);
        assert_ptr_equal(strstr(error.message, place), error.message);
        if (!strstr(error.message, cases[i].words) || strstr(error.message, "hunter2")) {
            fail_msg("%s", error.message);
        }
        assert_returns(0, password_verify(&file, "bob", "secret", &error));
        assert_returns(1, password_verify(&file, "alice", "secret", &error));
    }
}

static void reads_again_what_has_changed(void **state)
{
    struct fixture *fixture = *state;
    char path[256];
    AUTO_PASSWORD_FILE struct password_file file = PASSWORD_FILE_INIT(path_of(fixture, path));
    struct error error = ERROR_INIT;

    put_file(fixture->directory, "htpasswd", "alice:" CHEAP "\n");
    assert_returns(1, password_file_refresh(&file, &error));
    /* The same size and, perhaps, the same time: just written is not yet believed. */
    put_file(fixture->directory, "htpasswd", "alicf:" CHEAP "\n");
    assert_returns(1, password_file_refresh(&file, &error));
    assert_null(password_find(&file, "alice"));
    assert_non_null(password_find(&file, "alicf"));
}

/* As it is some seconds after a change. */
static void reads_once_what_does_not_change(void **state)
{
    struct fixture *fixture = *state;
    char path[256];
    AUTO_PASSWORD_FILE struct password_file file = PASSWORD_FILE_INIT(path_of(fixture, path));
    struct error error = ERROR_INIT;

    put_file(fixture->directory, "htpasswd", "alice:" CHEAP "\n");
    assert_returns(1, password_file_refresh(&file, &error));
    file.is_settled = true;
    assert_returns(0, password_file_refresh(&file, &error));
    put_file(fixture->directory, "htpasswd", "alice:" CHEAP "\nbob:" CHEAP "\n");
    assert_returns(1, password_file_refresh(&file, &error));
    assert_non_null(password_find(&file, "bob"));
}

static void lets_nobody_in_without_its_file(void **state)
{
    struct fixture *fixture = *state;
    char path[256];
    AUTO_PASSWORD_FILE struct password_file file = PASSWORD_FILE_INIT(path_of(fixture, path));
    struct error error = ERROR_INIT;

    assert_fails(ERROR_INTERNAL, password_file_refresh(&file, &error));
    put_file(fixture->directory, "htpasswd", "alice:" CHEAP "\n");
    assert_returns(1, password_file_refresh(&file, &error));
    file.is_settled = true;
    assert_int_equal(unlink(path), 0);
    assert_fails(ERROR_INTERNAL, password_file_refresh(&file, &error));
    assert_null(password_find(&file, "alice"));
    assert_int_equal(mkdir(path, 0700), 0);
    assert_fails(ERROR_INTERNAL, password_file_refresh(&file, &error));
}

static void costs_the_same_for_who_is_not_there(void **state)
{
    struct fixture *fixture = *state;
    char path[256];
    AUTO_PASSWORD_FILE struct password_file file = PASSWORD_FILE_INIT(path_of(fixture, path));
    struct error error = ERROR_INIT;

    put_file(fixture->directory, "htpasswd",
             "a:$6$x$y\nb:$2y$10$x\nc:" CHEAP "\nd:$2y$10$y\ne:plain\nf:plain\ng:plain\n");
    assert_returns(1, password_file_refresh(&file, &error));
    assert_string_equal(file.typical, "$2y$10$x");
    (void)unlink(path);
    put_file(fixture->directory, "htpasswd", "");
    assert_returns(1, password_file_refresh(&file, &error));
    assert_null(file.typical);
    assert_returns(0, password_verify(&file, "a", "secret", &error));
}

static void remembers_what_was_right_until_the_hash_changes(void **state)
{
    struct verified verified = {.has_key = false};
    struct claim claim = {"alice", CHEAP, "secret"};
    struct claim others[] = {{"bob", CHEAP, "secret"},
                             {"alice", "$6$x$y", "secret"},
                             {"alice", CHEAP, "Secret"},
                             {"alice" CHEAP, "", "secret"},
                             {"alice", CHEAP "secret", ""}};
    struct error error = ERROR_INIT;

    (void)state;
    assert_returns(0, verified_knows(&verified, &claim, &error));
    assert_returns(0, verified_add(&verified, &claim, &error));
    assert_returns(1, verified_knows(&verified, &claim, &error));
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_returns(0, verified_knows(&verified, &others[i], &error));
    }
    verified.entries[0].until = 1;
    assert_returns(0, verified_knows(&verified, &claim, &error));
    assert_int_equal(verified.entries[0].until, 0);
}

static void forgets_the_oldest_of_too_many(void **state)
{
    struct verified verified = {.has_key = false};
    struct error error = ERROR_INIT;
    char user[16];
    struct claim claim = {user, CHEAP, "secret"};

    (void)state;
    for (int i = 0; i < VERIFIED_ENTRIES; i++) {
        (void)snprintf(user, sizeof(user), "user%d", i);
        assert_returns(0, verified_add(&verified, &claim, &error));
        verified.entries[i].until += i;
    }
    (void)snprintf(user, sizeof(user), "another");
    assert_returns(0, verified_add(&verified, &claim, &error));
    assert_returns(1, verified_knows(&verified, &claim, &error));
    (void)snprintf(user, sizeof(user), "user0");
    assert_returns(0, verified_knows(&verified, &claim, &error));
    (void)snprintf(user, sizeof(user), "user1");
    assert_returns(1, verified_knows(&verified, &claim, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_hashes_of_known_kinds),
        cmocka_unit_test(computes_what_htpasswd_computes_for_any_length),
        cmocka_unit_test(refuses_what_no_known_function_has_hashed),
        cmocka_unit_test(lets_nobody_in_by_a_hash_that_is_cut),
        cmocka_unit_test(knows_what_says_the_cost),
        cmocka_unit_test(makes_hashes_that_fit_and_differ),
        IN_DIRECTORY(reads_users_between_comments),
        IN_DIRECTORY(names_the_line_that_is_of_no_use),
        IN_DIRECTORY(reads_again_what_has_changed),
        IN_DIRECTORY(reads_once_what_does_not_change),
        IN_DIRECTORY(lets_nobody_in_without_its_file),
        IN_DIRECTORY(costs_the_same_for_who_is_not_there),
        cmocka_unit_test(remembers_what_was_right_until_the_hash_changes),
        cmocka_unit_test(forgets_the_oldest_of_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
