/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/base/memory.h"
#include "lib/observe/count/tally.h"

/* The head of a file of another layout; behind it are numbers, which may be fewer than it says. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    struct tally *tally;
    size_t body;

    if (size < 2 || size > TALLY_HEAD) {
        return 0;
    }
    body = (size_t)(data[0] << 8 | data[1]);
    buffer_add(&file, data + 2, size - 2);
    while (file.length < TALLY_HEAD + body) {
        buffer_add(&file, "x", 1);
    }
    tally = memory_allocate(1, sizeof(*tally));
    (void)tally_carry_over(tally, &file);
    CHECK(tally->presences[0] == 0);
    free(tally);
    return 0;
}
