/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

/* What stands in a repository where something else should be: told, and out of the way. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/directory.h"
#include "lib/store/pulled.h"
#include "lib/store/put_back.h"
#include "lib/store/referrers.h"
#include "lib/store/restore.h"
#include "lib/store/verify.h"
#include "tests/unit/collecting.h"
#include "tests/unit/trace.h"

/* An image with a tag, and a referrer of it. */
struct scene {
    struct fixture *fixture;
    struct image image;
    struct image referrer;
    struct buffer problems; /* a line each */
    struct verify_report report;
};

static struct error error;

static void note(void *context, const char *path, const char *what)
{
    buffer_format(context, "%s: %s\n", path, what);
}

static void look(struct scene *scene, bool repair)
{
    buffer_clear(&scene->problems);
    scene->report = (struct verify_report){
        .problem = note, .context = &scene->problems, .repair = repair, .skip_content = true};
    assert_returns(0, verify_store(&scene->fixture->store, &scene->report, &error));
}

static struct scene begin(struct fixture *fixture)
{
    struct scene scene = {.fixture = fixture, .problems = BUFFER_INIT};

    scene.image = push(&fixture->repository, "layer", "v1", NULL);
    scene.referrer = push(&fixture->repository, "signature", NULL, &scene.image.digest);
    look(&scene, false);
    assert_int_equal(scene.report.problems, 0);
    return scene;
}

static void scene_release(struct scene *scene)
{
    buffer_release(&scene->problems);
}
#define AUTO_SCENE AUTO(scene_release)

/* What may be in the way. */
enum obstacle { A_DIRECTORY, A_FULL_DIRECTORY, A_PIPE, A_LOOP, A_LINK_TO_NOTHING, OBSTACLES };

static void put_obstacle(const struct scene *scene, const char *path, enum obstacle obstacle)
{
    int root = scene->fixture->store.root;

    (void)unlinkat(root, path, 0);
    assert_returns(0, file_make_parents(root, path, &error));
    switch (obstacle) {
    case A_FULL_DIRECTORY:
        put_file(root, layout_below(path, "below/it").text, "hello");
        break;
    case A_PIPE:
        assert_int_equal(mkfifoat(root, path, 0600), 0);
        break;
    case A_LOOP:
        assert_int_equal(symlinkat(strrchr(path, '/') + 1, root, path), 0);
        break;
    case A_LINK_TO_NOTHING:
        assert_int_equal(symlinkat("nothing", root, path), 0);
        break;
    case A_DIRECTORY:
    case OBSTACLES:
        assert_int_equal(mkdirat(root, path, 0700), 0);
        break;
    }
}

/* How many things were moved to where damaged ones are kept. */
static size_t count_damaged(const struct scene *scene)
{
    return is_there(scene->fixture->store.root, LAYOUT_DAMAGED)
               ? count_entries(scene->fixture->store.root, LAYOUT_DAMAGED)
               : 0;
}

/* Where something stands in the place of a file. */
static void check_obstacle(struct scene *scene, const char *path, enum obstacle obstacle)
{
    put_obstacle(scene, path, obstacle);
    look(scene, false);
    assert_true(scene->report.problems >= 1);
    assert_int_equal(strncmp(scene->problems.data, path, strlen(path)), 0);
    assert_non_null(strstr(scene->problems.data, "'berth check --repair' moves it out"));
    assert_int_equal(count_damaged(scene), 0);
    look(scene, true);
    if (scene->report.problems != 1 || !strstr(scene->problems.data, ": moved to '")) {
        fail_msg("%s", scene->problems.data);
    }
    assert_int_equal(count_damaged(scene), 1);
    look(scene, false);
    assert_string_equal(scene->problems.data, "");
}

