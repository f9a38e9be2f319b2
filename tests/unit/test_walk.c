/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/store/walk.h"
#include "tests/unit/trace.h"

/* Everything that a walk finds, in the order of bytes, strays with a '!' before them. */
struct found {
    struct names names;
    struct buffer joined;
};

static void found_release(struct found *found)
{
    names_release(&found->names);
    buffer_release(&found->joined);
}

#define AUTO_FOUND AUTO(found_release)
#define FOUND_INIT                                                                                 \
    {                                                                                              \
        .names = NAMES_INIT, .joined = BUFFER_INIT                                                 \
    }

static void found_add(struct found *found, enum walk_result result, const char *name,
                      struct path stray)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    buffer_format(&text, "%s%s", result == WALK_STRAY ? "!" : "",
                  result == WALK_STRAY ? stray.text : name);
    names_add(&found->names, text.data);
}

static void found_join(struct found *found, bool sorted)
{
    if (sorted) {
        names_sort(&found->names);
    }
    for (size_t i = 0; i < found->names.count; i++) {
        buffer_format(&found->joined, "%s\n", found->names.names[i]);
    }
}

static void walk_all_blobs(struct fixture *fixture, struct found *out)
{
    AUTO_BLOB_WALK struct blob_walk walk = blob_walk_begin(&fixture->store);
    struct error error = ERROR_INIT;
    struct digest digest;
    enum walk_result result;

    while ((result = blob_walk_next(&walk, &digest, &error)) > 0) {
        found_add(out, result, digest.text, walk.stray);
    }
    assert_returns(WALK_END, result);
    found_join(out, true);
}

static void walk_all_links(struct fixture *fixture, enum link_kind kind, struct found *out)
{
    AUTO_LINK_WALK struct link_walk walk = link_walk_begin(&fixture->repository, kind);
    struct error error = ERROR_INIT;
    struct digest digest;
    enum walk_result result;

    while ((result = link_walk_next(&walk, &digest, &error)) > 0) {
        found_add(out, result, digest.text, walk.stray);
    }
    assert_returns(WALK_END, result);
    found_join(out, true);
}

static void walk_all_tags(struct fixture *fixture, const char *after, struct found *out)
{
    AUTO_TAG_WALK struct tag_walk walk = tag_walk_begin(&fixture->repository, after);
    struct error error = ERROR_INIT;
    const char *tag = "";
    enum walk_result result;

    while ((result = tag_walk_next(&walk, &tag, &error)) > 0) {
        found_add(out, result, tag, walk.stray);
    }
    assert_returns(WALK_END, result);
    found_join(out, false);
}

static void walk_all_repositories(struct fixture *fixture, const char *prefix, const char *after,
                                  struct found *out)
{
    AUTO_REPOSITORY_WALK struct repository_walk walk =
        repository_walk_begin(&fixture->store, prefix, after);
    struct repository repository = {.store = NULL};
    struct error error = ERROR_INIT;
    enum walk_result result;

    while ((result = repository_walk_next(&walk, &repository, &error)) > 0) {
        found_add(out, result, repository.name, walk.stray);
        assert_true(result == WALK_STRAY || repository.store == &fixture->store);
    }
    assert_returns(WALK_END, result);
    found_join(out, false);
}

static void an_empty_store_holds_nothing(void **state)
{
    AUTO_FOUND struct found found = FOUND_INIT;

    walk_all_blobs(*state, &found);
    walk_all_links(*state, LINK_LAYER, &found);
    walk_all_tags(*state, NULL, &found);
    walk_all_repositories(*state, "", NULL, &found);
    walk_all_repositories(*state, "team", NULL, &found);
    assert_string_equal(found.joined.data, "");
}

