/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/buffer.h"
#include "lib/store/layout.h"

#define HEX "ab3456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"
#define LONG HEX "cd3456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"
#define ROOT "docker/registry/v2/"
#define APP ROOT "repositories/team/app/"

static const struct digest small = {DIGEST_SHA256, "sha256:" HEX};
static const struct digest large = {DIGEST_SHA512, "sha512:" LONG};

/* Distribution's names: a registry in Go has to find the same things. */
static void is_the_layout_of_distribution(void **state)
{
    (void)state;
    assert_string_equal(layout_blob(&small).text, ROOT "blobs/sha256/ab/" HEX "/data");
    assert_string_equal(layout_blob(&large).text, ROOT "blobs/sha512/ab/" LONG "/data");
    assert_string_equal(layout_blobs(DIGEST_SHA512).text, ROOT "blobs/sha512");
    assert_string_equal(layout_repository("team/app").text, ROOT "repositories/team/app");
    assert_string_equal(layout_layers("team/app").text, APP "_layers");
    assert_string_equal(layout_manifests("team/app").text, APP "_manifests");
    assert_string_equal(layout_links("team/app", LINK_LAYER, DIGEST_SHA256).text,
                        APP "_layers/sha256");
    assert_string_equal(layout_links("team/app", LINK_REVISION, DIGEST_SHA512).text,
                        APP "_manifests/revisions/sha512");
    assert_string_equal(layout_link("team/app", LINK_LAYER, &small).text,
                        APP "_layers/sha256/" HEX "/link");
    assert_string_equal(layout_link("team/app", LINK_REVISION, &large).text,
                        APP "_manifests/revisions/sha512/" LONG "/link");
    assert_string_equal(layout_tags("team/app").text, APP "_manifests/tags");
    assert_string_equal(layout_tag("team/app", "v1").text, APP "_manifests/tags/v1");
    assert_string_equal(layout_tag_current("team/app", "v1").text,
                        APP "_manifests/tags/v1/current/link");
    assert_string_equal(layout_tag_history("team/app", "v1", &small).text,
                        APP "_manifests/tags/v1/index/sha256/" HEX "/link");
}

/* Everything of ours has an underscore where a registry in Go looks. */
static void what_is_ours_begins_with_an_underscore(void **state)
{
    (void)state;
    assert_string_equal(layout_media_type("team/app", &small).text, APP "_media_types/sha256/" HEX);
    assert_string_equal(layout_referrers("team/app", &small).text, APP "_referrers/sha256/" HEX);
    assert_string_equal(layout_referrer("team/app", &small, &large).text,
                        APP "_referrers/sha256/" HEX "/sha512:" LONG);
    assert_string_equal(layout_damaged(&small).text, "_berth/damaged/sha256-" HEX);
    assert_string_equal(layout_lock(0).text, "_berth/locks/00");
    assert_string_equal(layout_lock(255).text, "_berth/locks/ff");
}

static void uploads_are_in_the_temporary_directory(void **state)
{
    (void)state;
    assert_string_equal(layout_upload("id").text, "uploads/id");
    assert_string_equal(layout_upload_data("id").text, "uploads/id/data");
    assert_string_equal(layout_upload_state("id").text, "uploads/id/state");
    assert_string_equal(layout_upload_lock("id").text, "uploads/id/lock");
    assert_string_equal(layout_piece("id").text, "pieces/id");
}

static void paths_are_taken_apart_and_put_together(void **state)
{
    AUTO_BUFFER struct buffer absolute = BUFFER_INIT;

    (void)state;
    assert_string_equal(layout_above("a/b/c").text, "a/b");
    assert_string_equal(layout_above("a").text, "");
    assert_string_equal(layout_below("a/b", "c").text, "a/b/c");
    assert_string_equal(layout_session_lock("uploads/id").text, "uploads/id/lock");
    layout_absolute("/srv/registry", layout_trial("id").text, &absolute);
    assert_string_equal(absolute.data, "/srv/registry/_berth/trial-id");
}

static void the_longest_names_fit(void **state)
{
    char name[NAME_SIZE];
    char tag[TAG_SIZE];
    const char *end;

    (void)state;
    memset(name, 'n', sizeof(name));
    name[NAME_SIZE - 1] = '\0';
    memset(tag, 't', sizeof(tag));
    tag[TAG_SIZE - 1] = '\0';
    end = strstr(layout_tag_history(name, tag, &large).text, "/index/sha512/" LONG "/link");
    assert_non_null(end);
    end = strstr(layout_referrer(name, &large, &large).text, LONG "/sha512:" LONG);
    assert_non_null(end);
}

static void repositories_spread_over_the_locks(void **state)
{
    bool used[LAYOUT_LOCK_COUNT] = {false};
    size_t count = 0;

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        char name[16];
        struct path path;

        (void)snprintf(name, sizeof(name), "team/app%u", i);
        path = layout_repository_lock(name);
        for (unsigned lock = 0; lock < LAYOUT_LOCK_COUNT; lock++) {
            if (strcmp(layout_lock(lock).text, path.text) == 0) {
                count += !used[lock];
                used[lock] = true;
            }
        }
        assert_string_equal(layout_repository_lock(name).text, path.text);
    }
    assert_true(count > LAYOUT_LOCK_COUNT * 3 / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_layout_of_distribution),
        cmocka_unit_test(what_is_ours_begins_with_an_underscore),
        cmocka_unit_test(uploads_are_in_the_temporary_directory),
        cmocka_unit_test(paths_are_taken_apart_and_put_together),
        cmocka_unit_test(the_longest_names_fit),
        cmocka_unit_test(repositories_spread_over_the_locks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