/* The n-th of the places; false if there are no more. */
static bool check_obstacle_at(struct fixture *fixture, size_t n, enum obstacle obstacle)
{
    AUTO_SCENE struct scene scene = begin(fixture);
    const struct digest *digest = &scene.image.digest;
    const struct path paths[] = {
        layout_link("team/app", LINK_LAYER, &scene.image.layer),
        layout_link("team/app", LINK_REVISION, digest),
        layout_tag_history("team/app", "v1", digest),
        layout_pulled_tag("team/app", "v1"),
        layout_pulled_digest("team/app", digest),
        layout_history("team/app", "v1"),
        layout_retired("team/app", digest),
        layout_referrer("team/app", digest, &scene.referrer.digest),
        layout_media_type("team/app", digest),
    };

    if (n < COUNT(paths)) {
        check_obstacle(&scene, paths[n].text, obstacle);
    }
    return n + 1 < COUNT(paths);
}

static void what_is_in_place_of_a_file_is_told_and_moved_out_of_the_way(void **state)
{
    bool goes_on = true;

    (void)state;
    for (size_t n = 0; goes_on; n++) {
        for (int obstacle = 0; obstacle < OBSTACLES; obstacle++) {
            void *fresh = NULL;

            (void)store_setup(&fresh);
            goes_on = check_obstacle_at(fresh, n, (enum obstacle)obstacle);
            (void)store_teardown(&fresh);
        }
    }
}

static void what_its_name_tells_is_written_anew(void **state)
{
    AUTO_SCENE struct scene scene = begin(*state);
    struct fixture *fixture = scene.fixture;
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    AUTO_BUFFER struct buffer list = BUFFER_INIT;
    const struct digest *digest = &scene.image.digest;
    struct referrers_query query = {.subject = *digest, .page = {NULL, 10}};
    struct path history = layout_tag_history("team/app", "v1", digest);
    struct pulled pulled;
    struct pulled before;
    struct digest last = {.text = ""};

    put_obstacle(&scene, layout_link("team/app", LINK_LAYER, &scene.image.layer).text, A_DIRECTORY);
    put_obstacle(&scene, layout_link("team/app", LINK_REVISION, digest).text, A_PIPE);
    put_obstacle(&scene, history.text, A_LOOP);
    put_obstacle(&scene, layout_pulled_tag("team/app", "v1").text, A_DIRECTORY);
    set_age(fixture->store.root, layout_pulled_tag("team/app", "v1").text, 5000000);
    put_obstacle(&scene, layout_referrer("team/app", digest, &scene.referrer.digest).text,
                 A_FULL_DIRECTORY);
    assert_returns(0, pulled_read(&fixture->repository, "v1", digest, &before, &error));
    look(&scene, true);
    assert_int_equal(scene.report.problems, 5);
    look(&scene, false);
    assert_string_equal(scene.problems.data, "");
    assert_returns(1, repository_get_manifest(&fixture->repository, "v1", &stored, &error));
    assert_true(has_image(fixture, &scene.image));
    assert_file(fixture->store.root, history.text, digest->text);
    assert_returns(0, referrers_list(&fixture->repository, &query, &list, &last, &error));
    assert_non_null(strstr(list.data, scene.referrer.digest.text));
    assert_returns(0, pulled_read(&fixture->repository, "v1", digest, &pulled, &error));
    assert_int_equal(pulled.last, before.last);
}

/* Some network filesystems cannot exchange names. */
static void where_names_cannot_be_exchanged_one_move_comes_after_the_other(void **state)
{
    AUTO_SCENE struct scene scene = begin(*state);
    struct path path = layout_link("team/app", LINK_LAYER, &scene.image.layer);

    put_obstacle(&scene, path.text, A_FULL_DIRECTORY);
    trace_begin_with_fault(1, EINVAL);
    trace_fault_only("renameat");
    look(&scene, true);
    assert_true(trace_end());
    assert_int_equal(scene.report.problems, 1);
    assert_non_null(strstr(scene.problems.data, ", and written anew\n"));
    assert_int_equal(count_damaged(&scene), 1);
    assert_true(has_image(scene.fixture, &scene.image));
}

static void ignore(void *context, const char *kind, const char *name)
{
    (void)context;
    (void)kind;
    (void)name;
}

