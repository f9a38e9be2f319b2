/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/collecting.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/store/prune.h"
#include "lib/store/recall.h"
#include "lib/store/repository.h"
#include "lib/store/restore.h"
#include "lib/store/tag.h"
#include "lib/store/trash.h"

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

/* Where only digests are, in a repository of which it is the first thing that is seen. */
static void what_has_no_digest_as_its_name_is_told_and_left(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct repository other = repository_named(fixture, "zzz/app");
    struct digest lonely = push_blob(&other, "lonely");
    struct path layers = layout_links("team/app", LINK_LAYER, DIGEST_SHA256);
    struct path revisions = layout_links("team/app", LINK_REVISION, DIGEST_SHA256);

    put_file(fixture->store.root, layout_below(layers.text, "x/link").text, "foreign");
    put_file(fixture->store.root, layout_below(revisions.text, "y").text, "foreign");
    collect(fixture, &collected);
    assert_int_equal(collected.report.problems, 2);
    assert_non_null(strstr(collected.problems.data, "/_layers/sha256/x: this has no digest as"));
    assert_non_null(strstr(collected.problems.data, "/revisions/sha256/y: this has no digest as"));
    assert_false(has_blob(fixture, &lonely));
    assert_file(fixture->store.root, layout_below(layers.text, "x/link").text, "foreign");
    fixture->damaged = true;
}

/* In place of a directory there is a link to it, or, when it is away for a while, to nothing. */
static void what_is_behind_a_symbolic_link_costs_nobody_a_blob(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct image image = push(&fixture->repository, "layer", "latest", NULL);
    struct path layer = layout_link("team/app", LINK_LAYER, &image.layer);
    struct path revision = layout_link("team/app", LINK_REVISION, &image.digest);
    const struct path moved[] = {
        {LAYOUT_REPOSITORIES "/team"},
        layout_repository("team/app"),
        layout_layers("team/app"),
        layout_links("team/app", LINK_LAYER, DIGEST_SHA256),
        layout_above(layer.text),
        layer,
        layout_manifests("team/app"),
        layout_above(layout_links("team/app", LINK_REVISION, DIGEST_SHA256).text),
        layout_links("team/app", LINK_REVISION, DIGEST_SHA256),
        layout_above(revision.text),
        revision,
        layout_tags("team/app"),
        layout_tag("team/app", "latest"),
        layout_above(layout_tag_current("team/app", "latest").text),
    };
    int root = fixture->store.root;
    AUTO_BUFFER struct buffer target = BUFFER_INIT;

    buffer_format(&target, "%s/moved", fixture->store.options->root);
    for (size_t i = 0; i < 2 * COUNT(moved); i++) {
        const char *path = moved[i / 2].text;
        const char *away = i % 2 ? "away" : "moved";

        assert_int_equal(renameat(root, path, root, away), 0);
        assert_int_equal(symlinkat(target.data, root, path), 0);
        collect_untagged(fixture, &collected);
        assert_int_equal(unlinkat(root, path, 0), 0);
        assert_int_equal(renameat(root, away, root, path), 0);
        if (!has_image(fixture, &image)) {
            fail_msg("%s led to '%s': %s", path, away, collected.problems.data);
        }
    }
}

/* So that nobody can look what is there. */
static void put_loop(struct fixture *fixture, const char *path)
{
    assert_int_equal(symlinkat(strrchr(path, '/') + 1, fixture->store.root, path), 0);
}

static void what_cannot_be_looked_at_ends_no_run_and_costs_nobody_else_s_room(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct repository other = repository_named(fixture, "zzz/app");
    struct digest hidden = push_blob(&fixture->repository, "hidden");
    struct digest lonely = push_blob(&other, "lonely");
    struct path tags = layout_tags("team/app");

    put_file(fixture->store.root, layout_below(layout_manifests("team/app").text, "x").text, "");
    put_loop(fixture, tags.text);
    collect(fixture, &collected);
    assert_int_equal(collected.report.problems, 1);
    assert_int_equal(collected.report.spared_repositories, 1);
    assert_false(collected.report.spares_blobs);
    assert_non_null(strstr(collected.problems.data, "repositories/team/app: "));
    assert_non_null(strstr(collected.problems.data, " (repository)\n"));
    assert_true(has_blob(fixture, &hidden) && has_link(fixture, LINK_LAYER, &hidden));
    assert_true(is_in_trash(fixture, layout_link("zzz/app", LINK_LAYER, &lonely).text));
    assert_true(is_in_trash(fixture, layout_blob(&lonely).text));
    assert_int_equal(unlinkat(fixture->store.root, tags.text, 0), 0);
    collect(fixture, &collected);
    assert_false(has_blob(fixture, &hidden) || has_link(fixture, LINK_LAYER, &hidden));
}

