/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/directory.h"
#include "lib/store/repository.h"
#include "lib/store/tag.h"
#include "tests/unit/trace.h"

/* Tags of manifests that are not there: verify_store() would say so. */
static void set(struct fixture *fixture, const char *tag, const char *content)
{
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
    AUTO_REPOSITORY_LOCK struct repository_lock lock = hold_lock(fixture);
    struct digest digest = sha256(content);
    struct tag_change change = {.tag = tag, .to = &digest};
    struct error error = ERROR_INIT;

    fixture->damaged = true;
    assert_returns(0, tag_judge(&lock, &change, &error));
    assert_returns(0, tag_set(&change, &syncs, &error));
    assert_returns(0, sync_set_flush(&syncs, &error));
    tag_note(&change, HISTORY_PUSHED);
}

static void stands_for_the_last_digest_that_was_set(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = sha256("untouched");
    struct repository other = repository_named(fixture, "team/app2");
    struct error error = ERROR_INIT;

    assert_returns(0, tag_get(&fixture->repository, "v1", &digest, &error));
    assert_string_equal(digest.text, sha256("untouched").text);
    set(fixture, "v1", "first");
    assert_returns(1, tag_get(&fixture->repository, "v1", &digest, &error));
    assert_string_equal(digest.text, sha256("first").text);
    set(fixture, "v1", "second");
    assert_returns(1, tag_get(&fixture->repository, "v1", &digest, &error));
    assert_string_equal(digest.text, sha256("second").text);
    assert_returns(0, tag_get(&fixture->repository, "V1", &digest, &error));
    assert_returns(0, tag_get(&other, "v1", &digest, &error));
}

static void remembers_every_digest_as_distribution_does(void **state)
{
    struct fixture *fixture = *state;
    struct digest first = sha256("first");
    struct digest second = sha256("second");

    set(fixture, "v1", "first");
    set(fixture, "v1", "second");
    assert_file(fixture->store.root, layout_tag_current("team/app", "v1").text, second.text);
    assert_file(fixture->store.root, layout_tag_history("team/app", "v1", &first).text, first.text);
    assert_file(fixture->store.root, layout_tag_history("team/app", "v1", &second).text,
                second.text);
}

/* A full disk, or a power cut. */
static void a_note_of_the_past_that_is_written_again_is_never_empty(void **state)
{
    struct fixture *fixture = *state;
    AUTO_REPOSITORY_LOCK struct repository_lock lock = hold_lock(fixture);
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
    struct digest first = sha256("first");
    struct path note = layout_tag_history("team/app", "v1", &first);
    struct tag_change change = {.tag = "v1", .to = &first};
    struct error error = ERROR_INIT;

    repository_lock_release(&lock);
    set(fixture, "v1", "first");
    assert_returns(0, repository_lock(&fixture->repository, &lock, &error));
    assert_returns(0, tag_judge(&lock, &change, &error));
    trace_begin_with_fault(0, ENOSPC);
    trace_fault_only("pwrite");
    assert_fails(ERROR_NO_SPACE, tag_set(&change, &syncs, &error));
    assert_true(trace_end());
    assert_file(fixture->store.root, note.text, first.text);
    put_file(fixture->store.root, note.text,
             "sha256: something that is longer than any digest is, "
             "as far as that can be, of somebody's hand");
    assert_returns(0, tag_set(&change, &syncs, &error));
    assert_file(fixture->store.root, note.text, first.text);
}

static void the_history_comes_before_the_tag(void **state)
{
    struct fixture *fixture = *state;
    size_t history;
    size_t current;

    trace_begin();
    set(fixture, "v1", "first");
    (void)trace_end();
    history = trace_find("pwrite ", "/link", 0);
    current = trace_find("renameat ", "/current/link", 0);
    assert_true(history < current && current != SIZE_MAX);
    assert_true(trace_find("fsync ", "/tags/v1/current", current) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/tags/v1", current) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/tags", current) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/_manifests", current) != SIZE_MAX);
}

static int delete_tag(struct fixture *fixture, const char *tag, struct sync_set *syncs,
                      struct error *error)
{
    AUTO_REPOSITORY_LOCK struct repository_lock lock = hold_lock(fixture);
    struct tag_change change = {.tag = tag};

