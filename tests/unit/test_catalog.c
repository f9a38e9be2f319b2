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
#include "tests/unit/trace.h"

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

static void check_below(struct fixture *fixture, const struct catalog_query *query,
                        const char *expected, int more)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    AUTO_BUFFER struct buffer joined = BUFFER_INIT;
    struct error error = ERROR_INIT;

    assert_returns(more, catalog_list(&fixture->store, query, &names, &error));
    join(&names, &joined);
    assert_string_equal(joined.data, expected);
}

static void check_page(struct fixture *fixture, const char *last, size_t limit,
                       const char *expected, int more)
{
    struct catalog_query query = {"", {last, limit}};

    check_below(fixture, &query, expected, more);
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
            struct catalog_query query = {"", {last, limit}};
            struct error error = ERROR_INIT;

            more = catalog_list(&fixture->store, &query, &page_names, &error);
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

static void only_those_with_manifests_are_listed(void **state)
{
    struct fixture *fixture = *state;
    struct repository blobs = repository_named(fixture, "only/blobs");
    struct error error = ERROR_INIT;
    struct digest digest = sha256("{\"schemaVersion\":2,\"manifests\":[]}");

    (void)push_blob(&blobs, "x");
    make_repository(fixture, "team/app");
    make_repository(fixture, "team/old");
    blobs = repository_named(fixture, "team/old");
    assert_returns(1, repository_delete_manifest(&blobs, &digest, NULL, &error));
    check_page(fixture, NULL, 100, "team/app ", 0);
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
    fixture->damaged = true; /* as check says of what is no repository */
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
    fixture->damaged = true; /* as check says of what is no repository */
    check_page(fixture, NULL, 100, expected.data, 0);
}

static void a_prefix_shows_only_what_is_below_it(void **state)
{
    static const char *const names[] = {"a",        "team",       "team-b/app",
                                        "team/app", "team/app/x", "team/lib",
                                        "team.c",   "team0",      "teams/app"};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(names); i++) {
        make_repository(fixture, names[i]);
    }
    check_below(fixture, &(struct catalog_query){"team", {NULL, 100}},
                "team/app team/app/x team/lib ", 0);
    check_below(fixture, &(struct catalog_query){"team", {NULL, 2}}, "team/app team/app/x ", 1);
    check_below(fixture, &(struct catalog_query){"team", {"team/app/x", 2}}, "team/lib ", 0);
    check_below(fixture, &(struct catalog_query){"team", {"a", 2}}, "team/app team/app/x ", 1);
    check_below(fixture, &(struct catalog_query){"team", {"team/lib", 2}}, "", 0);
    check_below(fixture, &(struct catalog_query){"team", {"z", 2}}, "", 0);
    check_below(fixture, &(struct catalog_query){"team/app", {NULL, 2}}, "team/app/x ", 0);
    check_below(fixture, &(struct catalog_query){"nobody", {NULL, 2}}, "", 0);
}

/* Whom a search near `near` and below `prefix` finds. */
/* Everywhere but in "hidden". */
static bool may_look(const void *context, const char *name)
{
    (void)context;
    return strcmp(name, "hidden") != 0;
}

static void check_search(struct fixture *fixture, const char *near, const char *prefix,
                         const char *expected)
{
    struct catalog_search search = {near, prefix, sha256("content"), may_look, NULL};
    struct error error = ERROR_INIT;
    char name[NAME_SIZE] = "";

    assert_returns(*expected != '\0', catalog_find_blob(&fixture->store, &search, name, &error));
    assert_string_equal(name, expected);
}

static void give_content(struct fixture *fixture, const char *name)
{
    struct repository repository = repository_named(fixture, name);

    (void)push_blob(&repository, "content");
}

static void take_content(struct fixture *fixture, const char *name)
{
    struct repository repository = repository_named(fixture, name);
    struct digest digest = sha256("content");
    struct error error = ERROR_INIT;

    assert_returns(1, repository_delete_blob(&repository, &digest, &error));
}

static void finds_the_nearest_that_has_a_blob(void **state)
{
    static const char *const nearest_first[] = {"team/app/api", "team/app/api/v2", "team/app",
                                                "team/app/web", "team/app/web/x",  "team/lib/x",
                                                "other",        "other/deep/one"};
    struct fixture *fixture = *state;

    (void)push_blob(&fixture->repository, "another");
    check_search(fixture, "team/app/api", "", "");
    for (size_t i = COUNT(nearest_first); i-- > 0;) {
        give_content(fixture, nearest_first[i]);
        check_search(fixture, "team/app/api", "", nearest_first[i]);
    }
    for (size_t i = 0; i < COUNT(nearest_first); i++) {
        check_search(fixture, "team/app/api", "", nearest_first[i]);
        take_content(fixture, nearest_first[i]);
    }
    check_search(fixture, "team/app/api", "", "");
}

