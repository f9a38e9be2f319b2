/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/access/token.h"
#include "lib/http/base64.h"

enum { NOW = 1764000000 };

static char directory[] = "/tmp/fuzz_token.XXXXXX";
static struct keys keys = KEYS_INIT(directory);

static void remove_directory(void)
{
    char path[sizeof(directory) + 8];

    (void)snprintf(path, sizeof(path), "%s/keys", directory);
    (void)unlink(path);
    (void)rmdir(directory);
}

static const struct key *newest(void)
{
    static bool made;
    const struct key *key;
    struct error error;

    if (!made) {
        made = true;
        CHECK(mkdtemp(directory));
        (void)atexit(remove_directory);
    }
    CHECK(keys_newest(&keys, &key, &error) == 0);
    return key;
}

/* Bytes that say to be of our key, with our signature: what the parser has to bear. */
static void read_signed(const uint8_t *data, size_t size)
{
    static const struct token_use use = {TOKEN_ACCESS, "h", NOW};
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_BUFFER struct buffer again = BUFFER_INIT;
    unsigned char id[4];
    unsigned value;
    struct secret signature;
    struct error error;
    struct token token;

    for (size_t i = 0; i < sizeof(id); i++) {
        char digits[3] = {newest()->id[2 * i], newest()->id[2 * i + 1], '\0'};

        value = (unsigned)strtoul(digits, NULL, 16);
        id[i] = (unsigned char)value;
    }
    buffer_add(&bytes, "\x01\x01", 2);
    buffer_add(&bytes, id, sizeof(id));
    buffer_add(&bytes, data, size);
    CHECK(secret_sign_bytes(&newest()->secret, bytes.data, bytes.length, &signature, &error) == 0);
    buffer_add(&bytes, signature.bytes, SECRET_SIZE);
    buffer_add_text(&text, TOKEN_ACCESS_PREFIX);
    base64_encode_as(BASE64_URL, bytes.data, bytes.length, &text);
    if (token_read(&keys, text.data, &use, &token, &error) == 0) {
        CHECK(token.end > NOW && token.made <= NOW + 60);
        CHECK(strcmp(token.service, "h") == 0);
        CHECK((token.subject.kind == SUBJECT_ANONYMOUS) == !*token.subject.name);
        CHECK(!(token.subject.narrowed_rights & ~(unsigned)RIGHT_ALL));
        CHECK(token_write(&keys, &token, "", &again, &error) == 0);
        CHECK(again.length == text.length);
    } else {
        CHECK(error.code == ERROR_UNAUTHORIZED && *error.message);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct token_use use = {TOKEN_REFRESH, "h", NOW};
    struct token token;
    struct error error;
    char *text;

    if (size > INPUT_LIMIT / 2) {
        return 0;
    }
    (void)newest();
    text = copy_text(data, size);
    CHECK(token_read(&keys, text, &use, &token, &error) < 0);
    CHECK(error.code == ERROR_UNAUTHORIZED);
    read_signed(data, size);
    free(text);
    return 0;
}
