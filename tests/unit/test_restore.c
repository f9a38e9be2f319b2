/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/collecting.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/store/repository.h"
#include "lib/store/restore.h"
#include "lib/store/trash.h"
#include "tests/unit/trace.h"

/* An image, and what cosign has made of it. */
struct signed_image {
    struct digest digest;
    char tag[TAG_SIZE]; /* of its signature */
};

static void ignore(void *context, const char *kind, const char *name)
{
    (void)context;
    (void)kind;
    (void)name;
}

static struct signed_image push_signed(struct fixture *fixture, size_t number)
{
    struct signed_image image;
    char note[32];

    (void)snprintf(note, sizeof(note), "image %zu", number);
    image.digest = push(&fixture->repository, note, NULL, NULL).digest;
    (void)snprintf(image.tag, sizeof(image.tag), "sha256-%s.sig", digest_hex(&image.digest));
    (void)push(&fixture->repository, image.tag, image.tag, NULL);
    return image;
}

static bool has_tag(struct fixture *fixture, const char *tag)
{
    struct digest digest;
    struct error error = ERROR_INIT;
    int found = tag_get(&fixture->repository, tag, &digest, &error);

    assert_true(found >= 0);
    return found > 0;
}

static void delete_image(struct fixture *fixture, const struct digest *digest)
{
    struct error error = ERROR_INIT;

    assert_returns(1, repository_delete_manifest(&fixture->repository, digest, NULL, &error));
}

static void restore_all(struct fixture *fixture)
{
    AUTO_RESTORATION struct restoration restoration = RESTORATION_INIT(&fixture->repository);
    struct error error = ERROR_INIT;

    restoration.restored = ignore;
    restoration.problem = ignore;
    assert_returns(1, restore_repository(&restoration, &error));
    assert_int_equal(restoration.problems, 0);
}

static void a_signature_comes_back_when_its_image_is_pushed_again(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct signed_image one = push_signed(fixture, 1);
    struct signed_image other = push_signed(fixture, 2);

    delete_image(fixture, &one.digest);
    delete_image(fixture, &other.digest);
    collect(fixture, &collected);
    assert_false(has_tag(fixture, one.tag));
    (void)push(&fixture->repository, "image 1", NULL, NULL);
    for (int i = 0; i < 2; i++) {
        collect(fixture, &collected);
        assert_true(has_tag(fixture, one.tag));
        assert_false(has_tag(fixture, other.tag));
        assert_int_equal(collected.report.spared_repositories, 0);
    }
}

/* It comes back for nobody but who restores it. */
static void a_signature_that_was_deleted_stays_so_when_its_image_is_pushed_again(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct signed_image one = push_signed(fixture, 1);
    struct digest signature;
    struct error error = ERROR_INIT;

    assert_returns(1, tag_get(&fixture->repository, one.tag, &signature, &error));
    delete_image(fixture, &one.digest);
    collect(fixture, &collected);
    delete_image(fixture, &signature); /* from where the collector has put it */
    (void)push(&fixture->repository, "image 1", NULL, NULL);
    collect(fixture, &collected);
    assert_false(has_tag(fixture, one.tag));
    assert_false(has_link(fixture, LINK_REVISION, &signature));
    assert_int_equal(collected.report.spared_repositories, 0);
}

/* How often what was collected is listed when so many signed images come back. */
static size_t count_lists(struct fixture *fixture, size_t count)
{
    struct path list = layout_trash(TRASH_COLLECTED, layout_tags("team/app").text);
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct signed_image images[8];
    size_t lists = 0;

    assert_true(count <= COUNT(images));
    for (size_t i = 0; i < count; i++) {
        images[i] = push_signed(fixture, i);
    }
    for (size_t i = 0; i < count; i++) {
        delete_image(fixture, &images[i].digest);
    }
    collect(fixture, &collected);
    assert_int_equal(collected.report.collected_tags, count);
    trace_begin();
    trace_looks();
    restore_all(fixture);
    (void)trace_end();
    for (size_t i = 0; (i = trace_find("openat ", list.text, i)) != SIZE_MAX; i++) {
        lists++;
    }
    for (size_t i = 0; i < count; i++) {
        assert_true(has_tag(fixture, images[i].tag));
    }
    return lists;
}

static void many_signed_images_cost_no_more_lists_than_few(void **state)
{
    struct fixture *fixture = *state;
    size_t lists = count_lists(fixture, 1);

    assert_int_equal(count_lists(fixture, 8), lists);
}

/* What a collector takes at the moment before an image is back. */
struct latecomer {
    struct fixture *fixture;
    struct path back; /* the image's link in the trash */
    struct path tag;
    bool is_taken;
};

static void take_late(void *context, const char *line)
{
    struct latecomer *latecomer = context;
    struct error error = ERROR_INIT;

    if (!latecomer->is_taken && strncmp(line, "renameat ", 9) == 0 &&
        strstr(line, latecomer->back.text)) {
        latecomer->is_taken = true;
        assert_returns(
            1, trash_put(&latecomer->fixture->store, TRASH_COLLECTED, latecomer->tag.text, &error));
    }
}