static void blobs_of_both_algorithms_are_found_and_strays_told(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FOUND struct found found = FOUND_INIT;
    AUTO_BUFFER struct buffer expected = BUFFER_INIT;
    struct digest small = push_blob(&fixture->repository, "a");
    struct digest large;

    digest_of(DIGEST_SHA512, "a", 1, &large);
    put_file(fixture->store.root, layout_blob(&large).text, "a");
    put_file(fixture->store.root, LAYOUT_BLOBS "/sha256/lost+found/x", "");
    put_file(fixture->store.root, LAYOUT_BLOBS "/sha256/ab/short/data", "");
    put_file(fixture->store.root, LAYOUT_BLOBS "/sha256/file", "");
    put_file(fixture->store.root, LAYOUT_BLOBS "/sha256/cd", ""); /* as if just gone */
    put_file(fixture->store.root, LAYOUT_BLOBS "/others/ab/x/data", "");
    /* The digits say sha512, the place sha256; and a digest below digits that are not its own. */
    buffer_format(&expected, LAYOUT_BLOBS "/sha256/ab/%s/data", digest_hex(&large));
    put_file(fixture->store.root, expected.data, "");
    buffer_clear(&expected);
    buffer_format(&expected, LAYOUT_BLOBS "/sha256/ab/%s/data", digest_hex(&small));
    put_file(fixture->store.root, expected.data, "");
    buffer_clear(&expected);
    buffer_format(&expected,
                  "!" LAYOUT_BLOBS "/sha256/ab/%s\n!" LAYOUT_BLOBS "/sha256/ab/%s\n"
                  "!" LAYOUT_BLOBS "/sha256/ab/short\n!" LAYOUT_BLOBS "/sha256/file\n"
                  "!" LAYOUT_BLOBS "/sha256/lost+found\n%s\n%s\n",
                  digest_hex(&large), digest_hex(&small), small.text, large.text);
    walk_all_blobs(fixture, &found);
    fixture->damaged = true;
    assert_string_equal(found.joined.data, expected.data);
}

/* No more is opened than the 256 directories, however much is in them. */
static void each_blob_may_be_removed_when_it_is_found(void **state)
{
    enum { MANY = 2000 };
    struct fixture *fixture = *state;
    AUTO_BLOB_WALK struct blob_walk walk = blob_walk_begin(&fixture->store);
    AUTO_FOUND struct found left = FOUND_INIT;
    struct error error = ERROR_INIT;
    struct digest digest;
    size_t count = 0;

    for (int i = 0; i < MANY; i++) {
        digest_of(DIGEST_SHA256, &i, sizeof(i), &digest);
        put_file(fixture->store.root, layout_blob(&digest).text, "");
    }
    fixture->damaged = true;
    trace_begin();
    trace_looks();
    while (blob_walk_next(&walk, &digest, &error) == WALK_FOUND) {
        struct path path = layout_blob(&digest);

        assert_int_equal(unlinkat(fixture->store.root, path.text, 0), 0);
        *strrchr(path.text, '/') = '\0';
        assert_int_equal(unlinkat(fixture->store.root, path.text, AT_REMOVEDIR), 0);
        count++;
    }
    (void)trace_end();
    assert_int_equal(count, MANY);
    assert_true(trace_count() <= 2 * MANY + DIGEST_ALGORITHM_COUNT + 256);
    walk_all_blobs(fixture, &left);
    assert_string_equal(left.joined.data, "");
}

static void links_of_a_kind_are_found_and_strays_told(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FOUND struct found layers = FOUND_INIT;
    AUTO_FOUND struct found manifests = FOUND_INIT;
    AUTO_BUFFER struct buffer expected = BUFFER_INIT;
    struct digest layer = push_blob(&fixture->repository, "a");
    struct digest manifest =
        push_manifest(&fixture->repository, "{\"schemaVersion\":2,\"manifests\":[]}", NULL);
    struct path stray = layout_links("team/app", LINK_LAYER, DIGEST_SHA512);

    stray = layout_below(stray.text, "x");
    put_file(fixture->store.root, layout_below(stray.text, "link").text, "");
    fixture->damaged = true;
    buffer_format(&expected, "!%s\n%s\n", stray.text, layer.text);
    walk_all_links(fixture, LINK_LAYER, &layers);
    assert_string_equal(layers.joined.data, expected.data);
    buffer_clear(&expected);
    buffer_format(&expected, "%s\n", manifest.text);
    walk_all_links(fixture, LINK_REVISION, &manifests);
    assert_string_equal(manifests.joined.data, expected.data);
}

static void tags_come_in_the_order_of_their_bytes(void **state)
{
    static const char *const tags[] = {"b", "a", "A", "a.1", "a-1", "0"};
    struct fixture *fixture = *state;
    AUTO_FOUND struct found all = FOUND_INIT;
    AUTO_FOUND struct found rest = FOUND_INIT;

    for (size_t i = 0; i < COUNT(tags); i++) {
        (void)push_manifest(&fixture->repository, "{\"schemaVersion\":2,\"manifests\":[]}",
                            tags[i]);
    }
    put_file(fixture->store.root, layout_tag("team/app", ".tag").text, "");
    fixture->damaged = true;
    walk_all_tags(fixture, NULL, &all);
    assert_string_equal(all.joined.data, "!" LAYOUT_REPOSITORIES "/team/app/_manifests/tags/.tag\n"
                                         "0\nA\na\na-1\na.1\nb\n");
    walk_all_tags(fixture, "a", &rest);
    assert_string_equal(rest.joined.data, "a-1\na.1\nb\n");
}

