/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/store/link.h"
#include "tests/unit/trace.h"

#define PATH "docker/registry/v2/repositories/team/app/_layers/sha256/x/link"

static void what_is_written_is_read(void **state)
{
    struct fixture *fixture = *state;
    AUTO_REPOSITORY_LOCK struct repository_lock lock = hold_lock(fixture);
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
    struct digest target = sha256("a");
    struct digest read;
    struct error error = ERROR_INIT;

    fixture->damaged = true; /* "x" is no digest */
    assert_returns(0, link_read(&fixture->store, PATH, &read, &error));
    assert_returns(0, link_write(&lock, PATH, &target, &syncs, &error));
    assert_file(fixture->store.root, PATH, target.text); /* no newline */
    assert_returns(1, link_read(&fixture->store, PATH, &read, &error));
    assert_string_equal(read.text, target.text);
    digest_of(DIGEST_SHA512, "b", 1, &target);
    assert_returns(0, link_write(&lock, PATH, &target, &syncs, &error));
    assert_returns(1, link_read(&fixture->store, PATH, &read, &error));
    assert_string_equal(read.text, target.text);
}

static void an_empty_or_garbled_one_counts_as_absent(void **state)
{
    static const char zeroes[5000];
    struct fixture *fixture = *state;
    AUTO_REPOSITORY_LOCK struct repository_lock lock = hold_lock(fixture);
    struct digest target = sha256("a");
    struct digest read = sha256("untouched");
    struct error error = ERROR_INIT;
    const struct {
        const char *content;
        size_t length;
    } rows[] = {
        {"", 0},        {zeroes, 71},      {zeroes, sizeof(zeroes)}, {"\n", 1},
        {"sha256:", 7}, {target.text, 70}, {"sha256:zz", 9},
    };

    fixture->damaged = true;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);

        put_bytes(fixture->store.root, PATH, rows[i].content, rows[i].length);
        assert_returns(0, link_read(&fixture->store, PATH, &read, &error));
        assert_string_equal(read.text, sha256("untouched").text);
        /* Writing it again mends it. */
        assert_returns(0, link_write(&lock, PATH, &target, &syncs, &error));
        assert_file(fixture->store.root, PATH, target.text);
    }
}

static void a_newline_behind_it_is_fine(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    struct digest read;
    struct error error = ERROR_INIT;

    fixture->damaged = true;
    buffer_format(&content, "%s\n", sha256("a").text);
    put_file(fixture->store.root, PATH, content.data);
    assert_returns(1, link_read(&fixture->store, PATH, &read, &error));
    assert_string_equal(read.text, sha256("a").text);
}

