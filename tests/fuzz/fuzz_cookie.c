/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/http/cookie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"berth", "__Host-berth", "a", ""};
    char *field;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    field = copy_text(data, size);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        AUTO_BUFFER struct buffer value = BUFFER_INIT;
        AUTO_BUFFER struct buffer pair = BUFFER_INIT;
        AUTO_BUFFER struct buffer again = BUFFER_INIT;

        if (!cookie_find(field, names[i], &value)) {
            CHECK(value.length == 0);
            continue;
        }
        CHECK(value.length <= COOKIE_VALUE_LIMIT && strlen(value.data) == value.length);
        CHECK(strcspn(value.data, "\",;\\ \t\r\n") == value.length);
        CHECK(strstr(field, value.data));
        /* It can be sent as it was read. */
        buffer_format(&pair, "%s=%s", names[i], value.data);
        CHECK(cookie_find(pair.data, names[i], &again));
        CHECK(strcmp(again.data, value.data) == 0);
    }
    free(field);
    return 0;
}
