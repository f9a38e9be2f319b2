/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/store/blob.h"
#include "lib/store/catalog.h"

static void join(const struct names *names, struct buffer *out)
{
    for (size_t i = 0; i < names->count; i++) {
        buffer_format(out, "%s ", names->names[i]);
    }
}

static void make_repository(struct fixture *fixture, const char *name)
{
    struct repository repository = repository_named(fixture, name);

    (void)push_manifest(&repository, "{\"schemaVersion\":2,\"manifests\":[]}", NULL);
}

static void check_page(struct fixture *fixture, const char *last, size_t limit,
                       const char *expected, int more)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    AUTO_BUFFER struct buffer joined = BUFFER_INIT;
    struct page page = {last, limit};
    struct error error = ERROR_INIT;

    assert_returns(more, catalog_list(&fixture->store, &page, &names, &error));
    join(&names, &joined);
    assert_string_equal(joined.data, expected);
}

static void an_empty_store_has_none(void **state)
{
    struct fixture *fixture = *state;

    check_page(fixture, NULL, 100, "", 0);
    check_page(fixture, "x", 100, "", 0);
}

static void lists_in_the_order_of_bytes_across_directories(void **state)
{
    /* '-' and '.' sort before '/', digits and letters behind. */
    static const char *const names[] = {"a/b", "a",     "a-b/c",   "a.b",
                                        "a0",  "a/b/c", "b/x/y/z", "a-b"};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(names); i++) {
        make_repository(fixture, names[i]);
    }
    check_page(fixture, NULL, 100, "a a-b a-b/c a.b a/b a/b/c a0 b/x/y/z ", 0);
    check_page(fixture, "", 100, "a a-b a-b/c a.b a/b a/b/c a0 b/x/y/z ", 0);
    check_page(fixture, NULL, 8, "a a-b a-b/c a.b a/b a/b/c a0 b/x/y/z ", 0);
    check_page(fixture, NULL, 7, "a a-b a-b/c a.b a/b a/b/c a0 ", 1);
    check_page(fixture, NULL, 0, "", 1);
    check_page(fixture, "a", 2, "a-b a-b/c ", 1);
    check_page(fixture, "a/", 2, "a/b a/b/c ", 1);
    check_page(fixture, "a/b", 2, "a/b/c a0 ", 1);
    check_page(fixture, "a/b/c", 2, "a0 b/x/y/z ", 0);
    check_page(fixture, "a/zzz", 2, "a0 b/x/y/z ", 0);
    check_page(fixture, "b", 2, "b/x/y/z ", 0);
    check_page(fixture, "b/x/y/z", 2, "", 0);
    check_page(fixture, "b0", 2, "", 0);
    check_page(fixture, "../..", 1, "a ", 1);
}

static int compare(const void *left, const void *right)
{
    return strcmp(left, right);
}

static void pages_put_together_are_the_whole(void **state)
{
    enum { REPOSITORIES = 40 };
    static const char *const parts[] = {"a", "b", "a-b", "a.c", "a_b", "a0"};
    struct fixture *fixture = *state;
    char names[REPOSITORIES][32];
    AUTO_BUFFER struct buffer whole = BUFFER_INIT;

    for (size_t i = 0; i < REPOSITORIES; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%s/%s%s%s", parts[i % 6], parts[i / 6 % 6],
                       i % 4 ? "/" : "", i % 4 ? parts[i % 4 + 1] : "");
        make_repository(fixture, names[i]);
    }
    qsort(names, REPOSITORIES, sizeof(*names), compare);
    for (size_t i = 0; i < REPOSITORIES; i++) {
        if (i == 0 || strcmp(names[i], names[i - 1]) != 0) {
            buffer_format(&whole, "%s ", names[i]);
        }
    }
    for (size_t limit = 1; limit <= REPOSITORIES + 1; limit += 3) {
        AUTO_BUFFER struct buffer pages = BUFFER_INIT;
        char last[32] = "";
        int more = 1;

        while (more > 0) {
            AUTO_NAMES struct names page_names = NAMES_INIT;
            struct page page = {last, limit};
            struct error error = ERROR_INIT;

            more = catalog_list(&fixture->store, &page, &page_names, &error);
            assert_true(more >= 0);
            assert_int_equal(more ? page_names.count : limit, limit);
            join(&page_names, &pages);
            if (page_names.count > 0) {
                (void)snprintf(last, sizeof(last), "%s", page_names.names[page_names.count - 1]);
            }
        }
        assert_string_equal(pages.data, whole.data);
    }
}

