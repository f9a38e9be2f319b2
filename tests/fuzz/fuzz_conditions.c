/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/http/conditions.h"

/* If-Match or If-None-Match: what it is understood as is what it says. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_DIGEST_SET struct digest_set set = DIGEST_SET_INIT;
    char *text;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    text = copy_text(data, size);
    conditions_parse(text, &set);
    CHECK(!set.any || strchr(text, '*'));
    CHECK(!digest_set_has(&set, NULL));
    for (size_t i = 0; i < set.count; i++) {
        struct digest digest;
        struct error error;

        CHECK(digest_parse(&digest, set.digests[i].text, &error) == 0);
        CHECK(strstr(text, digest.text) && digest_set_has(&set, &digest));
    }
    free(text);
    return 0;
}
