/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/collecting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/store/blob.h"
#include "lib/store/collect.h"
#include "lib/store/link.h"
#include "lib/store/referrers.h"
#include "lib/store/touch.h"
#include "lib/store/trash.h"
#include "tests/unit/trace.h"

static void delete_manifest(struct fixture *fixture, const struct digest *digest)
{
    struct error error = ERROR_INIT;

    assert_returns(1, repository_delete_manifest(&fixture->repository, digest, NULL, &error));
}

static void delete_tag(struct fixture *fixture, const char *tag)
{
    struct error error = ERROR_INIT;

    assert_returns(1, repository_delete_tag(&fixture->repository, tag, NULL, NULL, &error));
}

static void takes_what_no_manifest_names_and_nobody_has(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct digest lonely = push_blob(&fixture->repository, "lonely");
    struct image image = push(&fixture->repository, "layer", "latest", NULL);
    struct error error = ERROR_INIT;
    struct blob blob;

    collect(fixture, &collected);
    assert_true(has_image(fixture, &image));
    assert_false(has_link(fixture, LINK_LAYER, &lonely));
    assert_false(has_blob(fixture, &lonely));
    assert_true(is_in_trash(fixture, layout_blob(&lonely).text));
    assert_int_equal(collected.report.collected_links, 1);
    assert_int_equal(collected.report.collected_blobs, 1);
    assert_int_equal(collected.report.collected_bytes, 6);
    assert_int_equal(collected.report.blobs, 3);
    assert_int_equal(collected.report.manifests, 1);
    assert_int_equal(collected.report.tags, 1);
    assert_int_equal(collected.report.repositories, 1);
    assert_int_equal(collected.report.problems, 0);
    assert_non_null(strstr(collected.found.data, layout_blob(&lonely).text));
    assert_returns(1, blob_find(&fixture->repository, &lonely, &blob, &error));
    assert_true(has_blob(fixture, &lonely));
}

static void leaves_alone_what_was_touched_within_the_grace(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct digest lonely = push_blob(&fixture->repository, "lonely");
    struct image image = push(&fixture->repository, "layer", NULL, NULL);

    fixture->options.grace = 60;
    collect_untagged(fixture, &collected);
    assert_true(has_link(fixture, LINK_LAYER, &lonely));
    assert_true(has_image(fixture, &image));
    assert_int_equal(collected.found.length, 0);
    fixture->options.grace = 0;
    collect_untagged(fixture, &collected);
    assert_false(has_link(fixture, LINK_LAYER, &lonely));
    assert_false(has_image(fixture, &image));
}

static void only_counts_and_tells_in_a_dry_run(void **state)
{
    struct fixture *fixture = *state;
    static const struct collect_options options = {.trash_days = 7};
    AUTO_COLLECTED struct collected collected = {.report.dry_run = true};
    struct digest lonely = push_blob(&fixture->repository, "lonely");

    fixture->store.only_looks = true;
    collect_with(fixture, &options, &collected);
    fixture->store.only_looks = false;
    assert_true(has_link(fixture, LINK_LAYER, &lonely));
    assert_true(has_blob(fixture, &lonely));
    assert_int_equal(collected.report.collected_links, 1);
    assert_int_equal(collected.report.collected_blobs, 1);
    assert_non_null(strstr(collected.found.data, "no manifest of the repository names this"));
    assert_non_null(strstr(collected.found.data, "no repository has this"));
    assert_false(is_there(fixture->store.root, LAYOUT_TRASH));
}

