/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/oci/digest.h"

#define ZEROES "00000000000000000000000000000000"
#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Of the empty text, "abc" and a million times "a" (FIPS 180-4). */
#define EMPTY256 "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC256 "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define MILLION256 "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
#define EMPTY512                                                                                   \
    "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"                      \
    "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
#define ABC512                                                                                     \
    "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"                      \
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
#define MILLION512                                                                                 \
    "sha512:e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"                      \
    "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b"

static void takes_both_algorithms(void **state)
{
    struct digest digest;
    struct error error = ERROR_INIT;

    (void)state;
    assert_returns(0, digest_parse(&digest, "sha256:" HEX64, &error));
    assert_int_equal(digest.algorithm, DIGEST_SHA256);
    assert_string_equal(digest.text, "sha256:" HEX64);
    assert_string_equal(digest_hex(&digest), HEX64);
    assert_returns(0, digest_parse(&digest, "sha512:" HEX64 HEX64, &error));
    assert_int_equal(digest.algorithm, DIGEST_SHA512);
    assert_string_equal(digest.text, "sha512:" HEX64 HEX64);
    assert_string_equal(digest_hex(&digest), HEX64 HEX64);
    assert_int_equal(digest_hex_length(DIGEST_SHA256), 64);
    assert_int_equal(digest_hex_length(DIGEST_SHA512), 128);
    assert_string_equal(digest_algorithm_name(DIGEST_SHA256), "sha256");
    assert_string_equal(digest_algorithm_name(DIGEST_SHA512), "sha512");
}

static void refuses_what_is_no_digest(void **state)
{
    static const char *const texts[] = {
        "",
        ":",
        "sha256",
        "sha256:",
        "sha256:abc",
        HEX64,
        ":" HEX64,
        "sha256" HEX64,
        "sha256:" HEX64 "0",
        "sha256:" HEX64 HEX64,
        "sha512:" HEX64,
        "sha512:" HEX64 HEX64 "0",
        "SHA256:" HEX64,
        "Sha256:" HEX64,
        "sha384:" HEX64 ZEROES,
        "md5:" ZEROES,
        "sha2566:" HEX64,
        "sha25:" HEX64,
        "sha256sum:" HEX64,
        "sha256::" HEX64,
        " sha256:" HEX64,
        "sha256:" HEX64 " ",
        "sha256:" HEX64 "\n",
        "sha256+b64:" HEX64,
        "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeF",
        "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg",
        "sha256:../../../../../../../../../../../../../../../../../etc/passwd000",
        "sha256:0123456789abcdef0123456789abcde/0123456789abcdef0123456789abcdef",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct digest digest = {.algorithm = DIGEST_SHA512, .text = "untouched"};
        struct error error = ERROR_INIT;

        if (digest_parse(&digest, texts[i], &error) != -1) {
            fail_msg("'%s' is taken", texts[i]);
        }
        assert_int_equal(error.code, ERROR_DIGEST_INVALID);
        assert_string_equal(digest.text, "untouched");
        assert_int_equal(digest.algorithm, DIGEST_SHA512);
    }
}

static void rejects_upper_case_hex(void **state)
{
    struct digest digest;
    struct error error = ERROR_INIT;
    char text[] = "sha256:" HEX64;

    (void)state;
    for (size_t i = 7; text[i]; i++) {
        char saved = text[i];

        if (saved >= 'a') {
            text[i] = (char)(saved - 'a' + 'A');
            assert_fails(ERROR_DIGEST_INVALID, digest_parse(&digest, text, &error));
            text[i] = saved;
        }
    }
}

static void a_very_long_algorithm_is_not_supported_either(void **state)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct digest digest;
    struct error error = ERROR_INIT;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        buffer_add_text(&text, "sha256");
    }
    buffer_add_text(&text, ":" HEX64);
    assert_fails(ERROR_DIGEST_INVALID, digest_parse(&digest, text.data, &error));
}

static void knows_algorithms_by_their_exact_names(void **state)
{
    enum digest_algorithm algorithm = DIGEST_SHA256;

    (void)state;
    assert_true(digest_algorithm_parse("sha512", &algorithm));
    assert_int_equal(algorithm, DIGEST_SHA512);
    assert_false(digest_algorithm_parse("sha384", &algorithm));
    assert_false(digest_algorithm_parse("", &algorithm));
    assert_false(digest_algorithm_parse("SHA256", &algorithm));
    assert_false(digest_algorithm_parse("sha256:", &algorithm));
    assert_int_equal(algorithm, DIGEST_SHA512);
    assert_true(digest_algorithm_parse("sha256", &algorithm));
    assert_int_equal(algorithm, DIGEST_SHA256);
}

