/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/observe/signature.h"

/* The first is the one that the reference implementations of Standard Webhooks are tested with; the
 * others are computed by Python's hmac. */
static void is_that_of_standard_webhooks(void **state)
{
    static const struct {
        const char *secret;
        const char *signature;
    } rows[] = {
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
         "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"secret", "v1,QhlSMIJS/+71IQLjjmkiCGkWoueir474RayJQKtDu+0="},
        {"a secret that is longer than a block of the hash, which makes it a hash itself, as RFC "
         "2104 has it",
         "v1,QWOcq0KPi7mN6oqqol2kX6JJHya9NAMSo1Jcqghs5UQ="},
    };
    struct signature_head head = {"msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330};
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    struct error error;

    (void)state;
    buffer_add_text(&body, "{\"test\": 2432232314}");
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;

        assert_returns(0, signature_add(rows[i].secret, &head, &body, &out, &error));
        assert_string_equal(out.data, rows[i].signature);
    }
}

static void covers_id_time_and_body(void **state)
{
    static const struct signature_head heads[] = {{"a", 1}, {"b", 1}, {"a", 2}};
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    AUTO_BUFFER struct buffer first = BUFFER_INIT;
    struct error error;

    (void)state;
    assert_returns(0, signature_add("s", &heads[0], &body, &first, &error));
    for (size_t i = 1; i < COUNT(heads); i++) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;

        assert_returns(0, signature_add("s", &heads[i], &body, &out, &error));
        assert_string_not_equal(out.data, first.data);
    }
}

static void a_secret_that_is_none_signs_nothing(void **state)
{
    static const char *const secrets[] = {"", "whsec_", "whsec_***",
                                          "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"};
    struct signature_head head = {"a", 1};
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct error error;

    (void)state;
    for (size_t i = 0; i < COUNT(secrets); i++) {
        assert_fails(ERROR_INTERNAL, signature_add(secrets[i], &head, &body, &out, &error));
        assert_null(strstr(error.message, "MfKQ"));
    }
    assert_int_equal(out.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_that_of_standard_webhooks),
        cmocka_unit_test(covers_id_time_and_body),
        cmocka_unit_test(a_secret_that_is_none_signs_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