static void check_lost_tag(struct scene *scene)
{
    struct fixture *fixture = scene->fixture;
    AUTO_RESTORATION struct restoration restoration = RESTORATION_INIT(&fixture->repository);
    AUTO_BUFFER struct buffer told = BUFFER_INIT;
    struct digest digest;

    buffer_format(&told, "'berth restore team/app:v1@%s'\n", scene->image.digest.text);
    look(scene, true);
    assert_int_equal(scene->report.problems, 1);
    assert_non_null(strstr(scene->problems.data, told.data));
    look(scene, false);
    assert_string_equal(scene->problems.data, "");
    restoration.restored = restoration.problem = ignore;
    assert_returns(1, put_back_tag(&restoration, "v1", &scene->image.digest, &error));
    assert_returns(1, tag_get(&fixture->repository, "v1", &digest, &error));
    assert_true(digest_equal(&digest, &scene->image.digest));
}

/* Nobody but its history knows what a tag was. */
static void what_a_tag_was_is_told_and_it_can_be_put_back(void **state)
{
    static const enum obstacle obstacles[] = {A_DIRECTORY, A_PIPE, A_LOOP, A_LINK_TO_NOTHING};
    AUTO_SCENE struct scene scene = begin(*state);
    struct path path = layout_tag_current("team/app", "v1");
    struct path above = layout_above(path.text);

    for (size_t i = 0; i < COUNT(obstacles); i++) {
        put_obstacle(&scene, path.text, obstacles[i]);
        check_lost_tag(&scene);
    }
    (void)unlinkat(scene.fixture->store.root, path.text, 0);
    (void)unlinkat(scene.fixture->store.root, above.text, AT_REMOVEDIR);
    put_file(scene.fixture->store.root, above.text, "a file");
    check_lost_tag(&scene);
}

/* What may lie behind it, others can reach; nobody moves that away. */
static void a_link_to_no_directory_stays_where_things_may_be_behind_it(void **state)
{
    struct fixture *fixture = *state;
    AUTO_SCENE struct scene scene = begin(fixture);
    struct path layer = layout_link("team/app", LINK_LAYER, &scene.image.layer);
    struct path tag = layout_tag_current("team/app", "v1");
    const struct path paths[] = {layout_layers("team/app"),    layout_above(layer.text),
                                 layout_manifests("team/app"), layout_tags("team/app"),
                                 layout_tag("team/app", "v1"), layout_above(tag.text)};
    const struct path notes[] = {layout_histories("team/app"),
                                 layout_subjects("team/app", DIGEST_SHA256)};
    int root = fixture->store.root;

    fixture->damaged = true;
    for (size_t i = 0; i < COUNT(paths); i++) {
        assert_int_equal(renameat(root, paths[i].text, root, "away"), 0);
        put_obstacle(&scene, paths[i].text, i % 2 ? A_LOOP : A_LINK_TO_NOTHING);
        look(&scene, false);
        assert_non_null(strstr(scene.problems.data, "put the directory that it stands for in its"));
        assert_non_null(strstr(scene.problems.data, paths[i].text));
        look(&scene, true);
        assert_int_equal(unlinkat(root, paths[i].text, 0), 0);
        assert_int_equal(count_damaged(&scene), 0);
        assert_int_equal(renameat(root, "away", root, paths[i].text), 0);
        look(&scene, false);
        assert_string_equal(scene.problems.data, "");
    }
    for (size_t i = 0; i < COUNT(notes); i++) {
        assert_int_equal(renameat(root, notes[i].text, root, "away"), 0);
        put_obstacle(&scene, notes[i].text, i % 2 ? A_LOOP : A_LINK_TO_NOTHING);
        look(&scene, true);
        assert_int_equal(count_damaged(&scene), i + 1);
        assert_int_equal(renameat(root, "away", root, notes[i].text), 0);
    }
}

