/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/base/text.h"
#include "lib/http/query.h"

static bool has_control(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

/* What was found under a name is the same when it is said again in another spelling. */
static void check_again(const char *name, const char *value)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_QUERY struct query again = QUERY_INIT;

    buffer_add_text(&text, "&x&");
    text_percent_encode(name, &text);
    buffer_add_text(&text, "=");
    text_percent_encode(value, &text);
    CHECK(query_parse(&again, text.data));
    CHECK(query_value(&again, name, 0) && strcmp(query_value(&again, name, 0), value) == 0);
    CHECK(!query_value(&again, name, 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"n", "last", "ns", "digest", "artifactType", "tag", ""};
    AUTO_QUERY struct query query = QUERY_INIT;
    char *text;
    bool parsed;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    text = copy_text(data, size);
    parsed = query_parse(&query, text);
    CHECK(parsed || query.pairs.length == 0);
    CHECK(parsed || has_control(text) || strchr(text, '%'));
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const char *value;

        for (unsigned n = 0; (value = query_value(&query, names[i], n)); n++) {
            CHECK(value >= query.pairs.data && value < query.pairs.data + query.pairs.length);
            CHECK(!has_control(value) && strlen(value) <= strlen(text));
            CHECK(n <= strlen(text));
            check_again(names[i], value);
        }
    }
    free(text);
    return 0;
}
