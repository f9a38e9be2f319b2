/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/http/authorization.h"
#include "lib/http/base64.h"

/* What was understood is what its only spelling says. */
static void check_basic(const struct authorization *read, const char *field)
{
    AUTO_BUFFER struct buffer pair = BUFFER_INIT;
    AUTO_BUFFER struct buffer again = BUFFER_INIT;

    CHECK(*read->user || *read->password);
    CHECK(!strchr(read->user, ':'));
    buffer_format(&pair, "%s:%s", read->user, read->password);
    base64_encode(pair.data, pair.length, &again);
    CHECK(strlen(field) > again.length + 5);
    CHECK(strcmp(field + strlen(field) - again.length, again.data) == 0);
}

static void check_decoding(enum base64_form form, const char *text)
{
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    AUTO_BUFFER struct buffer again = BUFFER_INIT;

    if (base64_decode(form, text, strlen(text), &bytes)) {
        base64_encode_as(form, bytes.data, bytes.length, &again);
        CHECK(strcmp(again.data, text) == 0);
    } else {
        CHECK(bytes.length == 0 && *bytes.data == '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_AUTHORIZATION struct authorization read = AUTHORIZATION_INIT;
    char *text;
    bool parsed;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    text = copy_text(data, size);
    parsed = authorization_parse(&read, text);
    CHECK(parsed || read.scheme == AUTHORIZATION_NONE);
    if (read.scheme == AUTHORIZATION_BASIC) {
        check_basic(&read, text);
    }
    if (read.scheme == AUTHORIZATION_BEARER) {
        CHECK(strstr(text, read.token) && !strpbrk(read.token, " ,\"\t\n"));
    }
    check_decoding(BASE64_PADDED, text);
    check_decoding(BASE64_URL, text);
    free(text);
    return 0;
}
