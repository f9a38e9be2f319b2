/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/access/key.h"

/* What was taken is keys that can be found again by an id of their own kind. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_KEYS struct keys keys = KEYS_INIT("");
    char *text;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    text = copy_text(data, size);
    if (keys_parse(&keys, text, size)) {
        CHECK(keys.count > 0 && keys.count <= KEY_LIMIT);
        CHECK(memchr(data, '\n', size) && data[size - 1] == '\n');
        for (size_t i = 0; i < keys.count; i++) {
            CHECK(strspn(keys.keys[i].id, "0123456789abcdef") == KEY_ID_SIZE - 1);
            CHECK(keys.keys[i].id[KEY_ID_SIZE - 1] == '\0');
        }
    }
    free(text);
    return 0;
}