static void counts_in_a_dry_run_what_the_run_does(void **state)
{
    struct fixture *fixture = *state;
    static const struct collect_options options = {.trash_days = 0};
    AUTO_COLLECTED struct collected dry = {.report = {.dry_run = true, .empty_trash = true}};
    AUTO_COLLECTED struct collected wet = {.report.empty_trash = true};
    struct repository other = repository_named(fixture, "team/other");
    struct image image = push(&fixture->repository, "layer", "latest", NULL);
    struct path copy = layout_trash(TRASH_COLLECTED, layout_blob(&image.layer).text);
    struct digest absent = sha256("absent");

    (void)push_blob(&other, "lonely");
    put_file(fixture->store.root, copy.text, "layer");
    put_file(fixture->store.root, layout_blob(&absent).text, "");
    assert_int_equal(unlinkat(fixture->store.root, layout_blob(&absent).text, 0), 0);
    fixture->store.only_looks = true;
    collect_with(fixture, &options, &dry);
    fixture->store.only_looks = false;
    collect_with(fixture, &options, &wet);
    assert_int_equal(wet.report.removed_repositories, 1);
    assert_int_equal(dry.report.removed_repositories, 1);
    assert_int_equal(wet.report.emptied_files, 1);
    assert_int_equal(dry.report.emptied_files, 1);
    assert_int_equal(dry.report.emptied_bytes, wet.report.emptied_bytes);
    assert_int_equal(dry.report.blobs, wet.report.blobs);
    assert_int_equal(dry.report.bytes, wet.report.bytes);
    assert_int_equal(dry.report.collected_blobs, wet.report.collected_blobs);
    assert_string_equal(dry.found.data, wet.found.data);
}

static void untagged_manifests_stay_unless_they_are_to_go_after_a_time(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct image image = push(&fixture->repository, "old", "latest", NULL);
    struct image next = push(&fixture->repository, "new", "latest", NULL);
    struct image single = push(&fixture->repository, "single", NULL, NULL);

    collect(fixture, &collected);
    assert_true(has_image(fixture, &image) && has_image(fixture, &next));
    collect_untagged(fixture, &collected);
    assert_false(has_image(fixture, &image));
    assert_false(has_image(fixture, &single));
    assert_true(has_image(fixture, &next));
    assert_int_equal(collected.report.collected_manifests, 2);
    /* The clock begins with the tag that went. */
    (void)push(&fixture->repository, "newest", "latest", NULL);
    collect(fixture, &collected);
    assert_true(has_image(fixture, &next));
}

static void children_and_referrers_live_with_what_they_belong_to(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    const struct repository *repository = &fixture->repository;
    struct image children[] = {push(repository, "amd64", NULL, NULL),
                               push(repository, "arm64", NULL, NULL)};
    struct digest index = push_index(repository, children, 2, "latest");
    struct image of_index = push(repository, "signature", NULL, &index);
    struct image of_child = push(repository, "sbom", NULL, &children[1].digest);
    struct image of_that = push(repository, "signature of the sbom", NULL, &of_child.digest);
    const struct image *all[] = {&children[0], &children[1], &of_index, &of_child, &of_that};

    collect_untagged(fixture, &collected);
    assert_int_equal(collected.report.collected_manifests, 0);
    for (size_t i = 0; i < COUNT(all); i++) {
        assert_true(has_image(fixture, all[i]));
    }
    delete_tag(fixture, "latest");
    collect_untagged(fixture, &collected);
    assert_int_equal(collected.report.collected_manifests, 6);
    for (size_t i = 0; i < COUNT(all); i++) {
        assert_false(has_image(fixture, all[i]));
    }
}

static void referrers_go_when_their_subject_was_deleted_and_not_when_it_never_was(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    const struct repository *repository = &fixture->repository;
    struct digest elsewhere = sha256("never here");
    struct image image = push(repository, "layer", "latest", NULL);
    struct image referrer = push(repository, "signature", NULL, &image.digest);
    struct image tagged = push(repository, "tagged signature", "kept", &image.digest);
    struct image early = push(repository, "early", NULL, &elsewhere);
    struct path entry = layout_referrer("team/app", &image.digest, &referrer.digest);

    delete_manifest(fixture, &image.digest);
    collect(fixture, &collected);
    assert_false(has_image(fixture, &referrer));
    assert_true(has_image(fixture, &tagged));
    assert_true(has_image(fixture, &early));
    assert_true(is_there(fixture->store.root, entry.text)); /* for when it comes back */
    collected.report = (struct collect_report){.empty_trash = true};
    collect_with(fixture, &(struct collect_options){.trash_days = 7}, &collected);
    collect(fixture, &collected);
    assert_false(is_there(fixture->store.root, entry.text));
    collect_untagged(fixture, &collected);
    assert_true(has_image(fixture, &early));
}

