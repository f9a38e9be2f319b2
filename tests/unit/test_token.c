/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "lib/access/token.h"
#include "lib/http/base64.h"

enum { NOW = 1764000000, HOUR = 3600 };

static const struct token_use access_use = {TOKEN_ACCESS, "registry.example.org", NOW};

static const char *vault_of(struct fixture *fixture)
{
    static char path[256];

    (void)snprintf(path, sizeof(path), "%s/access", fixture->path);
    return path;
}

static struct token token_for(enum token_kind kind, enum subject_kind who, const char *name)
{
    struct token token = {.kind = kind,
                          .subject = subject_anonymous(),
                          .service = "registry.example.org",
                          .made = NOW - 10,
                          .end = kind == TOKEN_REFRESH ? 0 : NOW + HOUR};

    if (who != SUBJECT_ANONYMOUS) {
        assert_true(subject_make(who, name, &token.subject));
    }
    return token;
}

static const char *const beginnings[] = {"", "berth_a_", "berth_r_", "berth_s_"};

static void reads_what_it_has_written(void **state)
{
    static const struct {
        enum token_kind kind;
        enum subject_kind who;
        const char *name;
    } cases[] = {
        {TOKEN_ACCESS, SUBJECT_USER, "alice"},
        {TOKEN_ACCESS, SUBJECT_ANONYMOUS, ""},
        {TOKEN_ACCESS, SUBJECT_ROBOT, "robot/ci"},
        {TOKEN_ACCESS, SUBJECT_ISSUER, "github/repo:x/y:ref:refs/heads/main"},
        {TOKEN_REFRESH, SUBJECT_USER, "alice"},
        {TOKEN_SESSION, SUBJECT_USER, "alice"},
    };
    struct fixture *fixture = *state;
    AUTO_KEYS struct keys keys = KEYS_INIT(vault_of(fixture));
    struct error error = ERROR_INIT;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct token token = token_for(cases[i].kind, cases[i].who, cases[i].name);
        struct token_use use = {cases[i].kind, "registry.example.org", NOW};
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        struct token again;

        token.subject.narrowed_rights = RIGHT_PULL;
        (void)snprintf(token.subject.narrowed_names, sizeof(token.subject.narrowed_names),
                       "team/**, apps/*");
        assert_returns(0, token_write(&keys, &token, "secret", &text, &error));
        assert_memory_equal(text.data, beginnings[cases[i].kind], 8);
        assert_returns(0, token_read(&keys, text.data, &use, &again, &error));
        assert_int_equal(again.subject.kind, cases[i].who);
        assert_string_equal(again.subject.name, cases[i].name);
        assert_int_equal(again.subject.narrowed_rights, RIGHT_PULL);
        assert_string_equal(again.subject.narrowed_names, "team/**, apps/*");
        assert_returns(1, token_rests_on(&keys, &again, "secret", &error));
        assert_returns(0, token_rests_on(&keys, &again, "Secret", &error));
        assert_returns(0, token_rests_on(&keys, &again, "", &error));
    }
}

static void refuses_with(struct keys *keys, const char *text, const struct token_use *use,
                         const char *words)
{
    struct error error = ERROR_INIT;
    struct token out = {.kind = TOKEN_ACCESS};

    assert_fails(ERROR_UNAUTHORIZED, token_read(keys, text, use, &out, &error));
    assert_int_equal(out.subject.kind, SUBJECT_ANONYMOUS);
    if (!strstr(error.message, words)) {
        fail_msg("'%s' does not say '%s'", error.message, words);
    }
}

static void says_why_a_token_is_refused(void **state)
{
    struct fixture *fixture = *state;
    AUTO_KEYS struct keys keys = KEYS_INIT(vault_of(fixture));
    struct token token = token_for(TOKEN_ACCESS, SUBJECT_USER, "alice");
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct token_use use = access_use;
    struct token out;
    struct error error = ERROR_INIT;

    assert_returns(0, token_write(&keys, &token, "secret", &text, &error));
    use.service = "registry.example.net";
    refuses_with(&keys, text.data, &use, "for another host name");
    use = access_use;
    use.began = NOW + HOUR;
    refuses_with(&keys, text.data, &use, "has expired");
    use.began = NOW + HOUR - 1;
    assert_returns(0, token_read(&keys, text.data, &use, &out, &error));
    use.began = NOW - 10 - 60;
    assert_returns(0, token_read(&keys, text.data, &use, &out, &error));
    use.began--;
    refuses_with(&keys, text.data, &use, "is not valid yet");
    refuses_with(&keys, "eyJhbGciOiJub25lIn0.e30.", &access_use, "none of this registry's");
    refuses_with(&keys, "", &access_use, "none of this registry's");
    assert_returns(0, keys_rotate(keys.directory, HOUR, KEY_REVOKE_OLD, &error));
    refuses_with(&keys, text.data, &access_use, "a key that is not in use");
}

