/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>

#include "lib/http/range.h"

static void check_download(const char *header, uint64_t size)
{
    struct range range = {4711, 4712};
    struct range again;
    char text[64];

    switch (range_parse(header, size, &range)) {
    case RANGE_WHOLE:
    case RANGE_UNSATISFIABLE:
        CHECK(range.first == 4711 && range.last == 4712);
        break;
    case RANGE_PART:
        CHECK(range.first <= range.last && range.last < size);
        CHECK(!strchr(header, ','));
        (void)snprintf(text, sizeof(text), "bytes=%" PRIu64 "-%" PRIu64, range.first, range.last);
        if (range.last <= INT64_MAX) {
            CHECK(range_parse(text, size, &again) == RANGE_PART);
            CHECK(again.first == range.first && again.last == range.last);
        }
        break;
    }
}

static void check_chunk(const char *header)
{
    struct range range = {4711, 4712};
    struct range again;
    char text[64];

    if (!content_range_parse(header, &range)) {
        CHECK(range.first == 4711 && range.last == 4712);
        return;
    }
    CHECK(range.first <= range.last && range.last <= INT64_MAX);
    (void)snprintf(text, sizeof(text), "%" PRIu64 "-%" PRIu64, range.first, range.last);
    CHECK(content_range_parse(text, &again));
    CHECK(again.first == range.first && again.last == range.last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t sizes[] = {0, 1, 100, INT64_MAX};
    uint64_t drawn;
    char *text;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    text = copy_text(data, size);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        check_download(text, sizes[i]);
    }
    if (size > sizeof(drawn)) {
        memcpy(&drawn, data + size - sizeof(drawn), sizeof(drawn));
        text[size - sizeof(drawn)] = '\0';
        check_download(text, drawn);
    }
    check_chunk(text);
    free(text);
    return 0;
}
