/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>
#include <sys/resource.h>

#include "lib/proxy/entries.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

enum { NO_LIMIT = 64 * 1024 * 1024 };

static void join(const char *const *pages, size_t count,
                 bool (*add)(struct names *, const struct document *), struct buffer *out)
{
    AUTO_NAMES struct names entries = NAMES_INIT;

    for (size_t i = 0; i < count; i++) {
        struct document page = {pages[i], strlen(pages[i]), NULL};

        assert_true(add(&entries, &page));
    }
    entries_join(&entries, NO_LIMIT, out);
}

static void tags_are_sorted_and_listed_once(void **state)
{
    static const char *const pages[] = {"{\"tags\":[\"b\",\"a\",\"b\",\"a b\",\"\",\"-x\",\"B\"]}",
                                        "{\"tags\":null}", "{\"tags\":[\"a\",\"a.1\",\"a\\n\"]}"};
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    (void)state;
    join(pages, COUNT(pages), entries_add_tags, &out);
    assert_string_equal(out.data, "B\na\na.1\nb\n");
}

static void a_page_of_tags_begins_behind_the_last(void **state)
{
    static const struct {
        const char *last;
        size_t limit;
        const char *expected;
        int more;
    } cases[] = {
        {NULL, 9, "B a a.1 b ", 0},
        {"", 2, "B a ", 1},
        {"B", 2, "a a.1 ", 1},
        {"a", 2, "a.1 b ", 0},
        {"a.", 9, "a.1 b ", 0},
        {"a.1", 1, "b ", 0},
        {"b", 9, "", 0},
        {"zz", 9, "", 0},
        {"", 0, "", 1},
        {"A", 1, "B ", 1},
    };
    AUTO_BUFFER struct buffer entries = BUFFER_INIT;

    (void)state;
    buffer_add_text(&entries, "B\na\na.1\nb\n");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct page page = {cases[i].last, cases[i].limit};
        AUTO_NAMES struct names out = NAMES_INIT;
        AUTO_BUFFER struct buffer text = BUFFER_INIT;

        assert_int_equal(entries_page_tags(&entries, &page, &out), cases[i].more);
        for (size_t n = 0; n < out.count; n++) {
            buffer_format(&text, "%s ", out.names[n]);
        }
        assert_string_equal(text.data, cases[i].expected);
    }
}

static const char *const referrers[] = {
    "{\"manifests\":[{\"digest\":\"" B "\",\"size\":1,\"artifactType\":\"a/x y\"},"
    "{\"digest\":\"" A "\",\"size\":2},{\"digest\":\"" B
    "\",\"size\":3,\"artifactType\":\"a/x y\"}]}",
    "{\"manifests\":[{\"size\":4},{\"digest\":\"latest\"},{\"digest\":7},"
    "{\"digest\":\"" C "\",\"artifactType\":\"b/c\",\"annotations\":{\"k\":\"two\\nlines \"}}]}",
};

/* "aC": those of A and C; "a+": A, and there are more. */
static void page_of(const struct buffer *entries, const char *type, const char *last, size_t limit,
                    char out[8])
{
    static const char *const digests[] = {A, B, C};
    struct referrers_query query = {.artifact_type = type, .page = {last, limit}};
    AUTO_BUFFER struct buffer list = BUFFER_INIT;
    AUTO_BUFFER struct buffer json = BUFFER_INIT;
    AUTO_NAMES struct names found = NAMES_INIT;
    struct digest behind = {.text = ""};
    struct document document;
    int more = entries_page_referrers(entries, &query, &list, &behind);
    size_t length = 0;

    buffer_format(&json, "{\"manifests\":[%s]}", list.data);
    document = (struct document){json.data, json.length, NULL};
    assert_true(document_object_list(&document, "manifests", &found));
    for (size_t i = 0; i < found.count; i++) {
        for (size_t n = 0; n < COUNT(digests); n++) {
            if (strstr(found.names[i], digests[n])) {
                out[length++] = "abc"[n];
            }
        }
    }
    if (more) {
        assert_non_null(strstr(found.names[found.count - 1], behind.text));
        out[length++] = '+';
    }
    out[length] = '\0';
}

static void referrers_are_paged_and_filtered(void **state)
{
    static const struct {
        const char *type;
        const char *last;
        size_t limit;
        const char *expected;
    } cases[] = {
        {NULL, NULL, 9, "abc"}, {NULL, "", 2, "ab+"}, {NULL, A, 9, "bc"},    {NULL, B, 1, "c"},
        {NULL, C, 9, ""},       {NULL, "", 0, ""},    {"a/x y", "", 9, "b"}, {"b/c", "", 1, "c"},
        {"b/c", C, 9, ""},      {"a/x", "", 9, ""},   {"", "", 9, "a"},      {"%", "", 9, ""},
    };
    AUTO_BUFFER struct buffer entries = BUFFER_INIT;

    (void)state;
    join(referrers, COUNT(referrers), entries_add_referrers, &entries);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char found[8];

        page_of(&entries, cases[i].type, cases[i].last, cases[i].limit, found);
        assert_string_equal(found, cases[i].expected);
    }
}