    return tag_judge(&lock, &change, error) < 0 ? -1 : tag_delete(&change, syncs, error);
}

static void a_deleted_one_takes_its_history_along(void **state)
{
    struct fixture *fixture = *state;
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
    struct digest digest;
    struct error error = ERROR_INIT;

    set(fixture, "v1", "first");
    set(fixture, "v1", "second");
    set(fixture, "v2", "first");
    assert_returns(1, delete_tag(fixture, "v1", &syncs, &error));
    trace_begin();
    assert_returns(0, sync_set_flush(&syncs, &error));
    (void)trace_end();
    assert_true(trace_find("fsync ", "/tags", 0) != SIZE_MAX);
    assert_returns(0, tag_get(&fixture->repository, "v1", &digest, &error));
    assert_false(is_there(fixture->store.root, layout_tag("team/app", "v1").text));
    assert_returns(1, tag_get(&fixture->repository, "v2", &digest, &error));
    assert_returns(0, delete_tag(fixture, "v1", &syncs, &error));
    assert_int_equal(count_entries(fixture->store.temporary, "pieces"), 0);
}

/* How many calls change the disk when a tag goes that has stood for so many digests. */
static size_t count_deletion(struct fixture *fixture, size_t digests)
{
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(-1);
    struct error error = ERROR_INIT;

    for (size_t i = 0; i < digests; i++) {
        char content[16];

        (void)snprintf(content, sizeof(content), "%zu", i);
        set(fixture, "v1", content);
    }
    trace_begin();
    assert_returns(1, delete_tag(fixture, "v1", &syncs, &error));
    (void)trace_end();
    assert_int_equal(directory_remove(fixture->store.root, LAYOUT_TRASH, &error), 0);
    return trace_count();
}

static void a_deleted_one_costs_the_same_whatever_it_has_stood_for(void **state)
{
    struct fixture *fixture = *state;
    size_t one = count_deletion(fixture, 1);

    assert_int_equal(count_deletion(fixture, 20), one);
}

/* Whether the directory of what a tag has stood for is moved as a whole when that is deleted. */
static bool is_moved_whole(struct fixture *fixture, const char *tag)
{
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(-1);
    struct path deleted = layout_trash(TRASH_DELETED, layout_tag_index("team/app", tag).text);
    struct error error = ERROR_INIT;

    trace_begin();
    assert_returns(1, delete_tag(fixture, tag, &syncs, &error));
    (void)trace_end();
    assert_false(is_there(fixture->store.root, layout_tag("team/app", tag).text));
    return trace_find("renameat ", deleted.text, 0) != SIZE_MAX;
}

static bool is_in_deleted_index(struct fixture *fixture, const char *tag, const char *content)
{
    struct digest digest = sha256(content);

    return is_there(
        fixture->store.root,
        layout_trash(TRASH_DELETED, layout_tag_history("team/app", tag, &digest).text).text);
}

static void what_it_has_stood_for_joins_what_was_deleted_before(void **state)
{
    struct fixture *fixture = *state;

    set(fixture, "v1", "first");
    assert_true(is_moved_whole(fixture, "v1"));
    set(fixture, "v1", "second");
    (void)is_moved_whole(fixture, "v1");
    assert_true(is_in_deleted_index(fixture, "v1", "first"));
    assert_true(is_in_deleted_index(fixture, "v1", "second"));
}

static void where_another_host_may_know_a_directory_only_files_move(void **state)
{
    struct fixture *fixture = *state;
    bool was_whole;

    set(fixture, "v1", "first");
    set(fixture, "v1", "second");
    trace_far(true);
    was_whole = is_moved_whole(fixture, "v1");
    trace_far(false);
    assert_false(was_whole);
    assert_true(is_in_deleted_index(fixture, "v1", "first"));
    assert_true(is_in_deleted_index(fixture, "v1", "second"));
}

/* May "v1" become this, or go? */
static int judge(struct fixture *fixture, const char *tag, const char *to,
                 const struct actor *actor, struct error *error)
{
    AUTO_REPOSITORY_LOCK struct repository_lock lock = hold_lock(fixture);
    struct digest digest = sha256(to ? to : "");
    struct tag_change change = {.tag = tag, .to = to ? &digest : NULL, .actor = actor};

    return tag_judge(&lock, &change, error);
}

