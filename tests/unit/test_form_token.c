/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "lib/access/form_token.h"

enum { NOW = 1764000000 /* the beginning of an hour */, HOUR = 3600 };

static const char *vault_of(struct fixture *fixture)
{
    static char path[256];

    (void)snprintf(path, sizeof(path), "%s/access", fixture->path);
    return path;
}

static struct subject somebody(enum subject_kind kind, const char *name)
{
    struct subject subject = subject_anonymous();

    assert_true(subject_make(kind, name, &subject));
    return subject;
}

static void refuses_with(struct keys *keys, const struct form_use *use, const char *text,
                         const char *words)
{
    struct error error = ERROR_INIT;

    assert_fails(ERROR_DENIED, form_token_check(keys, use, text, &error));
    if (!strstr(error.message, words)) {
        fail_msg("'%s' does not say '%s'", error.message, words);
    }
}

static void takes_a_token_for_the_form_that_it_was_made_for_and_no_other(void **state)
{
    struct fixture *fixture = *state;
    AUTO_KEYS struct keys keys = KEYS_INIT(vault_of(fixture));
    struct subject alice = somebody(SUBJECT_USER, "alice");
    struct subject bob = somebody(SUBJECT_USER, "bob");
    struct subject robot = somebody(SUBJECT_ROBOT, "robot/alice");
    struct subject nobody = subject_anonymous();
    const struct form form = {&alice, "session", "delete tag team/app v1"};
    const struct form_use use = {&form, "registry.example.org", NOW};
    const struct form others[] = {
        {&bob, "session", "delete tag team/app v1"},
        {&robot, "session", "delete tag team/app v1"},
        {&nobody, "session", "delete tag team/app v1"},
        {&alice, "", "delete tag team/app v1"},
        {&alice, "another", "delete tag team/app v1"},
        {&alice, "session", "delete tag team/app v2"},
        {&alice, "session", ""},
        /* The same letters, otherwise divided. */
        {&alice, "sessiond", "elete tag team/app v1"},
    };
    struct form_use elsewhere = use;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct error error = ERROR_INIT;

    assert_returns(0, form_token_write(&keys, &use, &text, &error));
    assert_returns(0, form_token_check(&keys, &use, text.data, &error));
    for (size_t i = 0; i < COUNT(others); i++) {
        struct form_use other = {&others[i], use.service, NOW};

        refuses_with(&keys, &other, text.data, "not made here, or not for you");
    }
    elsewhere.service = "registry.example.net";
    refuses_with(&keys, &elsewhere, text.data, "not made here, or not for you");
}

static void is_the_same_for_an_hour(void **state)
{
    struct fixture *fixture = *state;
    AUTO_KEYS struct keys keys = KEYS_INIT(vault_of(fixture));
    struct subject nobody = subject_anonymous();
    const struct form form = {&nobody, "", "log in"};
    struct form_use use = {&form, "registry.example.org", NOW};
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_BUFFER struct buffer same = BUFFER_INIT;
    AUTO_BUFFER struct buffer other = BUFFER_INIT;
    struct error error = ERROR_INIT;

    assert_returns(0, form_token_write(&keys, &use, &text, &error));
    use.began = NOW + HOUR - 1;
    assert_returns(0, form_token_write(&keys, &use, &same, &error));
    assert_string_equal(text.data, same.data);
    use.began++;
    assert_returns(0, form_token_write(&keys, &use, &other, &error));
    assert_string_not_equal(text.data, other.data);
}

static void lets_a_form_become_too_old(void **state)
{
    struct fixture *fixture = *state;
    AUTO_KEYS struct keys keys = KEYS_INIT(vault_of(fixture));
    struct subject nobody = subject_anonymous();
    const struct form form = {&nobody, "", "log in"};
    struct form_use use = {&form, "registry.example.org", NOW};
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct error error = ERROR_INIT;

    assert_returns(0, form_token_write(&keys, &use, &text, &error));
    use.began = NOW + FORM_TOKEN_SECONDS - 1;
    assert_returns(0, form_token_check(&keys, &use, text.data, &error));
    use.began++;
    refuses_with(&keys, &use, text.data, "too old");
    use.began = NOW - 60;
    assert_returns(0, form_token_check(&keys, &use, text.data, &error));
    use.began--;
    refuses_with(&keys, &use, text.data, "not made here");
    use.began = NOW;
    assert_returns(0, keys_rotate(keys.directory, HOUR, KEY_KEEP_OLD, &error));
    assert_returns(0, form_token_check(&keys, &use, text.data, &error));
    assert_returns(0, keys_rotate(keys.directory, HOUR, KEY_REVOKE_OLD, &error));
    refuses_with(&keys, &use, text.data, "too old");
}

static void refuses_what_is_changed_or_cut_anywhere(void **state)
{
    static const char *const texts[] = {"",           "-",           "--",
                                        "00000000--", "00000000-1-", "00000000-1764000000-0011"};
    struct fixture *fixture = *state;
    AUTO_KEYS struct keys keys = KEYS_INIT(vault_of(fixture));
    struct subject nobody = subject_anonymous();
    const struct form form = {&nobody, "", "log in"};
    struct form_use use = {&form, "registry.example.org", NOW};
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct error error = ERROR_INIT;

    refuses_with(&keys, &use, NULL, "not made here");
    for (size_t i = 0; i < COUNT(texts); i++) {
        refuses_with(&keys, &use, texts[i], "not made here");
    }
    assert_returns(0, form_token_write(&keys, &use, &text, &error));
    for (size_t i = 0; i < text.length; i++) {
        AUTO_BUFFER struct buffer cut = BUFFER_INIT;
        char letter = text.data[i];

        buffer_add(&cut, text.data, i);
        assert_fails(ERROR_DENIED, form_token_check(&keys, &use, cut.data, &error));
        text.data[i] = letter == '0' ? '1' : '0';
        assert_fails(ERROR_DENIED, form_token_check(&keys, &use, text.data, &error));
        text.data[i] = letter;
    }
    buffer_add_text(&text, "0");
    refuses_with(&keys, &use, text.data, "not made here");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(takes_a_token_for_the_form_that_it_was_made_for_and_no_other),
        IN_DIRECTORY(is_the_same_for_an_hour),
        IN_DIRECTORY(lets_a_form_become_too_old),
        IN_DIRECTORY(refuses_what_is_changed_or_cut_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