/* The answer relies on it: somebody else may have made it without having synced it yet. */
static void one_that_is_there_is_synced_and_not_rewritten(void **state)
{
    struct fixture *fixture = *state;
    AUTO_REPOSITORY_LOCK struct repository_lock lock = hold_lock(fixture);
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
    struct digest target = sha256("a");
    struct error error = ERROR_INIT;

    fixture->damaged = true;
    put_file(fixture->store.root, PATH, target.text);
    trace_begin();
    assert_returns(0, link_write(&lock, PATH, &target, &syncs, &error));
    assert_int_equal(trace_count(), 0);
    assert_returns(0, sync_set_flush(&syncs, &error));
    (void)trace_end();
    assert_true(trace_find("fsync ", "/_layers/sha256/x", 0) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/_layers/sha256", 0) != SIZE_MAX);
}

static void is_removed_with_its_directory(void **state)
{
    struct fixture *fixture = *state;
    AUTO_REPOSITORY_LOCK struct repository_lock lock = hold_lock(fixture);
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
    struct error error = ERROR_INIT;

    fixture->damaged = true;
    put_file(fixture->store.root, PATH, sha256("a").text);
    assert_returns(1, link_remove(&lock, PATH, &syncs, &error));
    assert_false(is_there(fixture->store.root, "docker/registry/v2/repositories/team/app/_layers/"
                                               "sha256/x"));
    assert_true(is_there(fixture->store.root, "docker/registry/v2/repositories/team/app/_layers/"
                                              "sha256"));
    trace_begin();
    assert_returns(0, sync_set_flush(&syncs, &error));
    (void)trace_end();
    assert_true(trace_find("fsync ", "/_layers/sha256", 0) != SIZE_MAX);
    assert_returns(0, link_remove(&lock, PATH, &syncs, &error));
}

static void what_else_is_in_the_directory_stays(void **state)
{
    struct fixture *fixture = *state;
    AUTO_REPOSITORY_LOCK struct repository_lock lock = hold_lock(fixture);
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
    struct error error = ERROR_INIT;

    fixture->damaged = true;
    put_file(fixture->store.root, PATH, sha256("a").text);
    put_file(fixture->store.root, PATH "-other", "other");
    assert_returns(1, link_remove(&lock, PATH, &syncs, &error));
    trace_begin();
    assert_returns(0, sync_set_flush(&syncs, &error));
    (void)trace_end();
    assert_true(trace_find("fsync ", "/_layers/sha256/x", 0) != SIZE_MAX);
    assert_file(fixture->store.root, PATH "-other", "other");
    assert_false(is_there(fixture->store.root, PATH));
}

static void is_followed_to_itself_or_to_another_algorithm_only(void **state)
{
    struct fixture *fixture = *state;
    struct digest a = sha256("a");
    struct digest b = sha256("b");
    struct digest alias;
    struct digest target;
    struct error error = ERROR_INIT;

    fixture->damaged = true;
    digest_of(DIGEST_SHA512, "a", 1, &alias);
    put_file(fixture->store.root, layout_link("team/app", LINK_LAYER, &a).text, a.text);
    put_file(fixture->store.root, layout_link("team/app", LINK_LAYER, &b).text, a.text);
    put_file(fixture->store.root, layout_link("team/app", LINK_LAYER, &alias).text, a.text);
    assert_returns(1, link_follow(&fixture->repository, LINK_LAYER, &a, &target, &error));
    assert_string_equal(target.text, a.text);
    assert_returns(0, link_follow(&fixture->repository, LINK_LAYER, &b, &target, &error));
    assert_returns(1, link_follow(&fixture->repository, LINK_LAYER, &alias, &target, &error));
    assert_string_equal(target.text, a.text);
    assert_returns(0, link_follow(&fixture->repository, LINK_REVISION, &a, &target, &error));
}

static void a_layer_that_is_new_is_added_without_a_lock(void **state)
{
    struct fixture *fixture = *state;
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
    AUTO_REPOSITORY_LOCK struct repository_lock lock = hold_lock(fixture);
    struct digest digest = sha256("a");
    struct digest target;
    struct error error = ERROR_INIT;

    fixture->damaged = true;
    assert_returns(0, link_add(&fixture->repository, &digest, &digest, &syncs, &error));
    assert_returns(1, link_follow(&fixture->repository, LINK_LAYER, &digest, &target, &error));
    trace_begin();
    assert_returns(0, sync_set_flush(&syncs, &error));
    (void)trace_end();
    assert_true(trace_find("fsync ", digest_hex(&digest), 0) != SIZE_MAX);
}

static int add_layer(struct fixture *fixture)
{
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
    struct digest digest = sha256("a");
    struct error error = ERROR_INIT;

    EXPECT(link_add(&fixture->repository, &digest, &digest, &syncs, &error) == 0);
    return 0;
}

/* Who holds the lock may be about to remove it. */
static void one_that_is_there_is_looked_at_again_under_the_lock(void **state)
{
    static const char *const contents[] = {"right", "", "garbled"};
    struct fixture *fixture = *state;
    struct digest digest = sha256("a");
    struct path path = layout_link("team/app", LINK_LAYER, &digest);
    struct digest target;
    struct error error = ERROR_INIT;

    fixture->damaged = true;
    for (size_t i = 0; i < COUNT(contents); i++) {
        AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
        AUTO_REPOSITORY_LOCK struct repository_lock lock = hold_lock(fixture);
        pid_t child;

        put_file(fixture->store.root, path.text, i == 0 ? digest.text : contents[i]);
        child = fork_child();
        if (child == 0) {
            repository_lock_release(&lock); /* it has inherited the parent's */
            _exit(add_layer(fixture));
        }
        wait_until_blocked(child);
        assert_returns(1, link_remove(&lock, path.text, &syncs, &error));
        repository_lock_release(&lock);
        assert_int_equal(wait_for_child(child), 0);
        assert_returns(1, link_follow(&fixture->repository, LINK_LAYER, &digest, &target, &error));
    }
}

static int read_without_permission(struct fixture *fixture)
{
    struct digest read;
    struct error error = ERROR_INIT;
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
    struct digest target = sha256("a");
    struct repository_lock lock = hold_lock(fixture);

    EXPECT(fchmodat(fixture->store.root, PATH, 0, 0) == 0);
    drop_privileges();
    EXPECT(link_read(&fixture->store, PATH, &read, &error) == -1);
    EXPECT(error.code == ERROR_INTERNAL);
    EXPECT(link_write(&lock, PATH, &target, &syncs, &error) == -1);
    EXPECT(link_remove(&lock, PATH, &syncs, &error) == -1);
    return 0;
}

static void one_that_cannot_be_read_is_not_absent(void **state)
{
    struct fixture *fixture = *state;

    fixture->damaged = true;
    put_file(fixture->store.root, PATH, sha256("a").text);
    run_in_child(read_without_permission, fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(what_is_written_is_read),
        IN_STORE(an_empty_or_garbled_one_counts_as_absent),
        IN_STORE(a_newline_behind_it_is_fine),
        IN_STORE(one_that_is_there_is_synced_and_not_rewritten),
        IN_STORE(is_removed_with_its_directory),
        IN_STORE(what_else_is_in_the_directory_stays),
        IN_STORE(is_followed_to_itself_or_to_another_algorithm_only),
        IN_STORE(a_layer_that_is_new_is_added_without_a_lock),
        IN_STORE(one_that_is_there_is_looked_at_again_under_the_lock),
        IN_STORE(one_that_cannot_be_read_is_not_absent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
