/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/store/deleted.h"
#include "lib/store/repository.h"
#include "lib/store/restore.h"
#include "lib/store/walk.h"

static void nothing(void *context, const char *kind, const char *name)
{
    (void)context;
    (void)kind;
    (void)name;
}

static int compare_tags(const void *left, const void *right)
{
    return strcmp(((const struct deleted_thing *)left)->tag,
                  ((const struct deleted_thing *)right)->tag);
}

/* What the trash has of a repository, as "manifest, v1, v2, ", whatever came first. */
static void assert_deleted(struct fixture *fixture, const char *name, const char *expected)
{
    struct error error = ERROR_INIT;
    struct store trash = STORE_INIT;
    AUTO_DELETED struct deleted deleted = DELETED_INIT;
    AUTO_BUFFER struct buffer words = BUFFER_INIT;
    struct repository repository = {.store = &trash};

    assert_returns(1, deleted_open(&fixture->store, &trash, &error));
    (void)snprintf(repository.name, sizeof(repository.name), "%s", name);
    assert_returns(0, deleted_list(&repository, &deleted, &error));
    store_close(&trash);
    qsort(deleted.things, deleted.count, sizeof(*deleted.things), compare_tags);
    for (size_t i = 0; i < deleted.count; i++) {
        const struct deleted_thing *thing = &deleted.things[i];

        assert_int_equal(strlen(thing->digest.text), 71);
        assert_true(thing->when > 0);
        buffer_format(&words, "%s, ", *thing->tag ? thing->tag : "manifest");
    }
    assert_string_equal(words.data, expected);
    assert_false(deleted.is_cut);
}

static void there_is_no_tree_before_anything_was_deleted(void **state)
{
    struct fixture *fixture = *state;
    struct store trash = STORE_INIT;
    struct error error = ERROR_INIT;

    assert_returns(0, deleted_open(&fixture->store, &trash, &error));
    assert_int_equal(trash.root, -1);
}

static void tells_what_was_deleted_until_it_is_back(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    AUTO_RESTORATION struct restoration restoration = RESTORATION_INIT(&fixture->repository);
    struct error error = ERROR_INIT;
    struct digest digest;

    restoration.restored = nothing;
    make_image(&fixture->repository, "a", &image);
    digest = push_manifest(&fixture->repository, image.data, "v1");
    (void)push_manifest(&fixture->repository, image.data, "v2");
    assert_returns(1, repository_delete_tag(&fixture->repository, "v2", NULL, NULL, &error));
    assert_deleted(fixture, "team/app", "v2, ");
    assert_deleted(fixture, "team/other", "");
    assert_returns(1, repository_delete_manifest(&fixture->repository, &digest, NULL, &error));
    assert_returns(1, restore_tag(&restoration, "v2", &error));
    assert_deleted(fixture, "team/app", "v1, ");
}

static void a_walk_finds_the_repositories(void **state)
{
    struct fixture *fixture = *state;
    struct repository other = repository_named(fixture, "team/other");
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct store trash = STORE_INIT;
    AUTO_REPOSITORY_WALK struct repository_walk walk = {.store = NULL};
    struct repository found;

    make_image(&fixture->repository, "a", &image);
    (void)push_manifest(&fixture->repository, image.data, "v1");
    make_image(&other, "a", &image);
    assert_returns(1, repository_delete_all(&fixture->repository, NULL, &error));
    assert_returns(1, deleted_open(&fixture->store, &trash, &error));
    walk = repository_walk_begin(&trash, "", NULL);
    assert_returns(WALK_FOUND, repository_walk_next(&walk, &found, &error));
    assert_string_equal(found.name, "team/app");
    assert_returns(WALK_END, repository_walk_next(&walk, &found, &error));
    store_close(&trash);
}

static void assert_no_tag(const struct repository *repository, const char *tag)
{
    struct error error = ERROR_INIT;
    struct digest digest;

    assert_returns(0, tag_get(repository, tag, &digest, &error));
}

static void deleting_all_leaves_nothing_and_touches_no_other_repository(void **state)
{
    struct fixture *fixture = *state;
    struct repository other = repository_named(fixture, "team/other");
    AUTO_BUFFER struct buffer one = BUFFER_INIT;
    AUTO_BUFFER struct buffer two = BUFFER_INIT;
    AUTO_BUFFER struct buffer theirs = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct digest digest;

    assert_returns(0, repository_delete_all(&fixture->repository, NULL, &error));
    make_image(&fixture->repository, "a", &one);
    make_image(&fixture->repository, "b", &two);
    make_image(&other, "a", &theirs);
    (void)push_manifest(&fixture->repository, one.data, "v1");
    digest = push_manifest(&fixture->repository, two.data, "v2");
    (void)push_manifest(&fixture->repository, two.data, "latest");
    (void)push_manifest(&other, theirs.data, "v1");
    assert_returns(1, repository_delete_all(&fixture->repository, NULL, &error));
    assert_no_tag(&fixture->repository, "v1");
    assert_no_tag(&fixture->repository, "latest");
    assert_returns(0, revision_exists(&fixture->repository, &digest, &error));
    assert_returns(1, tag_get(&other, "v1", &digest, &error));
    assert_returns(0, repository_delete_all(&fixture->repository, NULL, &error));
    assert_deleted(fixture, "team/app", "manifest, manifest, latest, v1, v2, ");
}

/* Nothing can be pushed in the middle of it. */
static void deleting_all_waits_for_the_lock(void **state)
{
    struct fixture *fixture = *state;
    struct path path = layout_repository_lock("team/app");
    struct file_place place = {fixture->store.root, path.text};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error error = ERROR_INIT;
    pid_t child;

    assert_returns(LOCK_TAKEN, lock_take_or_make(&lock, place, LOCK_WAIT, &error));
    child = fork_child();
    if (child == 0) {
        lock_release(&lock);
        _exit(repository_delete_all(&fixture->repository, NULL, &error));
    }
    wait_until_blocked(child);
    lock_release(&lock);
    assert_int_equal(wait_for_child(child), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(there_is_no_tree_before_anything_was_deleted),
        IN_STORE(tells_what_was_deleted_until_it_is_back),
        IN_STORE(a_walk_finds_the_repositories),
        IN_STORE(deleting_all_leaves_nothing_and_touches_no_other_repository),
        IN_STORE(deleting_all_waits_for_the_lock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
