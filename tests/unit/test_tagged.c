/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "lib/store/tagged.h"

#define ONE "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define TWO "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static void put_tag(struct fixture *fixture, const char *tag, const char *link)
{
    put_file(fixture->store.root, layout_tag_current("team/app", tag).text, link);
}

/* What is no tag, stands for nothing, or is no link, is left out. */
static void put_tags(struct fixture *fixture)
{
    fixture->damaged = true; /* links without manifests */
    put_tag(fixture, "b", ONE);
    put_tag(fixture, "a", ONE);
    put_tag(fixture, "c", TWO);
    put_tag(fixture, "empty", "");
    put_tag(fixture, "garbled", "sha256:0123");
    put_tag(fixture, ".no", ONE);
    put_file(fixture->store.root, layout_tag("team/app", "half/x").text, "");
}

static void tags_are_listed_with_what_they_stand_for(void **state)
{
    struct fixture *fixture = *state;
    const struct repository app = {.store = &fixture->store, .name = "team/app"};
    static const char *const expected[] = {"a", "b", "c"};
    struct error error;

    for (size_t limit = 0; limit < 5; limit++) {
        AUTO_TAGGED_LIST struct tagged_list list = TAGGED_LIST_INIT;

        assert_returns(0, tagged_list_read(&app, limit, &list, &error));
        assert_true(list.count == 0 && !list.is_cut); /* there is no such repository yet */
    }
    put_tags(fixture);
    for (size_t limit = 0; limit < 8; limit++) {
        AUTO_TAGGED_LIST struct tagged_list list = TAGGED_LIST_INIT;

        assert_returns(0, tagged_list_read(&app, limit, &list, &error));
        assert_int_equal(list.count, limit < 3 ? limit : 3);
        assert_true(limit > 2 || list.is_cut);
        for (size_t i = 0; i < list.count; i++) {
            assert_string_equal(list.items[i].tag, expected[i]);
            assert_string_equal(list.items[i].digest.text, i < 2 ? ONE : TWO);
            assert_true(list.items[i].moved > 0);
        }
    }
}

static void note_visit(void *context, const char *tag, const struct digest *digest)
{
    assert_string_equal(digest->text, *tag == 'c' ? TWO : ONE);
    names_add(context, tag);
}

static void all_that_stand_for_something_are_visited(void **state)
{
    struct fixture *fixture = *state;
    const struct repository app = {.store = &fixture->store, .name = "team/app"};
    AUTO_NAMES struct names visited = NAMES_INIT;
    struct error error = ERROR_INIT;

    assert_returns(0, tagged_visit(&app, note_visit, &visited, &error));
    assert_int_equal(visited.count, 0);
    put_tags(fixture);
    assert_returns(0, tagged_visit(&app, note_visit, &visited, &error));
    names_sort(&visited);
    assert_int_equal(visited.count, 3);
    assert_string_equal(visited.names[0], "a");
    assert_string_equal(visited.names[1], "b");
    assert_string_equal(visited.names[2], "c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(tags_are_listed_with_what_they_stand_for),
        IN_STORE(all_that_stand_for_something_are_visited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