static void repositories_have_layers_or_manifests(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FOUND struct found all = FOUND_INIT;
    AUTO_FOUND struct found below = FOUND_INIT;
    AUTO_FOUND struct found rest = FOUND_INIT;

    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/team/app/_layers/x", "");
    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/team/app/sub/_manifests/x", "");
    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/team/app-b/_layers/x", "");
    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/team/old/_uploads/x", "");
    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/team/Upper/_layers/x", "");
    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/team/file", "");
    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/.x", "");
    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/_own/_layers/x", "");
    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/z/_layers", "");
    fixture->damaged = true;
    walk_all_repositories(fixture, "", NULL, &all);
    assert_string_equal(all.joined.data,
                        "!" LAYOUT_REPOSITORIES "/.x\n!" LAYOUT_REPOSITORIES "/team/Upper\n"
                        "team/app\nteam/app-b\nteam/app/sub\n");
    walk_all_repositories(fixture, "team/app", NULL, &below);
    assert_string_equal(below.joined.data, "team/app/sub\n");
    walk_all_repositories(fixture, "", "team/app-b", &rest);
    assert_string_equal(rest.joined.data, "!" LAYOUT_REPOSITORIES "/.x\n!" LAYOUT_REPOSITORIES
                                          "/team/Upper\nteam/app/sub\n");
}

static void the_order_of_whole_names_is_not_that_of_directories(void **state)
{
    static const char *const names[] = {"a0", "a/b/c", "a-b", "a", "a.b", "a/b", "a-b/c"};
    struct fixture *fixture = *state;
    AUTO_FOUND struct found found = FOUND_INIT;

    for (size_t i = 0; i < COUNT(names); i++) {
        put_file(fixture->store.root, layout_below(layout_layers(names[i]).text, "x").text, "");
    }
    walk_all_repositories(fixture, "", NULL, &found);
    assert_string_equal(found.joined.data, "a\na-b\na-b/c\na.b\na/b\na/b/c\na0\n");
}

/* More than are in memory at once, in whatever order the directory has them. */
static void very_many_tags_come_in_their_order_and_once(void **state)
{
    enum { MANY = 10000 };
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    struct path tags = layout_tags("team/app");
    char name[16];
    const char *tag;

    put_file(fixture->store.root, layout_tag_current("team/app", "zzz").text, "");
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof(name), "t%05d", i * 7919 % MANY);
        assert_int_equal(mkdirat(fixture->store.root, layout_below(tags.text, name).text, 0777), 0);
    }
    for (int first = 0; first < MANY; first += 3333) {
        AUTO_TAG_WALK struct tag_walk walk =
            tag_walk_begin(&fixture->repository, first > 0 ? name : NULL);

        for (int i = first > 0 ? first + 1 : 0; i < MANY; i++) {
            assert_int_equal(tag_walk_next(&walk, &tag, &error), WALK_FOUND);
            (void)snprintf(name, sizeof(name), "t%05d", i);
            assert_string_equal(tag, name);
        }
        assert_int_equal(tag_walk_next(&walk, &tag, &error), WALK_FOUND);
        assert_string_equal(tag, "zzz");
        assert_int_equal(tag_walk_next(&walk, &tag, &error), WALK_END);
        (void)snprintf(name, sizeof(name), "t%05d", first + 3333);
    }
    fixture->damaged = true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(an_empty_store_holds_nothing),
        IN_STORE(blobs_of_both_algorithms_are_found_and_strays_told),
        IN_STORE(each_blob_may_be_removed_when_it_is_found),
        IN_STORE(links_of_a_kind_are_found_and_strays_told),
        IN_STORE(tags_come_in_the_order_of_their_bytes),
        IN_STORE(very_many_tags_come_in_their_order_and_once),
        IN_STORE(repositories_have_layers_or_manifests),
        IN_STORE(the_order_of_whole_names_is_not_that_of_directories),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