static void tags_of_cosign_go_with_their_subject(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    const struct repository *repository = &fixture->repository;
    struct image image = push(repository, "layer", "latest", NULL);
    struct image other = push(repository, "other", "other", NULL);
    static const char *const endings[] = {"", ".sig", ".att", ".sbom"};
    struct image signatures[COUNT(endings)];
    struct image of_other;
    char tag[TAG_SIZE];

    for (size_t i = 0; i < COUNT(endings); i++) {
        (void)snprintf(tag, sizeof(tag), "sha256-%s%s", digest_hex(&image.digest), endings[i]);
        signatures[i] = push(repository, tag, tag, NULL);
    }
    (void)snprintf(tag, sizeof(tag), "sha256-%s.sig", digest_hex(&other.digest));
    of_other = push(repository, "signature", tag, NULL);
    collect_untagged(fixture, &collected);
    assert_int_equal(collected.report.collected_manifests + collected.report.collected_tags, 0);
    delete_manifest(fixture, &image.digest);
    collect(fixture, &collected);
    assert_int_equal(collected.report.collected_tags, COUNT(endings));
    for (size_t i = 0; i < COUNT(endings); i++) {
        assert_false(has_image(fixture, &signatures[i]));
    }
    assert_true(has_image(fixture, &of_other) && has_image(fixture, &other));
    assert_int_equal(count_entries(fixture->store.root, layout_tags("team/app").text), 2);
}

static void a_repository_of_which_nothing_is_left_goes(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct repository other = repository_named(fixture, "team/other/deep");
    struct image image = push(&fixture->repository, "layer", "latest", NULL);
    struct digest lonely = push_blob(&other, "lonely");
    struct error error = ERROR_INIT;
    struct blob blob;

    collect(fixture, &collected);
    assert_int_equal(collected.report.removed_repositories, 1);
    assert_false(is_there(fixture->store.root, layout_repository("team/other").text));
    assert_returns(1, blob_find(&other, &lonely, &blob, &error)); /* comes back, directories too */
    delete_manifest(fixture, &image.digest);
    collect(fixture, &collected);
    assert_int_equal(collected.report.removed_repositories, 2);
    assert_false(is_there(fixture->store.root, layout_repository("team").text));
    assert_true(is_there(fixture->store.root, LAYOUT_REPOSITORIES));
    (void)push(&fixture->repository, "layer", "latest", NULL);
}

static void what_cannot_be_read_keeps_its_repository(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct image image = push(&fixture->repository, "layer", "latest", NULL);
    struct digest lonely = push_blob(&fixture->repository, "lonely");
    struct digest foreign = push_blob(&fixture->repository, "foreign");

    put_file(fixture->store.root, layout_link("team/app", LINK_REVISION, &foreign).text,
             foreign.text);
    put_file(fixture->store.root, LAYOUT_BLOBS "/sha256/zz", "");
    collect_untagged(fixture, &collected);
    assert_true(has_image(fixture, &image));
    assert_true(has_link(fixture, LINK_LAYER, &lonely));
    assert_int_equal(collected.report.problems, 3);
    assert_int_equal(collected.report.spared_repositories, 1);
    assert_non_null(strstr(collected.problems.data, "cannot be read"));
    assert_non_null(
        strstr(collected.problems.data, "/team/app: nobody knows what this needs (rep"));
    assert_non_null(strstr(collected.problems.data, "does not belong here"));
    assert_int_equal(unlinkat(fixture->store.root, layout_blob(&image.digest).text, 0), 0);
    collect(fixture, &collected);
    assert_int_equal(collected.report.problems, 4);
    assert_true(has_link(fixture, LINK_LAYER, &image.layer));
    fixture->damaged = true;
}

static void what_is_needed_comes_back_from_the_trash(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct image child = push(&fixture->repository, "layer", NULL, NULL);
    struct digest index = push_index(&fixture->repository, &child, 1, "latest");
    const struct path paths[] = {layout_link("team/app", LINK_REVISION, &index),
                                 layout_link("team/app", LINK_REVISION, &child.digest),
                                 layout_link("team/app", LINK_LAYER, &child.layer),
                                 layout_blob(&index),
                                 layout_blob(&child.digest),
                                 layout_blob(&child.layer)};
    struct error error = ERROR_INIT;

    for (size_t i = 0; i < COUNT(paths); i++) { /* as stale attributes of another host would do */
        assert_returns(1, trash_put(&fixture->store, TRASH_COLLECTED, paths[i].text, &error));
    }
    for (int i = 0; i < 2; i++) {
        collected.report = (struct collect_report){.empty_trash = true};
        collect_with(fixture, &(struct collect_options){.trash_days = 7}, &collected);
        assert_int_equal(collected.report.emptied_files, 0);
    }
    for (size_t i = 0; i < COUNT(paths); i++) {
        assert_true(is_there(fixture->store.root, paths[i].text));
    }
}

