/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/oci/digest.h"
#include "lib/store/layout.h"

static void check_parse(const char *text)
{
    struct digest digest = {.algorithm = DIGEST_SHA256, .text = "untouched"};
    struct error error = ERROR_INIT;

    if (digest_parse(&digest, text, &error) < 0) {
        CHECK(error.code == ERROR_DIGEST_INVALID);
        CHECK(strcmp(digest.text, "untouched") == 0);
        return;
    }
    CHECK(strcmp(digest.text, text) == 0);
    CHECK(strlen(digest_hex(&digest)) == digest_hex_length(digest.algorithm));
    CHECK(strspn(digest_hex(&digest), "0123456789abcdef") == strlen(digest_hex(&digest)));
    CHECK(strncmp(text, digest_algorithm_name(digest.algorithm),
                  strlen(digest_algorithm_name(digest.algorithm))) == 0);
    CHECK(!strstr(layout_blob(&digest).text, ".."));
}

/* Hashed in one piece, or cut anywhere with the state saved in between: the same. */
static void check_pieces(enum digest_algorithm algorithm, const uint8_t *data, size_t size)
{
    AUTO_BUFFER struct buffer saved = BUFFER_INIT;
    size_t cut = size > 0 ? data[0] % (size + 1) : 0;
    struct digest whole;
    struct digest pieces;
    struct error error = ERROR_INIT;
    struct hash hash;
    struct hash loaded;

    digest_of(algorithm, data, size, &whole);
    CHECK(digest_parse(&pieces, whole.text, &error) == 0 && digest_equal(&pieces, &whole));
    hash_begin(&hash, algorithm);
    hash_update(&hash, data, cut);
    hash_save(&hash, &saved);
    CHECK(hash_load(&loaded, algorithm, cut, saved.data));
    hash_update(&loaded, data + cut, size - cut);
    hash_finish(&loaded, &pieces);
    CHECK(digest_equal(&pieces, &whole));
}

/* A state that is anything: refused, or at least harmless. */
static void check_load(enum digest_algorithm algorithm, const char *text, uint64_t offset)
{
    AUTO_BUFFER struct buffer saved = BUFFER_INIT;
    struct digest digest;
    struct hash hash;

    if (hash_load(&hash, algorithm, offset, text)) {
        hash_save(&hash, &saved);
        CHECK(strcmp(saved.data, text) == 0);
    }
    hash_update(&hash, text, strlen(text));
    hash_finish(&hash, &digest);
    CHECK(strlen(digest_hex(&digest)) == digest_hex_length(algorithm));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t offset = 0;
    char *text;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    text = copy_text(data, size);
    check_parse(text);
    for (int i = 0; i < DIGEST_ALGORITHM_COUNT; i++) {
        enum digest_algorithm algorithm = (enum digest_algorithm)i;

        check_pieces(algorithm, data, size);
        check_load(algorithm, text, 0);
        if (size >= sizeof(offset)) {
            memcpy(&offset, data, sizeof(offset));
            check_load(algorithm, text + sizeof(offset) * (strlen(text) >= sizeof(offset)), offset);
        }
    }
    free(text);
    return 0;
}