static void an_immutable_one_stays_what_it_is(void **state)
{
    static const struct actor host = {.forces = true};
    static const struct actor newcomer = {.moves_none = true};
    struct fixture *fixture = *state;
    char *patterns[] = {TEXT("v*"), TEXT("!v*-rc"), TEXT("release-1")};
    struct error error = ERROR_INIT;

    set(fixture, "v1", "first");
    set(fixture, "v1-rc", "first");
    set(fixture, "latest", "first");
    fixture->options.immutable_tags = (struct names){.names = patterns, .count = COUNT(patterns)};
    assert_fails(ERROR_TAG_IMMUTABLE, judge(fixture, "v1", "second", NULL, &error));
    assert_non_null(strstr(error.message, "cannot be overwritten because the tag is immutable"));
    assert_non_null(strstr(error.message, "The repository has enabled tag immutability"));
    assert_fails(ERROR_TAG_IMMUTABLE, judge(fixture, "v1", NULL, NULL, &error));
    assert_fails(ERROR_TAG_IMMUTABLE, judge(fixture, "v1", "second", &newcomer, &error));
    assert_returns(0, judge(fixture, "v1", "first", &newcomer, &error));
    assert_returns(0, judge(fixture, "v1", "second", &host, &error));
    assert_returns(0, judge(fixture, "v1", NULL, &host, &error));
    assert_returns(0, judge(fixture, "v2", "second", NULL, &error));
    assert_returns(0, judge(fixture, "v2", NULL, NULL, &error));
    assert_returns(0, judge(fixture, "v1-rc", "second", NULL, &error));
    assert_returns(0, judge(fixture, "latest", "second", NULL, &error));
    assert_fails(ERROR_DENIED, judge(fixture, "latest", "second", &newcomer, &error));
    assert_returns(0, judge(fixture, "latest", NULL, &newcomer, &error));
}

static void nothing_changes_unjudged(void **state)
{
    struct fixture *fixture = *state;
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
    struct digest digest = sha256("first");
    const struct tag_change change = {.tag = "v1", .to = &digest};
    struct error error = ERROR_INIT;

    assert_fails(ERROR_INTERNAL, tag_set(&change, &syncs, &error));
    assert_fails(ERROR_INTERNAL, tag_delete(&change, &syncs, &error));
}

static void a_garbled_one_is_none_and_can_be_set_again(void **state)
{
    struct fixture *fixture = *state;
    AUTO_NAMES struct names names = NAMES_INIT;
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
    struct page all = {NULL, 100};
    struct digest digest;
    struct error error = ERROR_INIT;

    set(fixture, "v1", "first");
    put_file(fixture->store.root, layout_tag_current("team/app", "v1").text, "");
    assert_returns(0, tag_get(&fixture->repository, "v1", &digest, &error));
    assert_returns(0, tag_list(&fixture->repository, &all, &names, &error));
    assert_int_equal(names.count, 0);
    assert_returns(0, delete_tag(fixture, "v1", &syncs, &error));
    set(fixture, "v1", "first");
    assert_returns(1, tag_get(&fixture->repository, "v1", &digest, &error));
}

struct page_row {
    const char *last;
    size_t limit;
    const char *expected; /* each followed by a space */
    int more;
};

static void check_page(struct fixture *fixture, const struct page_row *row)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    AUTO_BUFFER struct buffer listed = BUFFER_INIT;
    struct page page = {row->last, row->limit};
    struct error error = ERROR_INIT;

    assert_returns(row->more, tag_list(&fixture->repository, &page, &names, &error));
    for (size_t i = 0; i < names.count; i++) {
        buffer_format(&listed, "%s ", names.names[i]);
    }
    assert_string_equal(listed.data, row->expected);
}