static void the_trash_is_emptied_of_what_lay_there_long_enough(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct digest lonely = push_blob(&fixture->repository, "lonely");

    collect(fixture, &collected);
    collect(fixture, &collected);
    assert_int_equal(collected.report.emptied_files, 0);
    assert_true(is_in_trash(fixture, layout_blob(&lonely).text));
    collected.report = (struct collect_report){.empty_trash = true, .dry_run = true};
    collect_with(fixture, &(struct collect_options){.trash_days = 7}, &collected);
    assert_int_equal(collected.report.emptied_files, 2);
    assert_true(is_in_trash(fixture, layout_blob(&lonely).text));
    collected.report = (struct collect_report){.empty_trash = true};
    collect_with(fixture, &(struct collect_options){.trash_days = 7}, &collected);
    assert_int_equal(collected.report.emptied_files, 2);
    assert_int_equal(collected.report.emptied_bytes, 6 + strlen(lonely.text));
    assert_false(is_in_trash(fixture, layout_blob(&lonely).text));
}

/* Between the look at its link and the reading. */
static void delete_in_between(void *context, const char *line)
{
    static bool is_done;
    struct fixture *fixture = context;

    if (!is_done && strstr(line, "openat ") == line && strstr(line, "/revisions/sha256/") &&
        strstr(line, "/link")) {
        is_done = true;
        assert_int_equal(unlinkat(fixture->store.root, strchr(line, ' ') + 1, 0), 0);
    }
}

static void a_manifest_that_is_deleted_meanwhile_is_no_damage(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};

    (void)push(&fixture->repository, "layer", NULL, NULL);
    trace_begin();
    trace_looks();
    trace_hook(delete_in_between, fixture);
    collect(fixture, &collected);
    (void)trace_end();
    assert_string_equal(collected.problems.data ? collected.problems.data : "", "");
    assert_int_equal(collected.report.problems, 0);
}

static void one_is_at_work_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct file_place place = {fixture->store.root, LAYOUT_COLLECT_LOCK};
    struct error error = ERROR_INIT;

    assert_returns(LOCK_TAKEN, lock_take_or_make(&lock, place, LOCK_TRY, &error));
    assert_returns(0, collect_store(&fixture->store, &(struct collect_options){.trash_days = 7},
                                    &collected.report, &error));
}

static void what_is_left_of_a_deleted_tag_goes(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct image image = push(&fixture->repository, "layer", "latest", NULL);

    assert_int_equal(
        unlinkat(fixture->store.root, layout_tag_current("team/app", "latest").text, 0), 0);
    collect(fixture, &collected);
    assert_false(is_there(fixture->store.root, layout_tag("team/app", "latest").text));
    assert_true(has_image(fixture, &image));
}

/* Its link is young, and so is not touched. */
static void one_that_retention_has_untagged_stays_if_it_is_pushed_again(void **state)
{
    struct fixture *fixture = *state;
    struct image pushed = push(&fixture->repository, "pushed", NULL, NULL);
    struct image other = push(&fixture->repository, "other", NULL, NULL);
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};

    fixture->options.grace = 3600;
    put_file(fixture->store.root, layout_retired("team/app", &pushed.digest).text, "");
    put_file(fixture->store.root, layout_retired("team/app", &other.digest).text, "");
    (void)push(&fixture->repository, "pushed", NULL, NULL);
    fixture->options.grace = 0; /* as when it has passed */
    collect(fixture, &collected);
    assert_true(has_image(fixture, &pushed));
    assert_false(has_image(fixture, &other));
}

/* The directory that a thing needs in the trash finds no room. */
static void find_no_room(void *context, const char *line)
{
    const struct path *there = context;

    if (strncmp(line, "mkdirat ", 8) == 0 && strstr(line, there->text)) {
        trace_begin_with_fault(0, ENOSPC);
    }
}

