/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/store/blob.h"
#include "lib/store/catalog.h"
#include "lib/store/verify.h"

/* An image under the tag "v1" and what belongs to it. */
struct content {
    struct digest manifest;
    struct digest layer;
    char image[1024];
};

static void collect(void *context, const char *path, const char *what)
{
    buffer_format(context, "%s: %s\n", path, what);
}

/* Looks; `problems` gets them all, one a line. */
static void look(struct fixture *fixture, struct verify_report *report, struct buffer *problems)
{
    struct error error = ERROR_INIT;

    buffer_clear(problems);
    *report = (struct verify_report){.problem = collect,
                                     .context = problems,
                                     .repair = report->repair,
                                     .skip_content = report->skip_content};
    assert_returns(0, verify_store(&fixture->store, report, &error));
}

static void make_content(struct fixture *fixture, struct content *out)
{
    AUTO_BUFFER struct buffer image = BUFFER_INIT;

    fixture->damaged = true;
    make_image(&fixture->repository, "a", &image);
    out->manifest = push_manifest(&fixture->repository, image.data, "v1");
    out->layer = sha256("layer of a");
    (void)snprintf(out->image, sizeof(out->image), "%s", image.data);
}

static void a_good_store_has_no_problems_and_is_counted(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer problems = BUFFER_INIT;
    struct verify_report report = {.repair = true};
    struct content content;

    look(fixture, &report, &problems);
    assert_int_equal(report.blobs + report.bytes + report.manifests + report.tags, 0);
    make_content(fixture, &content);
    (void)push_manifest(&fixture->repository, content.image, "v2");
    look(fixture, &report, &problems);
    assert_string_equal(problems.data, "");
    assert_int_equal(report.problems, 0);
    assert_int_equal(report.blobs, 3);
    assert_int_equal(report.bytes, 2 + 10 + strlen(content.image));
    assert_int_equal(report.manifests, 1);
    assert_int_equal(report.tags, 2);
}

/* What is wrong, what is told of it, and how many problems there are before and after a repair. */
struct damage {
    void (*make)(struct fixture *fixture, const struct content *content);
    const char *told;
    uint64_t problems;
    uint64_t left;
};

static void change_layer(struct fixture *fixture, const struct content *content)
{
    put_file(fixture->store.root, layout_blob(&content->layer).text, "layer of b");
}

static void shorten_layer(struct fixture *fixture, const struct content *content)
{
    put_file(fixture->store.root, layout_blob(&content->layer).text, "");
}

static void remove_layer(struct fixture *fixture, const struct content *content)
{
    assert_int_equal(unlinkat(fixture->store.root, layout_blob(&content->layer).text, 0), 0);
}

static void remove_manifest(struct fixture *fixture, const struct content *content)
{
    assert_int_equal(unlinkat(fixture->store.root, layout_blob(&content->manifest).text, 0), 0);
}

static void empty_layer_link(struct fixture *fixture, const struct content *content)
{
    put_file(fixture->store.root, layout_link("team/app", LINK_LAYER, &content->layer).text, "");
}

static void garble_layer_link(struct fixture *fixture, const struct content *content)
{
    static const char zeroes[5000];

    put_bytes(fixture->store.root, layout_link("team/app", LINK_LAYER, &content->layer).text,
              zeroes, sizeof(zeroes));
}

static void exchange_layer_link(struct fixture *fixture, const struct content *content)
{
    put_file(fixture->store.root, layout_link("team/app", LINK_LAYER, &content->layer).text,
             sha256("{}").text);
}

static void remove_layer_link(struct fixture *fixture, const struct content *content)
{
    struct path path = layout_link("team/app", LINK_LAYER, &content->layer);

    assert_int_equal(unlinkat(fixture->store.root, path.text, 0), 0);
}

static void empty_tag(struct fixture *fixture, const struct content *content)
{
    (void)content;
    put_file(fixture->store.root, layout_tag_current("team/app", "v1").text, "");
}

