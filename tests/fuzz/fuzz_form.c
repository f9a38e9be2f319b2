/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/http/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"grant_type", "scope",   "username",
                                        "password",   "service", ""};
    AUTO_FORM struct query form = QUERY_INIT;
    char *body;
    size_t found = 0;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    body = copy_text(data, size);
    if (!form_parse(&form, body, size)) {
        CHECK(form.pairs.length == 0);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const char *value;

        for (unsigned n = 0; (value = query_value(&form, names[i], n)); n++) {
            CHECK(value >= form.pairs.data && value < form.pairs.data + form.pairs.length);
            CHECK(strlen(value) < size);
            found++;
        }
    }
    CHECK(found <= size);
    CHECK(form_is_type(body) || strncmp(body, "application/x-www-form-urlencoded;", 34) != 0);
    free(body);
    return 0;
}
