/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

/* What an operator asks for, see tests/unit/crashing.h. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/directory.h"
#include "lib/store/restore.h"
#include "lib/store/trash.h"
#include "lib/store/verify.h"
#include "tests/unit/collecting.h"
#include "tests/unit/crashing.h"

static struct error error;

static void say_nothing(void *context, const char *one, const char *other)
{
    (void)context;
    (void)one;
    (void)other;
}

/* Wherever it is by now: in its place, or where it comes back from. */
static bool is_kept(struct fixture *fixture, struct path path)
{
    int root = fixture->store.root;

    return is_there(root, path.text) ||
           is_there(root, layout_trash(TRASH_COLLECTED, path.text).text) ||
           is_there(root, layout_trash(TRASH_DELETED, path.text).text);
}

/* All that makes an image is somewhere. */
static bool is_image_kept(struct fixture *fixture, const struct image *image)
{
    return is_kept(fixture, layout_link("team/app", LINK_REVISION, &image->digest)) &&
           is_kept(fixture, layout_link("team/app", LINK_LAYER, &image->layer)) &&
           is_kept(fixture, layout_blob(&image->digest)) &&
           is_kept(fixture, layout_blob(&image->layer));
}

/* The same of its place alone, without asking for it, by which it would come back. */
static bool is_image_whole(struct fixture *fixture, const struct image *image)
{
    return has_link(fixture, LINK_REVISION, &image->digest) &&
           has_link(fixture, LINK_LAYER, &image->layer) && has_blob(fixture, &image->digest) &&
           has_blob(fixture, &image->layer);
}

/* What the operations are about; the same each time. */
static struct {
    struct image kept;
    struct image deleted;
    struct image referrer;
    struct digest garbage;
    struct digest hollow; /* in a repository of its own */
    struct digest twin;   /* of two copies: the one in the trash is good */
    struct digest gone;   /* a link leads to it, and a tag */
} scene;

static void prepare(struct fixture *fixture)
{
    struct repository hollow = repository_named(fixture, "team/hollow");

    scene.kept = push(&fixture->repository, "kept", "v1", NULL);
    scene.deleted = push(&fixture->repository, "deleted", "old", NULL);
    scene.referrer = push(&fixture->repository, "referrer", NULL, &scene.deleted.digest);
    scene.garbage = push_blob(&fixture->repository, "garbage");
    scene.hollow = push_blob(&hollow, "hollow");
    assert_returns(
        1, repository_delete_manifest(&fixture->repository, &scene.deleted.digest, NULL, &error));
}

/* What is to be had back is somewhere, and what is needed is whole. */
static bool is_scene_kept(struct fixture *fixture)
{
    struct digest digest;

    return is_image_kept(fixture, &scene.deleted) && is_image_kept(fixture, &scene.referrer) &&
           is_kept(fixture, layout_tag_current("team/app", "old")) &&
           is_image_whole(fixture, &scene.kept) &&
           tag_get(&fixture->repository, "v1", &digest, &error) > 0 &&
           digest_equal(&digest, &scene.kept.digest);
}

/* Fails if anything was left undone. */
static int run_collect_for(struct fixture *fixture, uint64_t trash_days)
{
    const struct collect_options options = {.trash_days = trash_days};
    AUTO_COLLECTED struct collected collected = {.found = BUFFER_INIT};
    int result = collect_try(fixture, &options, &collected, &error);

    return result > 0 && collected.report.no_room.count + collected.report.problems == 0 ? 0 : -1;
}

static int run_collect(struct fixture *fixture)
{
    return run_collect_for(fixture, 7);
}

/* Whether there is a directory for one thing with nothing in it. */
static bool has_hollow(int root, const char *path)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    bool is_hollow;

    if (directory_list(root, path, &names, &error) <= 0) {
        return false;
    }
    is_hollow = names.count == 0 && file_is_digest_directory(path);
    for (size_t i = 0; i < names.count; i++) {
        is_hollow |= has_hollow(root, layout_below(path, names.names[i]).text);
    }
    if (names.count == 0 && is_hollow) {
        (void)error_set(&error, ERROR_INTERNAL, "'%s' is empty", path);
    }
    return is_hollow;
}

static bool has_remains(struct fixture *fixture)
{
    return has_hollow(fixture->store.root, LAYOUT_REPOSITORIES) ||
           has_hollow(fixture->store.root, LAYOUT_BLOBS) ||
           is_there(fixture->store.root, layout_repository("team/hollow").text);
}

