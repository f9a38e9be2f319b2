/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>

#include "lib/oci/name.h"
#include "lib/oci/pattern.h"

/* By trying everything, as the comment in the header has it; for short texts. */
static bool matches_slowly(const char *pattern, bool begins, const char *name)
{
    if (begins && strncmp(pattern, "**/", 3) == 0) {
        if (matches_slowly(pattern + 3, true, name)) {
            return true;
        }
        name = *name == '/' ? NULL : strchr(name, '/');
        return name && matches_slowly(pattern, true, name + 1);
    }
    if (*pattern == '*') {
        bool is_deep = pattern[1] == '*';
        const char *rest = pattern + 1 + is_deep;

        for (;; name++) {
            if (matches_slowly(rest, false, name)) {
                return true;
            }
            if (*name == '\0' || (*name == '/' && !is_deep)) {
                return false;
            }
        }
    }
    return *pattern == *name &&
           (*pattern == '\0' || matches_slowly(pattern + 1, *pattern == '/', name + 1));
}

/* PATTERN NUL NAME NUL USER */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;
    const char *parts[3] = {"", "", ""};
    size_t count = 0;
    bool matches;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    text = copy_text(data, size);
    for (size_t i = 0; i <= size && count < 3; i += strlen(text + i) + 1) {
        parts[count++] = text + i;
    }
    matches = pattern_matches(parts[0], parts[1], parts[2]);
    CHECK(pattern_matches("**", parts[1], parts[2]));
    CHECK(!pattern_is_valid(parts[0]) || strlen(parts[0]) < PATTERN_SIZE);
    CHECK(!patterns_match_text("!**, **", parts[1], parts[2]));
    if (name_is_valid(parts[1]) && strlen(parts[1]) < PATTERN_SIZE) {
        CHECK(pattern_matches(parts[1], parts[1], parts[2]));
    }
    if (strlen(parts[0]) < 12 && strlen(parts[1]) < 24 && !strchr(parts[0], '{')) {
        CHECK(matches == matches_slowly(parts[0], true, parts[1]));
    }
    free(text);
    return 0;
}