static void compares_all_of_it(void **state)
{
    struct digest left = sha256("a");
    struct digest right = sha256("a");

    (void)state;
    assert_true(digest_equal(&left, &right));
    right.text[70] = right.text[70] == '0' ? '1' : '0';
    assert_false(digest_equal(&left, &right));
    digest_of(DIGEST_SHA512, "a", 1, &right);
    assert_false(digest_equal(&left, &right));
}

static void computes_the_known_answers(void **state)
{
    AUTO_BUFFER struct buffer million = BUFFER_INIT;
    struct digest digest;

    (void)state;
    memset(buffer_reserve(&million, 1000000), 'a', 1000000);
    buffer_added(&million, 1000000);
    digest_of(DIGEST_SHA256, "", 0, &digest);
    assert_string_equal(digest.text, EMPTY256);
    digest_of(DIGEST_SHA256, "abc", 3, &digest);
    assert_string_equal(digest.text, ABC256);
    digest_of(DIGEST_SHA256, million.data, million.length, &digest);
    assert_string_equal(digest.text, MILLION256);
    digest_of(DIGEST_SHA512, "", 0, &digest);
    assert_string_equal(digest.text, EMPTY512);
    digest_of(DIGEST_SHA512, "abc", 3, &digest);
    assert_string_equal(digest.text, ABC512);
    digest_of(DIGEST_SHA512, million.data, million.length, &digest);
    assert_string_equal(digest.text, MILLION512);
    assert_int_equal(digest.algorithm, DIGEST_SHA512);
}

/* Hashes noise in two pieces, saved and loaded in between. */
static void hash_in_two(enum digest_algorithm algorithm, const struct buffer *noise, size_t cut,
                        struct digest *out)
{
    AUTO_BUFFER struct buffer saved = BUFFER_INIT;
    struct hash first;
    struct hash second;

    hash_begin(&first, algorithm);
    hash_update(&first, noise->data, cut);
    hash_save(&first, &saved);
    memset(&second, 0xff, sizeof(second));
    if (!hash_load(&second, algorithm, cut, saved.data)) {
        fail_msg("what was saved after %zu bytes is refused", cut);
    }
    assert_int_equal(second.algorithm, algorithm);
    hash_update(&second, noise->data + cut, noise->length - cut);
    hash_finish(&second, out);
}

static void goes_on_after_save_and_load_wherever_it_was_cut(void **state)
{
    AUTO_BUFFER struct buffer noise = BUFFER_INIT;

    (void)state;
    make_noise(&noise, 400);
    for (int i = 0; i < DIGEST_ALGORITHM_COUNT; i++) {
        enum digest_algorithm algorithm = (enum digest_algorithm)i;
        struct digest whole;
        struct digest parts;

        digest_of(algorithm, noise.data, noise.length, &whole);
        for (size_t cut = 0; cut <= noise.length; cut++) {
            hash_in_two(algorithm, &noise, cut, &parts);
            assert_string_equal(parts.text, whole.text);
        }
    }
}

static void saving_changes_nothing(void **state)
{
    AUTO_BUFFER struct buffer saved = BUFFER_INIT;
    struct hash hash;
    struct digest digest;

    (void)state;
    buffer_add_text(&saved, "in front:");
    hash_begin(&hash, DIGEST_SHA256);
    hash_update(&hash, "ab", 2);
    hash_save(&hash, &saved);
    hash_update(&hash, "c", 1);
    hash_finish(&hash, &digest);
    assert_string_equal(digest.text, ABC256);
    assert_memory_equal(saved.data, "in front:", 9);
    assert_int_equal(strspn(saved.data + 9, "0123456789abcdef"), saved.length - 9);
}

static void refuses_to_load_what_it_did_not_save(void **state)
{
    AUTO_BUFFER struct buffer saved = BUFFER_INIT;
    struct hash hash;

    (void)state;
    hash_begin(&hash, DIGEST_SHA256);
    hash_save(&hash, &saved);
    assert_true(hash_load(&hash, DIGEST_SHA256, 0, saved.data));
    assert_false(hash_load(&hash, DIGEST_SHA512, 0, saved.data));
    assert_false(hash_load(&hash, DIGEST_SHA256, 0, ""));
    buffer_add_text(&saved, "0");
    assert_false(hash_load(&hash, DIGEST_SHA256, 0, saved.data));
    buffer_add_text(&saved, "0");
    assert_false(hash_load(&hash, DIGEST_SHA256, 0, saved.data));
    saved.data[saved.length - 3] = '\0';
    assert_false(hash_load(&hash, DIGEST_SHA256, 0, saved.data));
    saved.data[saved.length - 3] = 'A';
    saved.data[saved.length - 2] = '\0';
    assert_false(hash_load(&hash, DIGEST_SHA256, 0, saved.data));
}