/* Neither as it is, nor with the other kind's beginning. */
static void takes_no_kind_of_token_for_another(void **state)
{
    static const char *const words[] = {"", "is an access token", "is a refresh token",
                                        "is a browser's session"};
    struct fixture *fixture = *state;
    AUTO_KEYS struct keys keys = KEYS_INIT(vault_of(fixture));
    struct error error = ERROR_INIT;

    for (enum token_kind made = TOKEN_ACCESS; made <= TOKEN_SESSION; made++) {
        struct token token = token_for(made, SUBJECT_USER, "alice");
        AUTO_BUFFER struct buffer text = BUFFER_INIT;

        assert_returns(0, token_write(&keys, &token, "secret", &text, &error));
        for (enum token_kind wanted = TOKEN_ACCESS; wanted <= TOKEN_SESSION; wanted++) {
            struct token_use use = {wanted, "registry.example.org", NOW};
            AUTO_BUFFER struct buffer renamed = BUFFER_INIT;

            if (wanted == made) {
                continue;
            }
            refuses_with(&keys, text.data, &use, words[made]);
            buffer_format(&renamed, "%s%s", beginnings[wanted], text.data + 8);
            refuses_with(&keys, renamed.data, &use, "of another kind");
        }
    }
}

static void ends_a_session_when_its_time_is_over(void **state)
{
    struct fixture *fixture = *state;
    AUTO_KEYS struct keys keys = KEYS_INIT(vault_of(fixture));
    struct token token = token_for(TOKEN_SESSION, SUBJECT_USER, "alice");
    struct token_use use = {TOKEN_SESSION, "registry.example.org", NOW + HOUR - 1};
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct token out;

    assert_returns(0, token_write(&keys, &token, "secret", &text, &error));
    assert_returns(0, token_read(&keys, text.data, &use, &out, &error));
    use.began++;
    refuses_with(&keys, text.data, &use, "has expired");
}

static void refuses_a_token_with_any_bit_changed_or_cut_anywhere(void **state)
{
    struct fixture *fixture = *state;
    AUTO_KEYS struct keys keys = KEYS_INIT(vault_of(fixture));
    struct token token = token_for(TOKEN_ACCESS, SUBJECT_USER, "alice");
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    struct token out;
    struct error error = ERROR_INIT;

    assert_returns(0, token_write(&keys, &token, "secret", &text, &error));
    for (size_t length = 0; length < text.length; length++) {
        AUTO_BUFFER struct buffer cut = BUFFER_INIT;

        buffer_add(&cut, text.data, length);
        assert_fails(ERROR_UNAUTHORIZED, token_read(&keys, cut.data, &access_use, &out, &error));
    }
    assert_true(base64_decode(BASE64_URL, text.data + 8, text.length - 8, &bytes));
    for (size_t bit = 0; bit < 8 * bytes.length; bit++) {
        AUTO_BUFFER struct buffer changed = BUFFER_INIT;

        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ 1 << bit % 8);
        buffer_add_text(&changed, TOKEN_ACCESS_PREFIX);
        base64_encode_as(BASE64_URL, bytes.data, bytes.length, &changed);
        assert_fails(ERROR_UNAUTHORIZED,
                     token_read(&keys, changed.data, &access_use, &out, &error));
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ 1 << bit % 8);
    }
    buffer_add_text(&text, "AAAA");
    refuses_with(&keys, text.data, &access_use, "forged or damaged");
}

/* With our own signature, so that the parser has to see it. */
static void reads_in_bounds_what_is_signed_and_makes_no_sense(void **state)
{
    struct fixture *fixture = *state;
    AUTO_KEYS struct keys keys = KEYS_INIT(vault_of(fixture));
    struct token token = token_for(TOKEN_ACCESS, SUBJECT_USER, "alice");
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    struct error error = ERROR_INIT;
    const struct key *key;
    size_t length;

    assert_returns(0, token_write(&keys, &token, "secret", &text, &error));
    assert_true(base64_decode(BASE64_URL, text.data + 8, text.length - 8, &bytes));
    assert_returns(0, keys_newest(&keys, &key, &error));
    length = bytes.length - SECRET_SIZE;
    for (size_t cut = 6; cut < length; cut++) {
        AUTO_BUFFER struct buffer signed_bytes = BUFFER_INIT;
        AUTO_BUFFER struct buffer changed = BUFFER_INIT;
        struct secret signature;

        buffer_add(&signed_bytes, bytes.data, cut);
        assert_returns(0, secret_sign_bytes(&key->secret, bytes.data, cut, &signature, &error));
        buffer_add(&signed_bytes, signature.bytes, SECRET_SIZE);
        buffer_add_text(&changed, TOKEN_ACCESS_PREFIX);
        base64_encode_as(BASE64_URL, signed_bytes.data, signed_bytes.length, &changed);
        refuses_with(&keys, changed.data, &access_use, "of a version that is not known");
    }
}

static void survives_a_rotation(void **state)
{
    struct fixture *fixture = *state;
    AUTO_KEYS struct keys keys = KEYS_INIT(vault_of(fixture));
    struct token token = token_for(TOKEN_ACCESS, SUBJECT_USER, "alice");
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct token out;
    struct error error = ERROR_INIT;

    assert_returns(0, token_write(&keys, &token, "secret", &text, &error));
    assert_returns(0, keys_rotate(keys.directory, HOUR, KEY_KEEP_OLD, &error));
    assert_returns(0, token_read(&keys, text.data, &access_use, &out, &error));
    assert_string_equal(out.subject.name, "alice");
    assert_returns(1, token_rests_on(&keys, &out, "secret", &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(reads_what_it_has_written),
        IN_DIRECTORY(says_why_a_token_is_refused),
        IN_DIRECTORY(takes_no_kind_of_token_for_another),
        IN_DIRECTORY(ends_a_session_when_its_time_is_over),
        IN_DIRECTORY(refuses_a_token_with_any_bit_changed_or_cut_anywhere),
        IN_DIRECTORY(reads_in_bounds_what_is_signed_and_makes_no_sense),
        IN_DIRECTORY(survives_a_rotation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