static void a_page_of_referrers_has_a_size(void **state)
{
    AUTO_BUFFER struct buffer entries = BUFFER_INIT;
    struct referrers_query query = {.page = {NULL, 10}};
    struct digest last;
    size_t length = REFERRERS_PAGE_BYTES * 2 / 3;

    (void)state;
    for (int i = 0; i < 3; i++) {
        buffer_format(&entries, "%s  ", i == 0 ? A : i == 1 ? B : C);
        memset(buffer_reserve(&entries, length), 'x', length);
        buffer_added(&entries, length);
        buffer_add_text(&entries, "\n");
    }
    for (int i = 0; i < 3; i++) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;

        assert_int_equal(entries_page_referrers(&entries, &query, &out, &last), i < 2);
        assert_int_equal(out.length, length);
        query.page.last = last.text;
    }
}

static void what_is_no_list_is_refused(void **state)
{
    static const char *const pages[] = {"",
                                        "[]",
                                        "{}",
                                        "{\"tags\":1,\"manifests\":1}",
                                        "{\"tags\":[1],\"manifests\":[1]}",
                                        "{\"tags\":{},\"manifests\":{}}",
                                        "{\"tags\":[\"a\"]"};
    AUTO_NAMES struct names entries = NAMES_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(pages); i++) {
        struct document page = {pages[i], strlen(pages[i]), NULL};

        assert_false(entries_add_tags(&entries, &page));
        assert_false(entries_add_referrers(&entries, &page));
    }
    assert_int_equal(entries.count, 0);
}

/* What was kept may be cut off, or anything. */
static void garbled_entries_are_left_out(void **state)
{
    AUTO_BUFFER struct buffer entries = BUFFER_INIT;
    char found[8];

    (void)state;
    buffer_add_text(&entries, "\n \n  \nx\n" A " \n" B "  {\"digest\":\"" B "\"}\n" C);
    page_of(&entries, NULL, NULL, 9, found);
    assert_string_equal(found, "b");
}

static void what_does_not_fit_is_left_out(void **state)
{
    AUTO_NAMES struct names entries = NAMES_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    (void)state;
    names_add(&entries, "aaaa");
    names_add(&entries, "bbbbbbbb");
    names_add(&entries, "cc");
    entries_join(&entries, 8, &out);
    assert_string_equal(out.data, "aaaa\ncc\n");
}

/* Of `count` referrers, all different or all alike: joined, filtered and paged. */
static double seconds_for(size_t count, bool alike)
{
    AUTO_BUFFER struct buffer page = BUFFER_INIT;
    AUTO_BUFFER struct buffer entries = BUFFER_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct referrers_query query = {.artifact_type = "none", .page = {NULL, 1000}};
    struct rusage before;
    struct rusage after;
    struct digest last;
    const char *pages[1];

    buffer_add_text(&page, "{\"manifests\":[");
    for (size_t i = 0; i < count; i++) {
        buffer_format(&page, "%s{\"digest\":\"sha256:%064zx\",\"size\":1}", i > 0 ? "," : "",
                      alike ? 1 : count - i);
    }
    buffer_add_text(&page, "]}");
    pages[0] = page.data;
    (void)getrusage(RUSAGE_SELF, &before);
    join(pages, 1, entries_add_referrers, &entries);
    assert_int_equal(entries_page_referrers(&entries, &query, &out, &last), 0);
    query.artifact_type = NULL;
    assert_int_equal(entries_page_referrers(&entries, &query, &out, &last), !alike && count > 1000);
    (void)getrusage(RUSAGE_SELF, &after);
    return (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec) +
           (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec) / 1e6;
}

/* Sixteen times as much is some twenty times the work, and not 256 times. One quiet moment shows
 * it. */
static void the_work_grows_no_faster_than_n_log_n(void **state)
{
    enum { SMALL = 2000, LARGE = SMALL * 16, TRIES = 10, RATIO = 80 };

    (void)state;
    for (int alike = 0; alike < 2; alike++) {
        double ratio = RATIO;

        for (int i = 0; i < TRIES && ratio >= RATIO; i++) {
            ratio = seconds_for(LARGE, alike) / (seconds_for(SMALL, alike) + 1e-6);
        }
        assert_true(ratio < RATIO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_are_sorted_and_listed_once),
        cmocka_unit_test(a_page_of_tags_begins_behind_the_last),
        cmocka_unit_test(referrers_are_paged_and_filtered),
        cmocka_unit_test(a_page_of_referrers_has_a_size),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(garbled_entries_are_left_out),
        cmocka_unit_test(what_does_not_fit_is_left_out),
        cmocka_unit_test(the_work_grows_no_faster_than_n_log_n),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
