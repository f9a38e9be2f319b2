/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/names.h"
#include "lib/store/glance.h"

static void note(void *context, const char *name, const struct glance *glance)
{
    assert_true(glance->has_manifests && glance->changed > 0);
    names_add(context, name);
}

/* Those below a name, sorted, with a space behind each. */
static void check_walk(struct fixture *fixture, const char *prefix, const char *expected)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    AUTO_BUFFER struct buffer told = BUFFER_INIT;
    struct glance_visitor visitor = {note, &names, 100};

    assert_true(glance_walk(&fixture->store, prefix, &visitor));
    names_sort(&names);
    for (size_t i = 0; i < names.count; i++) {
        buffer_format(&told, "%s ", names.names[i]);
    }
    assert_string_equal(told.data, expected);
}

static void push(struct fixture *fixture, const char *name, const char *tag)
{
    struct repository repository = repository_named(fixture, name);
    AUTO_BUFFER struct buffer image = BUFFER_INIT;

    make_image(&repository, name, &image);
    (void)push_manifest(&repository, image.data, tag);
}

static void finds_what_has_manifests_below_a_name(void **state)
{
    struct fixture *fixture = *state;
    struct repository empty = repository_named(fixture, "empty");

    check_walk(fixture, "", "");
    push(fixture, "a", "v1");
    push(fixture, "a/b", "v1");
    push(fixture, "a/b/c", NULL);
    push(fixture, "a-b/c", "v1");
    (void)push_blob(&empty, "a layer, and no manifest");
    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/stray", "no directory");
    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/.x/_manifests/x", "no name");
    check_walk(fixture, "", "a a-b/c a/b a/b/c ");
    check_walk(fixture, "a", "a/b a/b/c ");
    check_walk(fixture, "a/b/c", "");
    check_walk(fixture, "absent", "");
    fixture->damaged = true; /* what is stray */
}

static void stops_at_its_limit(void **state)
{
    struct fixture *fixture = *state;
    AUTO_NAMES struct names names = NAMES_INIT;
    struct glance_visitor visitor = {note, &names, 3};

    for (int i = 0; i < 3; i++) {
        char name[8];

        (void)snprintf(name, sizeof(name), "r%d", i);
        push(fixture, name, "v1");
    }
    assert_true(glance_walk(&fixture->store, "", &visitor));
    push(fixture, "r3", "v1");
    names_release(&names);
    names = (struct names)NAMES_INIT;
    assert_false(glance_walk(&fixture->store, "", &visitor));
    assert_int_equal(names.count, 3);
}

static void counts_tags_and_sees_what_has_no_manifest(void **state)
{
    struct fixture *fixture = *state;
    struct repository repository = repository_named(fixture, "r");
    struct glance glance;

    glance_take(&repository, &glance);
    assert_false(glance.has_manifests);
    assert_int_equal(glance_count_tags(&repository), 0);
    push(fixture, "r", "v1");
    push(fixture, "r", "v2");
    glance_take(&repository, &glance);
    assert_true(glance.has_manifests);
    assert_int_equal(glance_count_tags(&repository), 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        IN_STORE(finds_what_has_manifests_below_a_name),
        IN_STORE(stops_at_its_limit),
        IN_STORE(counts_tags_and_sees_what_has_no_manifest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
