/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/http/challenge.h"

/* The first line is one field, the second another one of the same response. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CHALLENGE struct challenge challenge = CHALLENGE_INIT;
    AUTO_CHALLENGE struct challenge fresh = CHALLENGE_INIT;
    enum challenge_scheme first;
    char *text;
    char *second;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    text = copy_text(data, size);
    second = strchr(text, '\n');
    if (second) {
        *second++ = '\0';
    }
    CHECK(challenge_parse(&challenge, text) == (challenge.scheme != CHALLENGE_NONE));
    CHECK(challenge.scheme != CHALLENGE_NONE ||
          challenge.realm.length + challenge.service.length + challenge.scope.length == 0);
    CHECK(challenge.realm.length <= strlen(text) && challenge.service.length <= strlen(text));
    first = challenge.scheme;
    if (second) {
        (void)challenge_parse(&challenge, second);
        (void)challenge_parse(&fresh, second);
        /* The better one of both wins. */
        CHECK(challenge.scheme == (first > fresh.scheme ? first : fresh.scheme));
    }
    free(text);
    return 0;
}