static void a_signature_that_is_collected_meanwhile_comes_back(void **state)
{
    struct fixture *fixture = *state;
    struct signed_image one = push_signed(fixture, 1);
    struct signed_image other = push_signed(fixture, 2);
    struct signed_image last = strcmp(one.digest.text, other.digest.text) < 0 ? other : one;
    struct latecomer latecomer = {
        .fixture = fixture,
        .back =
            layout_trash(TRASH_DELETED, layout_link("team/app", LINK_REVISION, &last.digest).text),
        .tag = layout_tag_current("team/app", last.tag),
    };

    delete_image(fixture, &one.digest);
    delete_image(fixture, &other.digest);
    trace_begin();
    trace_hook(take_late, &latecomer);
    restore_all(fixture);
    (void)trace_end();
    assert_true(latecomer.is_taken);
    assert_true(has_tag(fixture, last.tag));
}

/* Somebody who restores an image when the first of what was collected is removed from the trash. */
struct in_haste {
    struct fixture *fixture;
    struct image image;
    int found;
    bool is_done;
};

static void restore_in_haste(void *context, const char *line)
{
    struct in_haste *one = context;
    AUTO_RESTORATION struct restoration restoration = RESTORATION_INIT(&one->fixture->repository);
    struct error error = ERROR_INIT;

    if (one->is_done || strncmp(line, "unlinkat ", 9) != 0 ||
        is_in_trash(one->fixture, layout_link("team/app", LINK_LAYER, &one->image.layer).text)) {
        return;
    }
    one->is_done = true;
    restoration.restored = ignore;
    restoration.problem = ignore;
    one->found = restore_manifest(&restoration, &one->image.digest, &error);
}

static void an_image_goes_from_the_trash_before_its_layers(void **state)
{
    static const struct collect_options at_once = {.trash_days = 0};
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    struct in_haste one = {
        .fixture = fixture, .image = push(&fixture->repository, "layer", "v1", NULL), .found = -1};

    delete_image(fixture, &one.image.digest);
    collect(fixture, &collected);
    assert_true(is_in_trash(fixture, layout_link("team/app", LINK_LAYER, &one.image.layer).text));
    trace_begin();
    trace_hook(restore_in_haste, &one);
    collect_with(fixture, &at_once, &collected);
    (void)trace_end();
    assert_true(one.is_done);
    assert_int_equal(one.found, 0);
    assert_false(has_image(fixture, &one.image));
}

struct family {
    struct fixture *fixture;
    struct image child;
    struct digest index;
};

static void assert_nothing_is_back_before_what_it_names(void *context, const char *line)
{
    struct family *family = context;
    struct fixture *fixture = family->fixture;

    (void)line;
    if (has_link(fixture, LINK_REVISION, &family->index)) {
        assert_true(has_link(fixture, LINK_REVISION, &family->child.digest));
    }
    if (has_link(fixture, LINK_REVISION, &family->child.digest)) {
        assert_true(has_link(fixture, LINK_LAYER, &family->child.layer));
        assert_true(has_blob(fixture, &family->child.layer));
    }
}

/* Whatever each of them was deleted by. */
static void a_manifest_comes_back_after_what_it_names(void **state)
{
    struct fixture *fixture = *state;
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    AUTO_RESTORATION struct restoration restoration = RESTORATION_INIT(&fixture->repository);
    struct error error = ERROR_INIT;
    struct family family = {.fixture = fixture,
                            .child = push(&fixture->repository, "layer", NULL, NULL)};

    family.index = push_index(&fixture->repository, &family.child, 1, "v1");
    delete_image(fixture, &family.index);
    delete_image(fixture, &family.child.digest);
    assert_returns(1, repository_delete_blob(&fixture->repository, &family.child.layer, &error));
    collect(fixture, &collected);
    trace_begin();
    trace_hook(assert_nothing_is_back_before_what_it_names, &family);
    restoration.restored = ignore;
    restoration.problem = ignore;
    assert_returns(1, restore_manifest(&restoration, &family.index, &error));
    (void)trace_end();
    assert_int_equal(restoration.problems, 0);
    assert_true(has_tag(fixture, "v1"));
    assert_true(has_image(fixture, &family.child));
}

/* Somebody who deletes a manifest as soon as it is back. */
static void delete_again(void *context, const char *kind, const char *name)
{
    struct fixture *fixture = context;
    struct digest digest;
    struct error error = ERROR_INIT;

    if (strcmp(kind, "manifest") == 0) {
        assert_returns(0, digest_parse(&digest, name, &error));
        delete_image(fixture, &digest);
    }
}

static void a_tag_stays_away_if_its_manifest_is_deleted_again(void **state)
{
    struct fixture *fixture = *state;
    struct image image = push(&fixture->repository, "layer", "v1", NULL);
    AUTO_RESTORATION struct restoration restoration = RESTORATION_INIT(&fixture->repository);
    struct error error = ERROR_INIT;

    delete_image(fixture, &image.digest);
    restoration.restored = delete_again;
    restoration.problem = ignore;
    restoration.context = fixture;
    assert_returns(1, restore_manifest(&restoration, &image.digest, &error));
    assert_false(has_tag(fixture, "v1"));
    assert_int_equal(restoration.problems, 1);
    restore_all(fixture);
    assert_true(has_tag(fixture, "v1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(a_signature_comes_back_when_its_image_is_pushed_again),
        IN_STORE(a_signature_that_was_deleted_stays_so_when_its_image_is_pushed_again),
        IN_STORE(a_manifest_comes_back_after_what_it_names),
        IN_STORE(a_tag_stays_away_if_its_manifest_is_deleted_again),
        IN_STORE(an_image_goes_from_the_trash_before_its_layers),
        IN_STORE(many_signed_images_cost_no_more_lists_than_few),
        IN_STORE(a_signature_that_is_collected_meanwhile_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