static void only_those_with_manifests_are_listed_and_all_are_known(void **state)
{
    struct fixture *fixture = *state;
    struct repository blobs = repository_named(fixture, "only/blobs");
    AUTO_NAMES struct names all = NAMES_INIT;
    AUTO_BUFFER struct buffer joined = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct digest digest = sha256("{\"schemaVersion\":2,\"manifests\":[]}");

    (void)push_blob(&blobs, "x");
    make_repository(fixture, "team/app");
    make_repository(fixture, "team/old");
    blobs = repository_named(fixture, "team/old");
    assert_returns(1, repository_delete_manifest(&blobs, &digest, &error));
    check_page(fixture, NULL, 100, "team/app ", 0);
    assert_returns(0, catalog_all(&fixture->store, &all, &error));
    join(&all, &joined);
    assert_string_equal(joined.data, "only/blobs team/app team/old ");
}

static void what_is_no_repository_is_passed_over(void **state)
{
    struct fixture *fixture = *state;

    make_repository(fixture, "a");
    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/_own/_layers/x", "");
    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/_own/_manifests/revisions/sha256/x/link",
             "");
    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/Upper/_manifests/revisions/sha256/x/link",
             "");
    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/.x/_manifests/revisions/sha256/x/link", "");
    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/file", "");
    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/lost+found/x", "");
    assert_int_equal(symlinkat("..", fixture->store.root, LAYOUT_REPOSITORIES "/loop"), 0);
    check_page(fixture, NULL, 100, "a ", 0);
}

static void names_that_are_too_long_end_the_way_down(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer path = BUFFER_INIT;
    AUTO_BUFFER struct buffer name = BUFFER_INIT;
    AUTO_BUFFER struct buffer expected = BUFFER_INIT;

    for (int i = 0; i < 127; i++) {
        buffer_add_text(&name, "d/");
    }
    buffer_add_text(&name, "d"); /* 255 bytes: the longest there is */
    make_repository(fixture, name.data);
    buffer_format(&path, LAYOUT_REPOSITORIES "/%s/d/_manifests/revisions/sha256/x/link", name.data);
    put_file(fixture->store.root, path.data, "");
    buffer_format(&expected, "%s ", name.data);
    check_page(fixture, NULL, 100, expected.data, 0);
}

static void finds_who_has_a_blob(void **state)
{
    struct fixture *fixture = *state;
    struct repository first = repository_named(fixture, "b");
    struct repository second = repository_named(fixture, "c/d");
    struct digest digest = sha256("content");
    struct error error = ERROR_INIT;
    char name[NAME_SIZE] = "untouched";

    (void)push_blob(&fixture->repository, "another");
    assert_returns(0, catalog_find_blob(&fixture->store, &digest, name, &error));
    assert_string_equal(name, "untouched");
    (void)push_blob(&second, "content");
    assert_returns(1, catalog_find_blob(&fixture->store, &digest, name, &error));
    assert_string_equal(name, "c/d");
    (void)push_blob(&first, "content");
    assert_returns(1, catalog_find_blob(&fixture->store, &digest, name, &error));
    assert_string_equal(name, "b");
    assert_returns(1, blob_unlink(&first, &digest, &error));
    assert_returns(1, blob_unlink(&second, &digest, &error));
    assert_returns(0, catalog_find_blob(&fixture->store, &digest, name, &error));
}

static int list_without_permission(struct fixture *fixture)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    struct page page = {NULL, 100};
    struct error error = ERROR_INIT;

    EXPECT(fchmodat(fixture->store.root, LAYOUT_REPOSITORIES "/secret", 0, 0) == 0);
    drop_privileges();
    EXPECT(catalog_list(&fixture->store, &page, &names, &error) == -1);
    EXPECT(error.code == ERROR_INTERNAL);
    EXPECT(names.count == 0);
    return 0;
}

static void part_of_a_list_is_no_list(void **state)
{
    struct fixture *fixture = *state;

    make_repository(fixture, "a");
    make_repository(fixture, "secret/app");
    run_in_child(list_without_permission, fixture);
    assert_int_equal(fchmodat(fixture->store.root, LAYOUT_REPOSITORIES "/secret", 0755, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(an_empty_store_has_none),
        IN_STORE(lists_in_the_order_of_bytes_across_directories),
        IN_STORE(pages_put_together_are_the_whole),
        IN_STORE(only_those_with_manifests_are_listed_and_all_are_known),
        IN_STORE(what_is_no_repository_is_passed_over),
        IN_STORE(names_that_are_too_long_end_the_way_down),
        IN_STORE(finds_who_has_a_blob),
        IN_STORE(part_of_a_list_is_no_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