static void a_search_stays_below_its_prefix(void **state)
{
    struct fixture *fixture = *state;

    give_content(fixture, "team");
    give_content(fixture, "team-b/app");
    give_content(fixture, "other/app");
    check_search(fixture, "team/app", "team", "");
    check_search(fixture, "elsewhere", "team", "");
    give_content(fixture, "team/lib/x");
    check_search(fixture, "team/app", "team", "team/lib/x");
    check_search(fixture, "team/app", "team/lib", "team/lib/x");
    check_search(fixture, "team/app", "team/lib/x", "");
    check_search(fixture, "elsewhere", "team", "team/lib/x");
}

static size_t count_lines(const char *prefix, const char *suffix)
{
    size_t count = 0;

    for (size_t i = 0; (i = trace_find(prefix, suffix, i)) != SIZE_MAX; i++) {
        count++;
    }
    return count;
}

static void a_search_looks_at_a_hundred_names_at_most(void **state)
{
    struct fixture *fixture = *state;

    give_content(fixture, "zone/z/one");
    give_content(fixture, "near/app");
    take_content(fixture, "near/app");
    for (int i = 0; i < 3000; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "%s/%02d/%03d/_layers/x", i % 2 ? "near" : "flat",
                       i / 2 % 40, i);
        put_file(fixture->store.root, layout_repository(name).text, "");
    }
    trace_begin();
    trace_looks();
    check_search(fixture, "near/app", "", "");
    (void)trace_end();
    /* Each is looked for in its place, in the trash, and once more in its place. */
    assert_int_equal(count_lines("openat ", "/link"), 2 * CATALOG_SEARCH_LIMIT);
    assert_true(trace_count() <= 4 * CATALOG_SEARCH_LIMIT + 8);
    give_content(fixture, "near/app/beside");
    trace_begin();
    trace_looks();
    check_search(fixture, "near/app", "", "near/app/beside");
    (void)trace_end();
    assert_true(trace_count() <= 10);
}

/* How long it takes must not tell what is where one may not look, or lies unlinked in the store. */
static void a_search_does_the_same_whatever_is_hidden(void **state)
{
    struct fixture *fixture = *state;
    size_t counts[3];

    (void)push_blob(&fixture->repository, "another");
    give_content(fixture, "hidden");
    take_content(fixture, "hidden");
    put_file(fixture->store.root, layout_repository("hidden/_layers/x").text, "");
    for (size_t i = 0; i < COUNT(counts); i++) {
        struct digest digest = sha256("content");

        if (i == 1) {
            give_content(fixture, "hidden");
        } else if (i == 2) {
            take_content(fixture, "hidden");
            assert_int_equal(unlinkat(fixture->store.root, layout_blob(&digest).text, 0), 0);
        }
        trace_begin();
        trace_looks();
        check_search(fixture, "team/app", "", "");
        (void)trace_end();
        counts[i] = trace_count();
        assert_int_equal(count_lines("", "/hidden/_layers/sha256"), 0);
    }
    assert_int_equal(counts[0], counts[1]);
    assert_int_equal(counts[0], counts[2]);
}

static int list_without_permission(struct fixture *fixture)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    struct catalog_query query = {"", {NULL, 100}};
    struct error error = ERROR_INIT;

    EXPECT(fchmodat(fixture->store.root, LAYOUT_REPOSITORIES "/secret", 0, 0) == 0);
    drop_privileges();
    EXPECT(catalog_list(&fixture->store, &query, &names, &error) == -1);
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
        IN_STORE(only_those_with_manifests_are_listed),
        IN_STORE(what_is_no_repository_is_passed_over),
        IN_STORE(names_that_are_too_long_end_the_way_down),
        IN_STORE(a_prefix_shows_only_what_is_below_it),
        IN_STORE(finds_the_nearest_that_has_a_blob),
        IN_STORE(a_search_stays_below_its_prefix),
        IN_STORE(a_search_looks_at_a_hundred_names_at_most),
        IN_STORE(a_search_does_the_same_whatever_is_hidden),
        IN_STORE(part_of_a_list_is_no_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