static void point_tag_elsewhere(struct fixture *fixture, const struct content *content)
{
    put_file(fixture->store.root, layout_tag_current("team/app", "v1").text, content->layer.text);
}

static void remove_revision(struct fixture *fixture, const struct content *content)
{
    struct path path = layout_link("team/app", LINK_REVISION, &content->manifest);

    assert_int_equal(unlinkat(fixture->store.root, path.text, 0), 0);
}

static void add_strays(struct fixture *fixture, const struct content *content)
{
    (void)content;
    put_file(fixture->store.root, LAYOUT_BLOBS "/sha256/ab/one/data", "x");
    put_file(fixture->store.root, LAYOUT_BLOBS "/sha256/ab/two/data", "x");
}

static void add_stray_link(struct fixture *fixture, const struct content *content)
{
    (void)content;
    put_file(fixture->store.root,
             "docker/registry/v2/repositories/team/app/_layers/sha256/stray/link", "x");
}

static void each_damage_is_told_and_repaired_as_far_as_possible(void **state)
{
    static const struct damage rows[] = {
        {change_layer, "the bytes have another digest", 1, 1},
        {shorten_layer, "the bytes have another digest", 1, 1},
        {remove_layer, "a link to a blob that is not there", 2, 1},
        {remove_manifest, "a tag whose manifest is not there", 2, 0},
        {empty_layer_link, "empty, garbled or wrong link", 2, 0},
        {garble_layer_link, "empty, garbled or wrong link", 2, 0},
        {exchange_layer_link, "empty, garbled or wrong link", 2, 0},
        {remove_layer_link, "names content that the repository does not have", 1, 1},
        {empty_tag, "a tag whose manifest is not there", 1, 0},
        {point_tag_elsewhere, "a tag whose manifest is not there", 1, 0},
        {remove_revision, "a tag whose manifest is not there", 1, 0},
        {add_strays, "/sha256/ab/two: this does not belong here", 2, 2},
        {add_stray_link, "no digest as its name", 1, 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUFFER struct buffer problems = BUFFER_INIT;
        struct verify_report report = {.repair = false};
        struct content content;
        void *fresh = NULL;
        struct fixture *own;

        assert_int_equal(store_setup(&fresh), 0);
        own = fresh;
        make_content(own, &content);
        rows[i].make(own, &content);
        look(own, &report, &problems);
        if (report.problems != rows[i].problems || !strstr(problems.data, rows[i].told)) {
            fail_msg("row %zu: %u problems\n%s", i, (unsigned)report.problems, problems.data);
        }
        look(own, &report, &problems);
        assert_int_equal(report.problems, rows[i].problems); /* looking changes nothing */
        report.repair = true;
        look(own, &report, &problems);
        report.repair = false;
        look(own, &report, &problems);
        if (report.problems != rows[i].left) {
            fail_msg("row %zu: %u problems are left\n%s", i, (unsigned)report.problems,
                     problems.data);
        }
        assert_int_equal(store_teardown(&fresh), 0);
    }
}

static void a_damaged_blob_is_moved_aside_and_can_be_pushed_again(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer problems = BUFFER_INIT;
    struct verify_report report = {.repair = true};
    struct content content;
    struct error error = ERROR_INIT;
    struct blob blob;

    make_content(fixture, &content);
    change_layer(fixture, &content);
    look(fixture, &report, &problems);
    assert_file(fixture->store.root, layout_damaged(&content.layer).text, "layer of b");
    assert_returns(0, blob_find(&fixture->repository, &content.layer, &blob, &error));
    (void)push_blob(&fixture->repository, "layer of a");
    report.repair = false;
    look(fixture, &report, &problems);
    assert_string_equal(problems.data, "");
}

static void the_content_may_be_left_unread(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer problems = BUFFER_INIT;
    struct verify_report report = {.skip_content = true};
    struct content content;

    make_content(fixture, &content);
    change_layer(fixture, &content);
    look(fixture, &report, &problems);
    assert_string_equal(problems.data, "");
    assert_int_equal(report.blobs, 3);
}

static void children_of_an_index_have_to_be_there_unless_sparse_ones_are_welcome(void **state)
{
    static const struct {
        enum accept_sparse sparse;
        uint64_t problems;
    } rows[] = {{SPARSE_NO, 1}, {SPARSE_INDEX, 0}, {SPARSE_ALL, 0}};
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer index = BUFFER_INIT;

    fixture->damaged = true;
    buffer_format(&index, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"%s\",\"size\":1}]}",
                  sha256("absent").text);
    (void)push_manifest(&fixture->repository, index.data, "v1");
    for (size_t i = 0; i < COUNT(rows); i++) {
        fixture->options.accept_sparse = rows[i].sparse;
        assert_problems(fixture, rows[i].problems);
    }
}

static void what_another_program_stored_is_left_to_it(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer problems = BUFFER_INIT;
    struct verify_report report = {.repair = true};
    struct digest digest = push_blob(&fixture->repository, "{\"schemaVersion\":1}");

    put_file(fixture->store.root, layout_link("team/app", LINK_REVISION, &digest).text,
             digest.text);
    look(fixture, &report, &problems);
    assert_string_equal(problems.data, "");
    assert_int_equal(report.manifests, 1);
}

/* A crash between making a directory and what goes into it. */
static void directories_without_content_are_no_problem(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = sha256("x");
    struct path blob = layout_blob(&digest);
    struct path link = layout_link("team/app", LINK_LAYER, &digest);
    struct error error = ERROR_INIT;

    assert_returns(0, file_make_parents(fixture->store.root, blob.text, &error));
    assert_returns(0, file_make_parents(fixture->store.root, link.text, &error));
    assert_returns(0, file_make_parents(fixture->store.root,
                                        layout_tag_current("team/app", "v1").text, &error));
    assert_problems(fixture, 0);
}

static void a_repaired_repository_without_manifests_is_not_listed(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer problems = BUFFER_INIT;
    AUTO_NAMES struct names names = NAMES_INIT;
    struct verify_report report = {.repair = true};
    struct catalog_query all = {"", {NULL, 100}};
    struct content content;
    struct error error = ERROR_INIT;

    make_content(fixture, &content);
    remove_manifest(fixture, &content);
    look(fixture, &report, &problems);
    assert_returns(0, catalog_list(&fixture->store, &all, &names, &error));
    assert_int_equal(names.count, 0);
}

static int look_without_permission(struct fixture *fixture)
{
    AUTO_BUFFER struct buffer problems = BUFFER_INIT;
    struct verify_report report = {.problem = collect, .context = &problems};
    struct digest digest = sha256("secret");
    struct error error = ERROR_INIT;

    EXPECT(fchmodat(fixture->store.root, layout_blob(&digest).text, 0, 0) == 0);
    drop_privileges();
    EXPECT(verify_store(&fixture->store, &report, &error) == 0);
    EXPECT(report.problems == 1 && strstr(problems.data, "Permission denied"));
    EXPECT(is_there(fixture->store.root, layout_blob(&digest).text));
    return 0;
}

static void what_cannot_be_read_for_lack_of_permission_is_told_and_left_alone(void **state)
{
    struct fixture *fixture = *state;

    (void)push_blob(&fixture->repository, "secret");
    run_in_child(look_without_permission, fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(a_good_store_has_no_problems_and_is_counted),
        cmocka_unit_test(each_damage_is_told_and_repaired_as_far_as_possible),
        IN_STORE(a_damaged_blob_is_moved_aside_and_can_be_pushed_again),
        IN_STORE(the_content_may_be_left_unread),
        IN_STORE(children_of_an_index_have_to_be_there_unless_sparse_ones_are_welcome),
        IN_STORE(what_another_program_stored_is_left_to_it),
        IN_STORE(directories_without_content_are_no_problem),
        IN_STORE(a_repaired_repository_without_manifests_is_not_listed),
        IN_STORE(what_cannot_be_read_for_lack_of_permission_is_told_and_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