/* Not even what links there are can be seen, or where one of them leads. */
static void links_that_cannot_be_looked_at_cost_nobody_a_blob(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct repository other = repository_named(fixture, "zzz/app");
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct digest lonely = push_blob(&other, "lonely");
    struct digest alias;
    struct error error;
    struct path damaged[3];

    buffer_format(&text, "sha512:%0128d", 7);
    assert_int_equal(digest_parse(&alias, text.data, &error), 0);
    damaged[0] = layout_links("team/app", LINK_LAYER, DIGEST_SHA256);
    damaged[1] = layout_links("team/app", LINK_REVISION, DIGEST_SHA512);
    damaged[2] = layout_link("team/app", LINK_LAYER, &alias);
    for (size_t i = 0; i < COUNT(damaged); i++) {
        put_file(fixture->store.root, layout_below(layout_above(damaged[i].text).text, "x").text,
                 "");
        put_loop(fixture, damaged[i].text);
        for (int round = 0; round < 2; round++) {
            collected.report = (struct collect_report){.empty_trash = true};
            collect_with(fixture, &(struct collect_options){.trash_days = 0}, &collected);
            assert_true(collected.report.spares_blobs);
            assert_non_null(strstr(collected.problems.data, " (blobs)\n"));
            assert_int_equal(collected.report.emptied_files, 0);
            assert_true(has_blob(fixture, &lonely));
        }
        assert_int_equal(unlinkat(fixture->store.root, damaged[i].text, 0), 0);
    }
    collect(fixture, &collected);
    assert_false(has_blob(fixture, &lonely));
}

static void an_unreadable_link_of_which_the_name_tells_its_blob_keeps_that(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct repository other = repository_named(fixture, "zzz/app");
    struct image image = push(&fixture->repository, "layer", "latest", NULL);
    struct digest lonely = push_blob(&other, "lonely");
    const struct path links[] = {layout_link("team/app", LINK_LAYER, &image.layer),
                                 layout_link("team/app", LINK_REVISION, &image.digest),
                                 layout_tag_current("team/app", "latest")};

    for (size_t i = 0; i < COUNT(links); i++) {
        assert_int_equal(renameat(fixture->store.root, links[i].text, fixture->store.root, "away"),
                         0);
        put_loop(fixture, links[i].text);
        collect(fixture, &collected);
        assert_int_equal(unlinkat(fixture->store.root, links[i].text, 0), 0);
        assert_int_equal(renameat(fixture->store.root, "away", fixture->store.root, links[i].text),
                         0);
        assert_int_equal(collected.report.spared_repositories, 1);
        assert_true(has_image(fixture, &image));
        assert_false(has_blob(fixture, &lonely));
    }
}

/* As a power cut leaves one that another program has written. */
static void an_empty_tag_is_told_and_keeps_what_it_may_have_stood_for(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct image image = push(&fixture->repository, "layer", "latest", NULL);
    struct path current = layout_tag_current("team/app", "latest");

    put_file(fixture->store.root, current.text, "");
    collect_untagged(fixture, &collected);
    assert_true(has_image(fixture, &image));
    assert_int_equal(collected.report.spared_repositories, 1);
    assert_non_null(strstr(collected.problems.data, current.text));
    fixture->damaged = true;
}

