/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/collecting.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/store/prune.h"
#include "lib/store/recall.h"
#include "lib/store/repository.h"
#include "lib/store/tag.h"

/* What the collector does not see, or sees too early. */

static void delete_image(struct fixture *fixture, const struct image *image)
{
    struct error error = ERROR_INIT;

    assert_returns(1,
                   repository_delete_manifest(&fixture->repository, &image->digest, NULL, &error));
}

static void ignore(void *context, const char *path, const char *what)
{
    (void)context;
    (void)path;
    (void)what;
}

static void a_subject_that_is_pushed_again_brings_its_referrers_back(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct image image = push(&fixture->repository, "layer", "latest", NULL);
    struct image referrer = push(&fixture->repository, "referrer", NULL, &image.digest);

    delete_image(fixture, &image);
    collect(fixture, &collected);
    assert_false(has_image(fixture, &referrer));
    (void)push(&fixture->repository, "layer", "latest", NULL);
    collect(fixture, &collected); /* nobody has asked for it */
    assert_true(has_image(fixture, &referrer));
}

/* The collector has looked what can be reached when the subject of a signature is pushed again. */
static void a_tag_whose_subject_comes_back_in_between_stays(void **state)
{
    struct fixture *fixture = *state;
    struct image image = push(&fixture->repository, "layer", "latest", NULL);
    struct reach_rules rules = {.keep_untagged = true, .problem = ignore};
    struct prune_rules prune = {.found = ignore, .problem = ignore};
    struct prune_report report = {.tags = 0};
    AUTO_DIGEST_KEYS struct digest_keys marked = DIGEST_KEYS_INIT;
    AUTO_REACH struct reach reach = REACH_INIT;
    struct digest digest;
    struct error error = ERROR_INIT;
    char tag[TAG_SIZE];

    (void)snprintf(tag, sizeof(tag), "sha256-%s.sig", digest_hex(&image.digest));
    (void)push(&fixture->repository, "signature", tag, NULL);
    delete_image(fixture, &image);
    rules.touched = prune.before = let_time_pass(fixture);
    assert_returns(0, recall_reach(&reach, &fixture->repository, &rules, &error));
    assert_int_equal(reach.dead_tag_count, 1);
    (void)push(&fixture->repository, "layer", "latest", NULL);
    assert_returns(0, prune_repository(&reach, &prune, &marked, &report, &error));
    assert_int_equal(report.tags, 0);
    assert_returns(1, tag_get(&fixture->repository, tag, &digest, &error));
}

static void what_another_program_s_links_lead_to_stays(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct digest theirs = push_blob(&fixture->repository, "theirs");
    struct digest lonely = push_blob(&fixture->repository, "lonely");

    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/Moved_Away/app/_layers/sha256/x/link",
             theirs.text);
    put_file(fixture->store.root, LAYOUT_REPOSITORIES "/README", "hello");
    fixture->damaged = true;
    collect(fixture, &collected);
    assert_true(has_blob(fixture, &theirs));
    assert_false(has_blob(fixture, &lonely));
    assert_int_equal(collected.report.problems, 2);
}

static void what_is_behind_a_symbolic_link_costs_nobody_a_blob(void **state)
{
    static const char *const moved[] = {
        LAYOUT_REPOSITORIES "/team",
        LAYOUT_REPOSITORIES "/team/app",
        LAYOUT_REPOSITORIES "/team/app/_layers",
        LAYOUT_REPOSITORIES "/team/app/_layers/sha256",
        LAYOUT_REPOSITORIES "/team/app/_manifests",
        LAYOUT_REPOSITORIES "/team/app/_manifests/revisions",
        LAYOUT_REPOSITORIES "/team/app/_manifests/revisions/sha256",
        LAYOUT_REPOSITORIES "/team/app/_manifests/tags",
    };
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct image image = push(&fixture->repository, "layer", "latest", NULL);
    int root = fixture->store.root;
    AUTO_BUFFER struct buffer target = BUFFER_INIT;

    buffer_format(&target, "%s/moved", fixture->store.options->root);
    for (size_t i = 0; i < COUNT(moved); i++) {
        assert_int_equal(renameat(root, moved[i], root, "moved"), 0);
        assert_int_equal(symlinkat(target.data, root, moved[i]), 0);
        collect_untagged(fixture, &collected);
        assert_int_equal(unlinkat(root, moved[i], 0), 0);
        assert_int_equal(renameat(root, "moved", root, moved[i]), 0);
        assert_true(has_image(fixture, &image));
    }
}

static void what_cannot_be_looked_at_ends_no_run_and_costs_nobody_a_blob(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct repository other = repository_named(fixture, "zzz/app");
    struct digest hidden = push_blob(&fixture->repository, "hidden");
    struct digest lonely = push_blob(&other, "lonely");
    struct path layers = layout_links("team/app", LINK_LAYER, DIGEST_SHA256);
    struct path loop = layout_below(layout_manifests("team/app").text, "tags");

    put_file(fixture->store.root, layout_below(layout_manifests("team/app").text, "x").text, "");
    assert_int_equal(symlinkat("tags", fixture->store.root, loop.text), 0);
    collect(fixture, &collected);
    assert_int_equal(collected.report.problems, 1);
    assert_true(has_blob(fixture, &hidden) && is_there(fixture->store.root, layers.text));
    assert_true(has_blob(fixture, &lonely));
    assert_true(is_in_trash(fixture, layout_link("zzz/app", LINK_LAYER, &lonely).text));
    assert_int_equal(unlinkat(fixture->store.root, loop.text, 0), 0);
    collect(fixture, &collected);
    assert_false(has_blob(fixture, &lonely));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(a_subject_that_is_pushed_again_brings_its_referrers_back),
        IN_STORE(a_tag_whose_subject_comes_back_in_between_stays),
        IN_STORE(what_another_program_s_links_lead_to_stays),
        IN_STORE(what_is_behind_a_symbolic_link_costs_nobody_a_blob),
        IN_STORE(what_cannot_be_looked_at_ends_no_run_and_costs_nobody_a_blob),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