static void a_link_to_what_should_be_there_is_fine(void **state)
{
    AUTO_SCENE struct scene scene = begin(*state);
    int root = scene.fixture->store.root;
    const struct path paths[] = {layout_tag_current("team/app", "v1"),
                                 layout_history("team/app", "v1"), layout_tag("team/app", "v1")};

    for (size_t i = 0; i < COUNT(paths); i++) {
        AUTO_BUFFER struct buffer target = BUFFER_INIT;

        buffer_format(&target, "%s/%s", scene.fixture->root, "away");
        assert_int_equal(renameat(root, paths[i].text, root, "away"), 0);
        assert_int_equal(symlinkat(target.data, root, paths[i].text), 0);
        look(&scene, true);
        assert_string_equal(scene.problems.data, "");
        assert_int_equal(unlinkat(root, paths[i].text, 0), 0);
        assert_int_equal(renameat(root, "away", root, paths[i].text), 0);
    }
}

static int look_without_permission(struct fixture *fixture)
{
    struct scene scene = {.fixture = fixture, .problems = BUFFER_INIT};
    struct path path = layout_history("team/app", "v1");

    EXPECT(fchmodat(fixture->store.root, path.text, 0, 0) == 0);
    drop_privileges();
    look(&scene, false);
    EXPECT(scene.report.problems == 1);
    EXPECT(strstr(scene.problems.data, "Permission denied") != NULL);
    EXPECT(strstr(scene.problems.data, "does it belong to the workers' user?") != NULL);
    EXPECT(strstr(scene.problems.data, "--repair") == NULL);
    return 0;
}

static void what_may_only_not_be_read_is_told_and_no_damage(void **state)
{
    AUTO_SCENE struct scene scene = begin(*state);

    scene.fixture->damaged = true;
    run_in_child(look_without_permission, scene.fixture);
}

/* Where somebody else has written what should be there between the look and the lock. */
static void push_again(void *context, const char *line)
{
    static bool has_pushed;
    struct scene *scene = context;

    if (!has_pushed && strstr(line, "/v1/current/link")) {
        has_pushed = true;
        (void)unlinkat(scene->fixture->store.root, layout_tag_current("team/app", "v1").text, 0);
        (void)push(&scene->fixture->repository, "layer", "v1", NULL);
    }
}

static void what_was_mended_meanwhile_stays(void **state)
{
    AUTO_SCENE struct scene scene = begin(*state);
    struct digest digest;

    put_obstacle(&scene, layout_tag_current("team/app", "v1").text, A_PIPE);
    trace_begin();
    trace_looks();
    trace_hook(push_again, &scene);
    look(&scene, true);
    (void)trace_end();
    assert_string_equal(scene.problems.data, "");
    assert_int_equal(count_damaged(&scene), 0);
    assert_returns(1, tag_get(&scene.fixture->repository, "v1", &digest, &error));
}

static bool go_no_further(void *context, uint64_t bytes)
{
    unsigned *left = context;

    (void)bytes;
    return *left > 0 && --*left > 0;
}

static void say_nothing(void *context, const char *path, const char *what)
{
    (void)context;
    (void)path;
    (void)what;
}

/* Whether a look is ended that may take so many steps. */
static bool is_ended(struct fixture *fixture, unsigned steps)
{
    struct verify_report report = {
        .problem = say_nothing, .read = go_no_further, .context = &steps, .skip_content = true};

    assert_returns(0, verify_store(&fixture->store, &report, &error));
    return report.is_stopped;
}

static void a_look_can_be_ended_at_any_moment(void **state)
{
    AUTO_SCENE struct scene scene = begin(*state);
    unsigned steps = 1;

    while (is_ended(scene.fixture, steps)) {
        steps++;
    }
    assert_true(steps > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_place_of_a_file_is_told_and_moved_out_of_the_way),
        IN_STORE(what_its_name_tells_is_written_anew),
        IN_STORE(where_names_cannot_be_exchanged_one_move_comes_after_the_other),
        IN_STORE(what_a_tag_was_is_told_and_it_can_be_put_back),
        IN_STORE(a_link_to_no_directory_stays_where_things_may_be_behind_it),
        IN_STORE(a_link_to_what_should_be_there_is_fine),
        IN_STORE(what_may_only_not_be_read_is_told_and_no_damage),
        IN_STORE(what_was_mended_meanwhile_stays),
        IN_STORE(a_look_can_be_ended_at_any_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