/* What would have come back, if anybody had known that it is needed. */
static void what_a_repository_that_cannot_be_judged_has_in_the_trash_stays_there(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct image image = push(&fixture->repository, "layer", "latest", NULL);
    struct path tags = layout_tags("team/app");
    const struct path link = layout_link("team/app", LINK_LAYER, &image.layer);
    const struct path blob = layout_blob(&image.layer);
    const struct path other = layout_link("zzz/app", LINK_LAYER, &image.layer);
    struct error error = ERROR_INIT;

    assert_returns(1, trash_put(&fixture->store, TRASH_COLLECTED, link.text, &error));
    assert_returns(1, trash_put(&fixture->store, TRASH_COLLECTED, blob.text, &error));
    put_file(fixture->store.root, layout_trash(TRASH_COLLECTED, other.text).text, "x");
    assert_int_equal(renameat(fixture->store.root, tags.text, fixture->store.root, "away"), 0);
    put_loop(fixture, tags.text);
    collected.report = (struct collect_report){.empty_trash = true};
    collect_with(fixture, &(struct collect_options){.trash_days = 0}, &collected);
    assert_int_equal(collected.report.emptied_files, 1); /* the other's */
    assert_false(is_in_trash(fixture, other.text));
    assert_int_equal(unlinkat(fixture->store.root, tags.text, 0), 0);
    assert_int_equal(renameat(fixture->store.root, "away", fixture->store.root, tags.text), 0);
    collect(fixture, &collected);
    assert_true(has_image(fixture, &image));
}

/* Somebody refers to what has lain in the trash for long, after its repository was looked at. */
struct late_push {
    struct fixture *fixture;
    struct image image;
    bool is_done;
};

static void push_late(void *context)
{
    struct late_push *late = context;

    if (!late->is_done) {
        late->is_done = true;
        (void)push_index(&late->fixture->repository, &late->image, 1, "latest");
    }
}

static void note_nothing(void *context, const char *path, const char *why, uint64_t bytes)
{
    (void)context;
    (void)path;
    (void)why;
    (void)bytes;
}

static void what_comes_back_while_the_trash_is_emptied_comes_back_whole(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct late_push late = {fixture, push(&fixture->repository, "layer", NULL, NULL), false};
    struct collect_report report = {
        .empty_trash = true, .found = note_nothing, .step = push_late, .context = &late};
    struct error error = ERROR_INIT;

    (void)push(&fixture->repository, "other", "other", NULL);
    collect_untagged(fixture, &collected);
    assert_false(has_image(fixture, &late.image));
    (void)let_time_pass(fixture);
    assert_returns(1, collect_store(&fixture->store, &(struct collect_options){.trash_days = 0},
                                    &report, &error));
    assert_true(late.is_done);
    assert_true(has_image(fixture, &late.image));
}

/* Without the directory of its layers distribution does not see it, and neither do we. */
static void a_repository_without_layers_is_seen_when_its_manifest_comes_back(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    AUTO_RESTORATION struct restoration restoration = RESTORATION_INIT(&fixture->repository);
    const struct image absent = {.digest = sha256("of another architecture")};
    struct digest digest;
    struct error error = ERROR_INIT;

    fixture->options.accept_sparse = SPARSE_INDEX;
    restoration.restored = ignore;
    digest = push_index(&fixture->repository, &absent, 1, NULL);
    collect_untagged(fixture, &collected);
    assert_returns(0, repository_exists(&fixture->repository, &error));
    assert_returns(1, revision_exists(&fixture->repository, &digest, &error));
    assert_returns(1, repository_exists(&fixture->repository, &error));
    delete_image(fixture, &(struct image){.digest = digest});
    collect(fixture, &collected);
    assert_returns(0, repository_exists(&fixture->repository, &error));
    assert_returns(1, restore_repository(&restoration, &error));
    assert_returns(1, repository_exists(&fixture->repository, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(a_subject_that_is_pushed_again_brings_its_referrers_back),
        IN_STORE(a_tag_whose_subject_comes_back_in_between_stays),
        IN_STORE(what_another_program_s_links_lead_to_stays),
        IN_STORE(what_has_no_digest_as_its_name_is_told_and_left),
        IN_STORE(what_is_behind_a_symbolic_link_costs_nobody_a_blob),
        IN_STORE(what_cannot_be_looked_at_ends_no_run_and_costs_nobody_else_s_room),
        IN_STORE(links_that_cannot_be_looked_at_cost_nobody_a_blob),
        IN_STORE(an_unreadable_link_of_which_the_name_tells_its_blob_keeps_that),
        IN_STORE(an_empty_tag_is_told_and_keeps_what_it_may_have_stood_for),
        IN_STORE(what_a_repository_that_cannot_be_judged_has_in_the_trash_stays_there),
        IN_STORE(a_repository_without_layers_is_seen_when_its_manifest_comes_back),
        IN_STORE(what_comes_back_while_the_trash_is_emptied_comes_back_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