static void lists_page_by_page_in_the_order_of_bytes(void **state)
{
    static const struct page_row rows[] = {
        {NULL, 100, "1.0 1.10 1.9 A Z _x a b ", 0},
        {"", 100, "1.0 1.10 1.9 A Z _x a b ", 0},
        {NULL, 8, "1.0 1.10 1.9 A Z _x a b ", 0},
        {NULL, 7, "1.0 1.10 1.9 A Z _x a ", 1},
        {NULL, 1, "1.0 ", 1},
        {NULL, 0, "", 1},
        {"1.0", 2, "1.10 1.9 ", 1},
        {"1.5", 2, "1.9 A ", 1},
        {"_x", 2, "a b ", 0},
        {"a", 100, "b ", 0},
        {"b", 100, "", 0},
        {"b", 0, "", 0},
        {"zzz", 100, "", 0},
        {"!", 2, "1.0 1.10 ", 1},
    };
    static const char *const tags[] = {"b", "_x", "1.10", "Z", "1.9", "a", "A", "1.0"};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(tags); i++) {
        set(fixture, tags[i], "x");
    }
    put_file(fixture->store.root, "docker/registry/v2/repositories/team/app/_manifests/tags/.x/y",
             "no tag");
    put_file(fixture->store.root,
             "docker/registry/v2/repositories/team/app/_manifests/tags/empty/"
             "index/x",
             "no tag either");
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_page(fixture, &rows[i]);
    }
}

static void a_repository_without_tags_has_none(void **state)
{
    static const struct page_row row = {NULL, 100, "", 0};

    check_page(*state, &row);
}

static void the_lock_is_held_by_one(void **state)
{
    struct fixture *fixture = *state;
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    AUTO_LOCK struct lock second = LOCK_INIT;
    struct error error = ERROR_INIT;
    struct path path = layout_repository_lock("team/app");
    struct file_place place = {fixture->store.root, path.text};

    assert_returns(0, repository_lock(&fixture->repository, &lock, &error));
    assert_returns(LOCK_BUSY, lock_take(&second, place, LOCK_TRY, &error));
    repository_lock_release(&lock);
    assert_returns(LOCK_TAKEN, lock_take(&second, place, LOCK_TRY, &error));
}

static int lock_without_permission(struct fixture *fixture)
{
    struct repository_lock lock = REPOSITORY_LOCK_INIT;
    struct error error = ERROR_INIT;

    drop_privileges();
    EXPECT(repository_lock(&fixture->repository, &lock, &error) == -1);
    EXPECT(error.code == ERROR_INTERNAL && lock.lock.descriptor == -1);
    return 0;
}

static void without_permission_there_is_no_lock(void **state)
{
    run_in_child(lock_without_permission, *state);
}

/* The tag has gone; what lies among the pieces is nobody's, and expires. */
static void a_deleted_one_is_deleted_whatever_cannot_be_cleared_away(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest;
    bool reached = true;

    for (size_t n = 0; reached; n++) {
        struct error error = ERROR_INIT;

        set(fixture, "v1", "content");
        trace_begin_with_fault(n, EIO);
        trace_fault_only("unlinkat");
        assert_returns(1, repository_delete_tag(&fixture->repository, "v1", NULL, NULL, &error));
        reached = trace_end();
        assert_int_equal(error.code, ERROR_NONE);
        assert_true(trace_find("fsync ", "/_manifests/tags", 0) != SIZE_MAX);
        assert_returns(0, tag_get(&fixture->repository, "v1", &digest, &error));
        assert_true(n > 0 || reached);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(stands_for_the_last_digest_that_was_set),
        IN_STORE(a_note_of_the_past_that_is_written_again_is_never_empty),
        IN_STORE(remembers_every_digest_as_distribution_does),
        IN_STORE(the_history_comes_before_the_tag),
        IN_STORE(a_deleted_one_takes_its_history_along),
        IN_STORE(a_deleted_one_costs_the_same_whatever_it_has_stood_for),
        IN_STORE(what_it_has_stood_for_joins_what_was_deleted_before),
        IN_STORE(where_another_host_may_know_a_directory_only_files_move),
        IN_STORE(a_deleted_one_is_deleted_whatever_cannot_be_cleared_away),
        IN_STORE(an_immutable_one_stays_what_it_is),
        IN_STORE(nothing_changes_unjudged),
        IN_STORE(a_garbled_one_is_none_and_can_be_set_again),
        IN_STORE(lists_page_by_page_in_the_order_of_bytes),
        IN_STORE(a_repository_without_tags_has_none),
        IN_STORE(the_lock_is_held_by_one),
        IN_STORE(without_permission_there_is_no_lock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
