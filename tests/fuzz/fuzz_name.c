/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <regex.h>

#include "lib/oci/name.h"
#include "lib/store/layout.h"

/* The grammars as the specifications have them. */
#define PART "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*"
#define NAME "^" PART "(/" PART ")*$"
#define TAG "^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$"
#define TOKEN "[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*"
#define TYPE "^[Aa][Pp][Pp][Ll][Ii][Cc][Aa][Tt][Ii][Oo][Nn]/" TOKEN "$"

struct grammar {
    const char *expression;
    size_t limit; /* bytes and a NUL */
    bool (*is_valid)(const char *text);
    regex_t compiled;
};

static struct grammar grammars[] = {
    {.expression = NAME, .limit = NAME_SIZE, .is_valid = name_is_valid},
    {.expression = TAG, .limit = TAG_SIZE, .is_valid = tag_is_valid},
    {.expression = TYPE, .limit = MEDIA_TYPE_SIZE, .is_valid = manifest_type_is_valid},
};

static void compile(void)
{
    static bool compiled;

    for (size_t i = 0; !compiled && i < sizeof(grammars) / sizeof(*grammars); i++) {
        CHECK(regcomp(&grammars[i].compiled, grammars[i].expression, REG_EXTENDED | REG_NOSUB) ==
              0);
    }
    compiled = true;
}

/* Nothing that passes can leave the directory that it is put into. */
static void check_path(const char *path, const char *below)
{
    CHECK(strncmp(path, below, strlen(below)) == 0 && path[strlen(below)] == '/');
    for (const char *c = path; *c; c++) {
        if (c == path || *c == '/') {
            const char *part = c + (*c == '/');
            size_t length = strcspn(part, "/");

            CHECK(length > 0);
            CHECK(!(length == 1 && part[0] == '.'));
            CHECK(!(length == 2 && part[0] == '.' && part[1] == '.'));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    compile();
    text = copy_text(data, size);
    for (size_t i = 0; i < sizeof(grammars) / sizeof(*grammars); i++) {
        bool expected = strlen(text) < grammars[i].limit &&
                        regexec(&grammars[i].compiled, text, 0, NULL, 0) == 0;

        CHECK(grammars[i].is_valid(text) == expected);
    }
    if (name_is_valid(text)) {
        CHECK(!strstr(text, "..") && text[0] != '_' && !strstr(text, "/_"));
        check_path(layout_repository(text).text, LAYOUT_REPOSITORIES);
        check_path(layout_repository_lock(text).text, LAYOUT_LOCKS);
        check_path(layout_tags(text).text, layout_repository(text).text);
    }
    if (tag_is_valid(text)) {
        check_path(layout_tag_current("a", text).text, layout_tags("a").text);
    }
    if (manifest_type_is_valid(text)) {
        CHECK(!strpbrk(text, "\r\n \t;,\"<>"));
    }
    free(text);
    return 0;
}