static int state_of_collect(struct fixture *fixture)
{
    if (!is_scene_kept(fixture) || !is_kept(fixture, layout_blob(&scene.garbage))) {
        return -1;
    }
    return !has_link(fixture, LINK_LAYER, &scene.garbage) && !has_blob(fixture, &scene.garbage) &&
           !has_link(fixture, LINK_REVISION, &scene.referrer.digest);
}

/* Everything that can go is in the trash, and of what is needed a part, too. */
static void prepare_trash(struct fixture *fixture)
{
    const struct path needed[] = {layout_link("team/app", LINK_LAYER, &scene.kept.layer),
                                  layout_blob(&scene.kept.layer)};

    prepare(fixture);
    assert_int_equal(run_collect(fixture), 0);
    for (size_t i = 0; i < COUNT(needed); i++) {
        if (trash_put(&fixture->store, TRASH_COLLECTED, needed[i].text, &error) != 1) {
            fail_msg("%s", error.message);
        }
    }
}

static int run_empty(struct fixture *fixture)
{
    return run_collect_for(fixture, 0);
}

static int state_of_empty(struct fixture *fixture)
{
    bool is_gone = !is_kept(fixture, layout_blob(&scene.garbage)) &&
                   !is_kept(fixture, layout_blob(&scene.deleted.layer)) &&
                   !is_kept(fixture, layout_tag_current("team/app", "old"));

    if (!is_image_kept(fixture, &scene.kept)) {
        return -1;
    }
    return is_gone && is_image_whole(fixture, &scene.kept);
}

static void prepare_restore(struct fixture *fixture)
{
    prepare(fixture);
    assert_int_equal(run_collect(fixture), 0);
}

static int run_restore(struct fixture *fixture)
{
    AUTO_RESTORATION struct restoration restoration = RESTORATION_INIT(&fixture->repository);

    restoration.restored = restoration.problem = say_nothing;
    return restore_repository(&restoration, &error) < 0 || restoration.problems > 0 ? -1 : 0;
}

/* A manifest is there when what it names is, and a tag when all behind it is. */
static int state_of_restore(struct fixture *fixture)
{
    bool is_image = is_image_whole(fixture, &scene.deleted);
    bool is_whole = is_image && is_image_whole(fixture, &scene.referrer);
    bool has_tag = is_there(fixture->store.root, layout_tag_current("team/app", "old").text);

    if (!is_image && has_link(fixture, LINK_REVISION, &scene.deleted.digest)) {
        return -1;
    }
    return !is_scene_kept(fixture) || (has_tag && !is_whole) ? -1 : has_tag && is_whole;
}

static void put_obstacle(struct fixture *fixture, struct path path)
{
    (void)unlinkat(fixture->store.root, path.text, 0);
    put_file(fixture->store.root, layout_below(path.text, "below").text, "precious");
}

/* Each of these is in the way of something. */
static struct path obstacle_at(int i)
{
    const struct path paths[] = {
        layout_link("team/app", LINK_LAYER, &scene.deleted.layer),
        layout_link("team/app", LINK_REVISION, &scene.deleted.digest),
        layout_tag_history("team/app", "old", &scene.deleted.digest),
        layout_referrer("team/app", &scene.deleted.digest, &scene.referrer.digest),
        layout_history("team/app", "v1"),
        layout_tag_current("team/app", "lost"),
    };

    return paths[i];
}
enum { OBSTACLES = 6 };

#define TWIN "the good one of two"

static void prepare_damage(struct fixture *fixture)
{
    scene.kept = push(&fixture->repository, "kept", "v1", NULL);
    scene.deleted = push(&fixture->repository, "damaged", "old", NULL);
    scene.referrer = push(&fixture->repository, "referrer", NULL, &scene.deleted.digest);
    scene.garbage = push_blob(&fixture->repository, "garbled");
    scene.hollow = push_blob(&fixture->repository, "hollow");
    for (int i = 0; i < OBSTACLES; i++) {
        put_obstacle(fixture, obstacle_at(i));
    }
    put_file(fixture->store.root, layout_link("team/app", LINK_LAYER, &scene.garbage).text, "");
    put_file(fixture->store.root, layout_blob(&scene.hollow).text, "rotten");
    scene.gone =
        push_manifest(&fixture->repository, "{\"schemaVersion\":2,\"manifests\":[]}", "gone");
    assert_int_equal(unlinkat(fixture->store.root, layout_blob(&scene.gone).text, 0), 0);
    scene.twin = push_blob(&fixture->repository, TWIN);
    put_file(fixture->store.root, layout_trash(TRASH_COLLECTED, layout_blob(&scene.twin).text).text,
             TWIN);
    put_file(fixture->store.root, layout_blob(&scene.twin).text, "rotten");
}

