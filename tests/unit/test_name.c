/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/oci/name.h"

struct row {
    const char *text;
    bool valid;
};

static void check(bool (*is_valid)(const char *text), const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_valid(rows[i].text) != rows[i].valid) {
            fail_msg("'%s' is %s", rows[i].text, rows[i].valid ? "refused" : "taken");
        }
    }
}

static const struct row names[] = {
    {"a", true},
    {"0", true},
    {"app", true},
    {"team/app", true},
    {"a/b/c/d/e/f", true},
    {"a.b", true},
    {"a_b", true},
    {"a__b", true},
    {"a-b", true},
    {"a---b", true},
    {"a.b_c__d-e--f/g.h", true},
    {"docker.io/library/alpine", true},
    {"blobs", true},
    {"a/blobs/uploads", true},
    {"xn--mnchen-3ya", true},
    {"", false},
    {"/", false},
    {"/a", false},
    {"a/", false},
    {"a//b", false},
    {".", false},
    {"..", false},
    {"a/..", false},
    {"../a", false},
    {"a/../b", false},
    {"a/./b", false},
    {".a", false},
    {"a.", false},
    {"_a", false},
    {"a_", false},
    {"a__", false},
    {"-a", false},
    {"a-", false},
    {"a..b", false},
    {"a.-b", false},
    {"a-.b", false},
    {"a._b", false},
    {"a___b", false},
    {"a_-b", false},
    {"a/_b", false},
    {"a/-b", false},
    {"a/.b", false},
    {"a./b", false},
    {"a-/b", false},
    {"_layers", false},
    {"a/_manifests", false},
    {"A", false},
    {"aB", false},
    {"a b", false},
    {"a:b", false},
    {"a@b", false},
    {"a\\b", false},
    {"a%2fb", false},
    {"a\n", false},
    {"\xc3\xa4", false},
    {"a\x80", false},
    {"a/b\x7f", false},
};

static void names_follow_the_grammar(void **state)
{
    (void)state;
    check(name_is_valid, names, COUNT(names));
}

static void tags_follow_the_grammar(void **state)
{
    static const struct row rows[] = {
        {"latest", true}, {"1.0", true},  {"v1.0.0-rc.1", true}, {"_x", true},
        {"__", true},     {"A", true},    {"Z9", true},          {"0", true},
        {"a..b", true},   {"a--", true},  {"a.", true},          {"sha256-0123abcd", true},
        {"", false},      {".", false},   {"..", false},         {".a", false},
        {"-a", false},    {"a/b", false}, {"a:b", false},        {"a b", false},
        {"a+b", false},   {"a\n", false}, {"a@", false},         {"\xc3\xa4", false},
        {"a\xff", false},
    };

    (void)state;
    check(tag_is_valid, rows, COUNT(rows));
}

static void manifest_types_follow_the_grammar(void **state)
{
    static const struct row rows[] = {
        {"application/json", true},
        {"application/vnd.oci.image.manifest.v1+json", true},
        {"APPLICATION/x", true},
        {"application/0", true},
        {"application/b!#$&-^_.+", true},
        {"", false},
        {"application", false},
        {"application/", false},
        {"/json", false},
        {"a/b", false},
        {"text/html", false},
        {"text/plain", false},
        {"image/svg+xml", false},
        {"xapplication/json", false},
        {" application/json", false},
        {"application/b/c", false},
        {"application//b", false},
        {"application/.b", false},
        {"application/+b", false},
        {"application/b;q=1", false},
        {"application/b ", false},
        {"application /b", false},
        {"*/*", false},
        {"application/*", false},
        {"application/b\r\nX: y", false},
        {"application/b\n", false},
        {"application/b\t", false},
        {"application/b\"", false},
        {"application/b,c/d", false},
        {"application/\xc3\xa4", false},
    };

    (void)state;
    check(manifest_type_is_valid, rows, COUNT(rows));
}

static void lengths_end_where_the_headers_say(void **state)
{
    char text[512];

    (void)state;
    memset(text, 'a', sizeof(text));
    text[NAME_SIZE - 1] = '\0';
    assert_true(name_is_valid(text));
    text[NAME_SIZE - 1] = 'a';
    text[NAME_SIZE] = '\0';
    assert_false(name_is_valid(text));

    text[TAG_SIZE - 1] = '\0';
    assert_true(tag_is_valid(text));
    text[TAG_SIZE - 1] = 'a';
    text[TAG_SIZE] = '\0';
    assert_false(tag_is_valid(text));

    memcpy(text, "application/", 12);
    text[TAG_SIZE] = 'a';
    text[MEDIA_TYPE_SIZE - 1] = '\0';
    assert_true(manifest_type_is_valid(text));
    text[MEDIA_TYPE_SIZE - 1] = 'a';
    text[MEDIA_TYPE_SIZE] = '\0';
    assert_false(manifest_type_is_valid(text));
}

static void every_other_byte_is_refused(void **state)
{
    static const char in_names[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char in_tags[] = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    (void)state;
    for (int c = 1; c < 256; c++) {
        char text[] = {'a', (char)c, 'a', '\0'};
        char type[] = "application/?";

        type[sizeof(type) - 2] = (char)c;
        if (name_is_valid(text) != (strchr(in_names, c) || strchr("._-/", c)) ||
            tag_is_valid(text) != (strchr(in_tags, c) || strchr("._-", c)) ||
            manifest_type_is_valid(type) != (strchr(in_tags, c) != NULL)) {
            fail_msg("the byte 0x%02x", (unsigned)c);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_follow_the_grammar),
        cmocka_unit_test(tags_follow_the_grammar),
        cmocka_unit_test(manifest_types_follow_the_grammar),
        cmocka_unit_test(lengths_end_where_the_headers_say),
        cmocka_unit_test(every_other_byte_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
