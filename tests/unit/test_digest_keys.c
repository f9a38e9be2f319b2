/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/oci/digest_keys.h"

static struct digest_key key_of(unsigned number, enum digest_algorithm algorithm)
{
    char text[32];
    struct digest digest;

    (void)snprintf(text, sizeof(text), "%u", number);
    digest_of(algorithm, text, strlen(text), &digest);
    return digest_key_of(&digest);
}

static void has_what_was_added_and_nothing_else(void **state)
{
    AUTO_DIGEST_KEYS struct digest_keys keys = DIGEST_KEYS_INIT;
    struct digest_key none = key_of(0, DIGEST_SHA256);

    (void)state;
    assert_false(digest_keys_have(&keys, &none));
    for (unsigned i = 0; i < 3000; i += 3) {
        struct digest_key key = key_of(i, i % 2 ? DIGEST_SHA512 : DIGEST_SHA256);

        digest_keys_add(&keys, &key);
        assert_true(i % 7 != 0 || digest_keys_have(&keys, &key)); /* asking amid adding */
    }
    for (unsigned i = 0; i < 3000; i++) {
        struct digest_key key = key_of(i, i % 2 ? DIGEST_SHA512 : DIGEST_SHA256);

        assert_int_equal(digest_keys_have(&keys, &key), i % 3 == 0);
    }
}

static size_t sorted; /* things given to qsort() */

static int compare_with(const void *left, const void *right, void *compare)
{
    int (*const *function)(const void *, const void *) = compare;

    return (*function)(left, right);
}

void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    sorted += count;
    qsort_r(base, count, size, compare_with, &compare);
}

/* What is new comes behind, among and before the rest. */
static void nothing_is_sorted_twice(void **state)
{
    enum { COUNT_OF_KEYS = 3000 };
    static const unsigned steps[] = {1, 1001, COUNT_OF_KEYS - 1};

    (void)state;
    for (size_t j = 0; j < COUNT(steps); j++) {
        AUTO_DIGEST_KEYS struct digest_keys keys = DIGEST_KEYS_INIT;

        sorted = 0;
        for (unsigned i = 0; i < COUNT_OF_KEYS; i++) {
            struct digest_key key = {.bytes = {0}};
            unsigned number = i * steps[j] % COUNT_OF_KEYS;

            key.bytes[0] = (unsigned char)(number >> 8);
            key.bytes[1] = (unsigned char)number;
            digest_keys_add(&keys, &key);
            assert_true(digest_keys_have(&keys, &key));
        }
        assert_in_range(sorted, 1, COUNT_OF_KEYS);
        assert_int_equal(keys.count, COUNT_OF_KEYS);
    }
}

/* Who asks of each before adding it, of a hundred thousand, would wait for as many sorts. */
static void to_ask_amid_adding_sorts_seldom(void **state)
{
    AUTO_DIGEST_KEYS struct digest_keys keys = DIGEST_KEYS_INIT;
    unsigned sorts = 0;

    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        struct digest_key key = key_of(i, DIGEST_SHA256);
        size_t before = keys.sorted;

        assert_false(digest_keys_have(&keys, &key));
        digest_keys_add(&keys, &key);
        digest_keys_add(&keys, &key);
        assert_true(digest_keys_count(&keys, &key) == 2);
        sorts += keys.sorted != before;
    }
    assert_in_range(sorts, 1, 200);
}

static void keeps_what_comes_again_and_again_once_and_counts_it(void **state)
{
    AUTO_DIGEST_KEYS struct digest_keys keys = DIGEST_KEYS_INIT;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        struct digest_key key = key_of(i % 10, DIGEST_SHA256);

        digest_keys_add(&keys, &key);
    }
    assert_true(keys.capacity <= 128);
    for (unsigned i = 0; i < 11; i++) {
        struct digest_key key = key_of(i, DIGEST_SHA256);

        assert_int_equal(digest_keys_count(&keys, &key), i < 10 ? 10000 : 0);
    }
}

static void a_key_is_the_first_bytes_of_a_digest(void **state)
{
    struct digest digest;
    struct digest_key key;
    struct error error;

    (void)state;
    assert_returns(
        0, digest_parse(&digest,
                        "sha256:00ff1032547698badcfeabcdef0123456789abcdef0123456789abcdef012345",
                        &error));
    key = digest_key_of(&digest);
    assert_int_equal(key.bytes[0], 0x00);
    assert_int_equal(key.bytes[1], 0xff);
    assert_int_equal(key.bytes[2], 0x10);
    assert_int_equal(key.bytes[31], 0x45);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_what_was_added_and_nothing_else),
        cmocka_unit_test(nothing_is_sorted_twice),
        cmocka_unit_test(to_ask_amid_adding_sorts_seldom),
        cmocka_unit_test(keeps_what_comes_again_and_again_once_and_counts_it),
        cmocka_unit_test(a_key_is_the_first_bytes_of_a_digest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
