/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/store/blob.h"
#include "lib/store/catalog.h"
#include "lib/store/tag.h"
#include "lib/store/trash.h"
#include "lib/store/verify.h"
#include "tests/unit/trace.h"

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

/* Where the collector puts the layer. */
static struct path trash_of_layer(const struct content *content)
{
    return layout_trash(TRASH_COLLECTED, layout_blob(&content->layer).text);
}

static void a_good_copy_in_the_trash_takes_the_place_of_a_damaged_blob(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer problems = BUFFER_INIT;
    struct verify_report report = {.repair = true};
    struct content content;

    make_content(fixture, &content);
    change_layer(fixture, &content);
    put_file(fixture->store.root, trash_of_layer(&content).text, "layer of a");
    look(fixture, &report, &problems);
    assert_int_equal(report.problems, 1);
    assert_non_null(strstr(problems.data, "good copy"));
    assert_int_equal(report.hurt_tags, 0);
    assert_file(fixture->store.root, layout_blob(&content.layer).text, "layer of a");
    assert_false(is_there(fixture->store.root, trash_of_layer(&content).text));
    assert_problems(fixture, 0);
}

/* As a crash leaves it where to come back is a second name, and the end of the first. */
static void a_damaged_blob_of_two_names_is_moved_aside_under_both(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer problems = BUFFER_INIT;
    struct verify_report report = {.repair = true};
    struct content content;
    struct error error = ERROR_INIT;
    struct path blob;

    make_content(fixture, &content);
    blob = layout_blob(&content.layer);
    change_layer(fixture, &content);
    assert_returns(0,
                   file_make_parents(fixture->store.root, trash_of_layer(&content).text, &error));
    assert_int_equal(linkat(fixture->store.root, blob.text, fixture->store.root,
                            trash_of_layer(&content).text, 0),
                     0);
    look(fixture, &report, &problems);
    assert_file(fixture->store.root, layout_damaged(&content.layer).text, "layer of b");
    assert_false(is_there(fixture->store.root, blob.text));
    assert_false(is_there(fixture->store.root, trash_of_layer(&content).text));
}

/* Repairs while reading fails: once, or always. */
static void repair_amid(struct fixture *fixture, int number, bool lasts, struct buffer *problems)
{
    struct verify_report report = {.repair = true};

    (void)push_blob(&fixture->repository, "content");
    trace_begin_with_fault(0, number);
    trace_fault_only("pread");
    if (lasts) {
        trace_fault_lasts();
    }
    look(fixture, &report, problems);
    assert_true(trace_end());
}

static void a_read_error_that_passes_is_no_damage(void **state)
{
    static const int numbers[] = {EIO, ESTALE};
    struct fixture *fixture = *state;
    struct digest digest = sha256("content");
    AUTO_BUFFER struct buffer problems = BUFFER_INIT;

    for (size_t i = 0; i < COUNT(numbers); i++) {
        repair_amid(fixture, numbers[i], false, &problems);
        assert_string_equal(problems.data, "");
        assert_file(fixture->store.root, layout_blob(&digest).text, "content");
    }
}

static void what_the_disk_does_not_give_back_is_moved_aside(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = sha256("content");
    AUTO_BUFFER struct buffer problems = BUFFER_INIT;

    fixture->damaged = true;
    repair_amid(fixture, EIO, true, &problems);
    assert_non_null(strstr(problems.data, "Input/output error"));
    assert_file(fixture->store.root, layout_damaged(&digest).text, "content");
}

/* A server that is away, or a network: an outage would empty the store. */
static void what_a_network_filesystem_does_not_give_back_is_told_and_stays(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = sha256("content");
    AUTO_BUFFER struct buffer problems = BUFFER_INIT;

    trace_far(true);
    repair_amid(fixture, EIO, true, &problems);
    trace_far(false);
    assert_non_null(strstr(problems.data, "Input/output error"));
    assert_file(fixture->store.root, layout_blob(&digest).text, "content");
    assert_problems(fixture, 0);
}

static void links_that_a_network_filesystem_does_not_give_back_are_told_and_stay(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer problems = BUFFER_INIT;
    struct verify_report report = {.repair = true, .skip_content = true};
    struct content content;
    struct digest digest;
    struct error error = ERROR_INIT;

    make_content(fixture, &content);
    trace_far(true);
    trace_begin_with_fault(0, EIO);
    trace_fault_only("pread");
    trace_fault_lasts();
    look(fixture, &report, &problems);
    assert_true(trace_end());
    trace_far(false);
    assert_non_null(strstr(problems.data, "Input/output error"));
    assert_returns(1, tag_get(&fixture->repository, "v1", &digest, &error));
    assert_problems(fixture, 0);
}

