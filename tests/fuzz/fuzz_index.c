/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/oci/index.h"

enum { INDEX_LIMIT = 64 * 1024 };

static void check_platform(const char *text)
{
    struct platform platform;

    if (platform_parse(&platform, text)) {
        CHECK(*platform.os && *platform.architecture);
        CHECK(platform_matches(&platform, &platform));
    }
}

/* The first line is a platform, the rest an index. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_INDEX struct index index = INDEX_INIT;
    struct document document = {NULL, 0, NULL};
    struct error error = ERROR_INIT;
    struct digest digest;
    char *text;
    char *rest;

    if (size > INDEX_LIMIT) {
        return 0;
    }
    text = copy_text(data, size);
    rest = strchr(text, '\n');
    if (rest) {
        *rest++ = '\0';
        document.bytes = rest;
        document.length = size - (size_t)(rest - text);
        if (index_parse(&index, &document, &error) < 0) {
            CHECK(error.code == ERROR_MANIFEST_INVALID && index.children == NULL);
        }
        for (size_t i = 0; i < index.count; i++) {
            CHECK(digest_parse(&digest, index.children[i].digest.text, &error) == 0);
        }
    }
    check_platform(text);
    free(text);
    return 0;
}