static bool is_twin(struct fixture *fixture, struct path path)
{
    struct stat status;

    return fstatat(fixture->store.root, path.text, &status, 0) == 0 &&
           status.st_size == (off_t)strlen(TWIN);
}

static void note_failure(void *context, const char *path, const char *what)
{
    bool *has_failed = context;

    (void)path;
    *has_failed |= strstr(what, "cannot be looked at") || strstr(what, "cannot be mended") ||
                   strstr(what, "cannot be moved aside");
}

/* Fails if it says that something was left undone. */
static int run_repair(struct fixture *fixture)
{
    bool has_failed = false;
    struct verify_report report = {.problem = note_failure, .context = &has_failed, .repair = true};

    return verify_store(&fixture->store, &report, &error) < 0 || has_failed ? -1 : 0;
}

/* Whether something, or what is below it, is where damaged things are kept. */
static bool is_aside(struct fixture *fixture, struct path path, const char *below)
{
    AUTO_NAMES struct names ids = NAMES_INIT;
    bool found = false;

    assert_true(directory_list(fixture->store.root, LAYOUT_DAMAGED, &ids, &error) >= 0);
    for (size_t i = 0; i < ids.count && !found; i++) {
        struct path moved = layout_damaged_path(ids.names[i], path.text);

        found = is_there(fixture->store.root,
                         below ? layout_below(moved.text, below).text : moved.text);
    }
    return found;
}

static int count_moved(struct fixture *fixture)
{
    int count = 0;

    for (int i = 0; i < OBSTACLES; i++) {
        count += is_aside(fixture, obstacle_at(i), "below");
    }
    return count;
}

/* What leads nowhere can be put back. */
static bool is_gone_kept(struct fixture *fixture)
{
    const struct path paths[] = {layout_link("team/app", LINK_REVISION, &scene.gone),
                                 layout_tag_current("team/app", "gone")};
    bool is_kept = true;

    for (size_t i = 0; i < COUNT(paths); i++) {
        is_kept &=
            is_there(fixture->store.root, paths[i].text) || is_aside(fixture, paths[i], NULL);
    }
    return is_kept;
}

static int state_of_repair(struct fixture *fixture)
{
    struct verify_report report = {.problem = say_nothing};
    struct path rotten = layout_damaged(&scene.hollow);
    struct path twin = layout_blob(&scene.twin);
    int in_place = 0;

    for (int i = 0; i < OBSTACLES; i++) {
        in_place += is_there(fixture->store.root, layout_below(obstacle_at(i).text, "below").text);
    }
    assert_returns(0, verify_store(&fixture->store, &report, &error));
    if (in_place + count_moved(fixture) != OBSTACLES || !is_image_whole(fixture, &scene.kept) ||
        (!is_kept(fixture, layout_blob(&scene.hollow)) &&
         !is_there(fixture->store.root, rotten.text)) ||
        !is_gone_kept(fixture) ||
        (!is_twin(fixture, twin) && !is_twin(fixture, layout_trash(TRASH_COLLECTED, twin.text)))) {
        return -1;
    }
    return is_twin(fixture, twin) && in_place == 0 && report.problems == 0 &&
           is_image_whole(fixture, &scene.deleted) && has_link(fixture, LINK_LAYER, &scene.garbage);
}

static const struct crashing operations[] = {
    {"collecting", prepare, run_collect, state_of_collect, false, has_remains},
    {"emptying the trash", prepare_trash, run_empty, state_of_empty, false, has_remains},
    {"restoring a repository", prepare_restore, run_restore, state_of_restore, false, NULL},
    {"repairing", prepare_damage, run_repair, state_of_repair, true, NULL},
};

static void a_crash_at_any_call_is_made_good_by_the_next_run(void **state)
{
    (void)state;
    crash_everywhere(operations, COUNT(operations), 0, &error);
}

static void an_io_error_at_any_call_is_made_good_by_the_next_run(void **state)
{
    (void)state;
    crash_everywhere(operations, COUNT(operations), EIO, &error);
}

static void a_full_disk_at_any_call_is_made_good_by_the_next_run(void **state)
{
    (void)state;
    crash_everywhere(operations, COUNT(operations), ENOSPC, &error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_at_any_call_is_made_good_by_the_next_run),
        cmocka_unit_test(an_io_error_at_any_call_is_made_good_by_the_next_run),
        cmocka_unit_test(a_full_disk_at_any_call_is_made_good_by_the_next_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