/* A garbled state must not make the next update write outside of the context. */
static void refuses_a_state_of_another_offset_and_begins_anew(void **state)
{
    (void)state;
    for (int i = 0; i < DIGEST_ALGORITHM_COUNT; i++) {
        static const uint64_t offsets[] = {0, 1, 2, 4, 67, 131, 64 * 1024, 1ULL << 61, UINT64_MAX};
        enum digest_algorithm algorithm = (enum digest_algorithm)i;
        AUTO_BUFFER struct buffer saved = BUFFER_INIT;
        struct digest expected;
        struct digest digest;
        struct hash hash;

        digest_of(algorithm, "abc", 3, &expected);
        hash_begin(&hash, algorithm);
        hash_update(&hash, "xyz", 3);
        hash_save(&hash, &saved);
        for (size_t j = 0; j < COUNT(offsets); j++) {
            assert_false(hash_load(&hash, algorithm, offsets[j], saved.data));
            hash_update(&hash, "abc", 3);
            hash_finish(&hash, &digest);
            assert_string_equal(digest.text, expected.text);
        }
        memset(saved.data, 'f', saved.length);
        assert_false(hash_load(&hash, algorithm, 3, saved.data));
        assert_false(hash_load(&hash, algorithm, UINT64_MAX, saved.data));
        memset(saved.data, '0', saved.length);
        assert_false(hash_load(&hash, algorithm, 0, saved.data));
    }
}

/* How much of a block is waiting, and how long the digest is, stand at the end of a state. */
static void refuses_a_state_with_any_other_bookkeeping(void **state)
{
    (void)state;
    for (int i = 0; i < DIGEST_ALGORITHM_COUNT; i++) {
        enum digest_algorithm algorithm = (enum digest_algorithm)i;
        AUTO_BUFFER struct buffer saved = BUFFER_INIT;
        struct hash hash;

        hash_begin(&hash, algorithm);
        hash_update(&hash, "xyz", 3);
        hash_save(&hash, &saved);
        assert_true(hash_load(&hash, algorithm, 3, saved.data));
        for (size_t j = saved.length - 16; j < saved.length; j++) {
            char right = saved.data[j];

            saved.data[j] = right == '7' ? '8' : '7';
            assert_false(hash_load(&hash, algorithm, 3, saved.data));
            saved.data[j] = right;
        }
    }
}

static void a_copy_of_a_hash_is_a_hash_of_its_own(void **state)
{
    struct hash hash;
    struct hash copy;
    struct digest digest;

    (void)state;
    hash_begin(&hash, DIGEST_SHA512);
    hash_update(&hash, "ab", 2);
    copy = hash;
    hash_finish(&copy, &digest);
    hash_update(&hash, "c", 1);
    hash_finish(&hash, &digest);
    assert_string_equal(digest.text, ABC512);
}

static void hashes_what_an_open_file_has_behind_an_offset(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer noise = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct digest expected;
    struct digest actual;
    struct hash hash;
    uint64_t offset = 1000;
    AUTO_CLOSE int descriptor = -1;

    make_noise(&noise, 700000); /* more than is read at once */
    digest_of(DIGEST_SHA256, noise.data, noise.length, &expected);
    put_bytes(fixture->directory, "file", noise.data, noise.length);
    descriptor = openat(fixture->directory, "file", O_RDONLY | O_CLOEXEC);
    hash_begin(&hash, DIGEST_SHA256);
    hash_update(&hash, noise.data, 1000);
    assert_returns(0, hash_update_from(&hash, descriptor, &offset, UINT64_MAX, &error));
    assert_int_equal(offset, noise.length);
    hash_finish(&hash, &actual);
    assert_string_equal(actual.text, expected.text);
    assert_fails(ERROR_INTERNAL,
                 hash_update_from(&hash, fixture->directory, &offset, UINT64_MAX, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_both_algorithms),
        cmocka_unit_test(refuses_what_is_no_digest),
        cmocka_unit_test(rejects_upper_case_hex),
        cmocka_unit_test(a_very_long_algorithm_is_not_supported_either),
        cmocka_unit_test(knows_algorithms_by_their_exact_names),
        cmocka_unit_test(compares_all_of_it),
        cmocka_unit_test(computes_the_known_answers),
        cmocka_unit_test(goes_on_after_save_and_load_wherever_it_was_cut),
        cmocka_unit_test(saving_changes_nothing),
        cmocka_unit_test(refuses_to_load_what_it_did_not_save),
        cmocka_unit_test(refuses_a_state_of_another_offset_and_begins_anew),
        cmocka_unit_test(refuses_a_state_with_any_other_bookkeeping),
        cmocka_unit_test(a_copy_of_a_hash_is_a_hash_of_its_own),
        IN_DIRECTORY(hashes_what_an_open_file_has_behind_an_offset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