static void what_stays_for_want_of_room_keeps_what_it_names(void **state)
{
    struct fixture *fixture = *state;
    struct image subject = push(&fixture->repository, "subject", NULL, NULL);
    struct image referrer = push(&fixture->repository, "referrer", NULL, &subject.digest);
    struct path link = layout_link("team/app", LINK_REVISION, &referrer.digest);
    struct path there = layout_above(layout_trash(TRASH_COLLECTED, link.text).text);
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};

    delete_manifest(fixture, &subject.digest);
    trace_begin();
    trace_hook(find_no_room, &there);
    collect(fixture, &collected);
    assert_true(trace_end());
    assert_true(collected.report.no_room.count > 0);
    assert_true(has_image(fixture, &referrer));
    collect(fixture, &collected);
    assert_false(has_image(fixture, &referrer));
}

struct families {
    struct fixture *fixture;
    struct image children[6];
    struct digest indexes[6];
    bool is_upside_down;
};

static void assert_no_index_is_without_its_child(void *context, const char *line)
{
    struct families *families = context;
    struct fixture *fixture = families->fixture;

    (void)line;
    for (size_t i = 0; i < COUNT(families->indexes); i++) {
        struct path index = layout_link("team/app", LINK_REVISION, &families->indexes[i]);
        struct path child = layout_link("team/app", LINK_REVISION, &families->children[i].digest);
        bool has_child = is_there(fixture->store.root, child.text);

        if (is_there(fixture->store.root, index.text)) {
            families->is_upside_down |= !has_child;
        } else if (is_in_trash(fixture, index.text)) {
            families->is_upside_down |= !has_child && !is_in_trash(fixture, child.text);
        }
    }
}

/* Whatever their digests are. */
static void an_index_goes_to_the_trash_and_from_there_before_its_children(void **state)
{
    static const struct collect_options at_once = {.trash_days = 0};
    struct fixture *fixture = *state;
    struct families families = {.fixture = fixture};
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    char note[32];

    for (size_t i = 0; i < COUNT(families.indexes); i++) {
        (void)snprintf(note, sizeof(note), "family %zu", i);
        families.children[i] = push(&fixture->repository, note, NULL, NULL);
        families.indexes[i] = push_index(&fixture->repository, &families.children[i], 1, NULL);
    }
    trace_begin();
    trace_hook(assert_no_index_is_without_its_child, &families);
    collect_untagged(fixture, &collected);
    (void)trace_end();
    assert_int_equal(collected.report.collected_manifests, 2 * COUNT(families.indexes));
    assert_false(families.is_upside_down);
    trace_begin();
    trace_hook(assert_no_index_is_without_its_child, &families);
    collect_with(fixture, &at_once, &collected);
    (void)trace_end();
    assert_false(
        is_in_trash(fixture, layout_link("team/app", LINK_REVISION, &families.indexes[0]).text));
    assert_false(families.is_upside_down);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(takes_what_no_manifest_names_and_nobody_has),
        IN_STORE(leaves_alone_what_was_touched_within_the_grace),
        IN_STORE(only_counts_and_tells_in_a_dry_run),
        IN_STORE(counts_in_a_dry_run_what_the_run_does),
        IN_STORE(untagged_manifests_stay_unless_they_are_to_go_after_a_time),
        IN_STORE(children_and_referrers_live_with_what_they_belong_to),
        IN_STORE(referrers_go_when_their_subject_was_deleted_and_not_when_it_never_was),
        IN_STORE(tags_of_cosign_go_with_their_subject),
        IN_STORE(a_repository_of_which_nothing_is_left_goes),
        IN_STORE(what_cannot_be_read_keeps_its_repository),
        IN_STORE(what_is_needed_comes_back_from_the_trash),
        IN_STORE(the_trash_is_emptied_of_what_lay_there_long_enough),
        IN_STORE(a_manifest_that_is_deleted_meanwhile_is_no_damage),
        IN_STORE(one_is_at_work_at_a_time),
        IN_STORE(what_is_left_of_a_deleted_tag_goes),
        IN_STORE(what_stays_for_want_of_room_keeps_what_it_names),
        IN_STORE(an_index_goes_to_the_trash_and_from_there_before_its_children),
        IN_STORE(one_that_retention_has_untagged_stays_if_it_is_pushed_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