/* A directory that stands where a blob belongs keeps it from being pushed. */
static void a_directory_in_place_of_a_blob_is_moved_out_of_the_way(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer problems = BUFFER_INIT;
    struct verify_report report = {.skip_content = true};
    struct content content;
    struct path blob;

    make_content(fixture, &content);
    blob = layout_blob(&content.layer);
    assert_int_equal(unlinkat(fixture->store.root, blob.text, 0), 0);
    put_file(fixture->store.root, layout_below(blob.text, "below").text, "precious");
    look(fixture, &report, &problems);
    assert_non_null(strstr(problems.data, "/data: this should be a file"));
    assert_true(is_there(fixture->store.root, layout_below(blob.text, "below").text));
    put_file(fixture->store.root, trash_of_layer(&content).text, "layer of a");
    report.repair = true;
    look(fixture, &report, &problems);
    assert_non_null(strstr(problems.data, "moved to '" LAYOUT_DAMAGED));
    assert_int_equal(report.hurt_tags, 0);
    assert_file(fixture->store.root, blob.text, "layer of a");
    (void)push_blob(&fixture->repository, "layer of a");
    assert_problems(fixture, 0);
}

/* Moves what was "moved to" back to the path that is told with it. How many. */
static size_t undo(struct fixture *fixture, const struct buffer *problems)
{
    static const char moved[] = "moved to '";
    AUTO_BUFFER struct buffer lines = BUFFER_INIT;
    struct error error = ERROR_INIT;
    size_t count = 0;
    char *line;

    buffer_add_text(&lines, problems->data);
    for (char *next = lines.data; (line = strsep(&next, "\n"));) {
        char *aside = strstr(line, moved);

        if (aside) {
            aside += strlen(moved);
            *strchr(aside, '\'') = '\0';
            *strchr(line, ':') = '\0';
            assert_returns(0, file_publish((struct file_place){fixture->store.root, aside},
                                           (struct file_place){fixture->store.root, line}, &error));
            count++;
        }
    }
    return count;
}

/* A disk that was not mounted, say, or what another host has written and is not seen here yet. */
static void what_leads_nowhere_can_be_put_back_when_the_blobs_are_there_again(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer problems = BUFFER_INIT;
    struct verify_report report = {.repair = true};
    struct content content;
    struct digest digest;
    struct error error = ERROR_INIT;

    make_content(fixture, &content);
    assert_int_equal(renameat(fixture->store.root, LAYOUT_BLOBS, fixture->store.root, "elsewhere"),
                     0);
    look(fixture, &report, &problems);
    assert_int_equal(report.problems, 4);
    assert_returns(0, tag_get(&fixture->repository, "v1", &digest, &error));
    assert_int_equal(renameat(fixture->store.root, "elsewhere", fixture->store.root, LAYOUT_BLOBS),
                     0);
    assert_int_equal(undo(fixture, &problems), 4);
    assert_returns(1, tag_get(&fixture->repository, "v1", &digest, &error));
    assert_problems(fixture, 0);
    fixture->damaged = false;
}

static void what_was_collected_stays_where_it_is(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer problems = BUFFER_INIT;
    struct content content;
    struct path places[2];

    make_content(fixture, &content);
    places[0] = layout_link("team/app", LINK_REVISION, &content.manifest);
    places[1] = layout_link("team/app", LINK_LAYER, &content.layer);
    empty_tag(fixture, &content);
    for (size_t i = 0; i < COUNT(places); i++) {
        struct path kept = layout_trash(TRASH_COLLECTED, places[i].text);
        struct error error = ERROR_INIT;

        assert_returns(0,
                       file_publish((struct file_place){fixture->store.root, places[i].text},
                                    (struct file_place){fixture->store.root, kept.text}, &error));
    }
    for (int repair = 0; repair < 2; repair++) {
        struct verify_report report = {.repair = repair > 0};

        look(fixture, &report, &problems);
        assert_int_equal(report.problems, 1); /* the tag's */
        assert_false(is_there(fixture->store.root, places[0].text));
        assert_false(is_there(fixture->store.root, places[1].text));
    }
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
        IN_STORE(a_good_copy_in_the_trash_takes_the_place_of_a_damaged_blob),
        IN_STORE(a_damaged_blob_of_two_names_is_moved_aside_under_both),
        IN_STORE(a_read_error_that_passes_is_no_damage),
        IN_STORE(what_the_disk_does_not_give_back_is_moved_aside),
        IN_STORE(what_a_network_filesystem_does_not_give_back_is_told_and_stays),
        IN_STORE(links_that_a_network_filesystem_does_not_give_back_are_told_and_stay),
        IN_STORE(a_directory_in_place_of_a_blob_is_moved_out_of_the_way),
        IN_STORE(what_leads_nowhere_can_be_put_back_when_the_blobs_are_there_again),
        IN_STORE(what_was_collected_stays_where_it_is),
        IN_STORE(the_content_may_be_left_unread),
        IN_STORE(children_of_an_index_have_to_be_there_unless_sparse_ones_are_welcome),
        IN_STORE(what_another_program_stored_is_left_to_it),
        IN_STORE(directories_without_content_are_no_problem),
        IN_STORE(a_repaired_repository_without_manifests_is_not_listed),
        IN_STORE(what_cannot_be_read_for_lack_of_permission_is_told_and_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
