/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"
#include "lib/store/blob.h"
#include "lib/store/settle.h"
#include "lib/store/verify.h"
#include "tests/unit/trace.h"

/* A push that has been acknowledged stays, whatever `berth check --repair` does at that moment. */

#define MANIFEST "{\"schemaVersion\":2,\"manifests\":[]}"

/* Somebody else, in a process of their own, who does something when a certain call comes up. */
struct meddler {
    const char *prefix; /* of the call's line */
    const char *suffix;
    pid_t child;
    int go; /* a pipe: the child begins when it gets a byte */
    bool has_begun;
    bool was_blocked; /* it had to wait for us */
};

/* Before there are locks that the child would inherit. */
static struct meddler begin_meddler(struct fixture *fixture, int (*act)(struct fixture *fixture))
{
    struct meddler meddler = {.has_begun = false};
    int ends[2];
    char byte;

    assert_int_equal(pipe(ends), 0);
    meddler.child = fork_child();
    if (meddler.child == 0) {
        (void)close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 1 ? act(fixture) : 99);
    }
    (void)close(ends[0]);
    meddler.go = ends[1];
    return meddler;
}

static bool is_line(const struct meddler *meddler, const char *line)
{
    size_t length = strlen(line);
    size_t end = strlen(meddler->suffix);

    return text_begins(line, meddler->prefix) && length >= end &&
           strcmp(line + length - end, meddler->suffix) == 0;
}

static void meddle(void *context, const char *line)
{
    struct meddler *meddler = context;

    if (!meddler->has_begun && is_line(meddler, line)) {
        meddler->has_begun = true;
        assert_int_equal(write(meddler->go, "", 1), 1);
        meddler->was_blocked = is_blocked_in_the_end(meddler->child);
    }
}

/* The meddler has acted, and without a failure. */
static void end_meddler(struct meddler *meddler)
{
    assert_true(meddler->has_begun);
    (void)close(meddler->go);
    assert_int_equal(wait_for_child(meddler->child), 0);
}

static void ignore(void *context, const char *path, const char *what)
{
    (void)context;
    (void)path;
    (void)what;
}

/* How many problems it has found. */
static uint64_t repair(struct fixture *fixture, struct meddler *meddler)
{
    struct verify_report report = {.problem = ignore, .repair = true};
    struct error error = ERROR_INIT;

    trace_begin();
    trace_hook(meddle, meddler);
    assert_returns(0, verify_store(&fixture->store, &report, &error));
    (void)trace_end();
    return report.problems;
}

static int push_content(struct fixture *fixture)
{
    (void)push_blob(&fixture->repository, "content");
    return 0;
}

static int push_content_elsewhere(struct fixture *fixture)
{
    struct repository other = repository_named(fixture, "other");

    (void)push_blob(&other, "content");
    return 0;
}

static int push_tag(struct fixture *fixture)
{
    (void)push_manifest(&fixture->repository, MANIFEST, "v1");
    return 0;
}

static void assert_content(struct fixture *fixture)
{
    struct digest digest = sha256("content");
    struct error error = ERROR_INIT;
    struct blob blob;

    assert_returns(1, blob_find(&fixture->repository, &digest, &blob, &error));
    assert_file(fixture->store.root, layout_blob(&digest).text, "content");
}

static void a_blob_that_a_push_mends_is_put_back(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct path kept = layout_trash(TRASH_COLLECTED, layout_blob(&digest).text);
    struct meddler meddler = begin_meddler(fixture, push_content);

    put_file(fixture->store.root, layout_blob(&digest).text, "c");
    meddler.prefix = "renameat ";
    meddler.suffix = kept.text;
    assert_int_equal(repair(fixture, &meddler), 0);
    end_meddler(&meddler);
    assert_false(meddler.was_blocked);
    assert_content(fixture);
    assert_false(is_there(fixture->store.root, kept.text));
    assert_false(is_there(fixture->store.root, layout_damaged(&digest).text));
}

/* Lets the meddler begin before the n-th call. */
struct moment {
    struct meddler *meddler;
    size_t left;
};

static void meddle_then(void *context, const char *line)
{
    struct moment *moment = context;

    if (moment->left-- == 0) {
        moment->meddler->prefix = moment->meddler->suffix = "";
        meddle(moment->meddler, line);
    }
}

/* A damaged blob, and another copy of it in the trash; somebody pushes it before the n-th call of a
 * repair. False if there are not so many. */
static bool is_pushed_amid(const char *in_trash, size_t n)
{
    void *fresh = NULL;
    struct fixture *fixture;
    struct verify_report report = {.problem = ignore, .repair = true};
    struct error error = ERROR_INIT;
    struct digest digest;
    struct meddler meddler;
    struct moment moment = {&meddler, n};

    assert_int_equal(store_setup(&fresh), 0);
    fixture = fresh;
    fixture->damaged = true;
    digest = push_blob(&fixture->repository, "content");
    meddler = begin_meddler(fixture, push_content);
    put_file(fixture->store.root, layout_blob(&digest).text, "c");
    put_file(fixture->store.root, layout_trash(TRASH_COLLECTED, layout_blob(&digest).text).text,
             in_trash);
    trace_begin();
    trace_hook(meddle_then, &moment);
    assert_returns(0, verify_store(&fixture->store, &report, &error));
    (void)trace_end();
    if (!meddler.has_begun) {
        meddler.has_begun = true;
        assert_int_equal(write(meddler.go, "", 1), 1);
        n = SIZE_MAX;
    }
    end_meddler(&meddler);
    assert_content(fixture);
    assert_int_equal(store_teardown(&fresh), 0);
    return n != SIZE_MAX;
}

static void a_blob_that_is_pushed_at_any_moment_stays(void **state)
{
    static const char *const copies[] = {"content", "rotten"};

    (void)state;
    for (size_t i = 0; i < COUNT(copies); i++) {
        size_t n = 0;

        while (is_pushed_amid(copies[i], n)) {
            n++;
        }
        assert_true(n > 4);
    }
}

static void push_before_the_first_move(void *context, const char *line)
{
    static bool has_pushed;

    if (!has_pushed && text_begins(line, "renameat ")) {
        has_pushed = true;
        (void)push_content(context);
    }
}

/* Ends before what would be its second move, with what has just been pushed out of its place. */
static int repair_a_little(struct fixture *fixture)
{
    struct verify_report report = {.problem = ignore, .repair = true};
    struct error error = ERROR_INIT;

    trace_begin_with_fault(1, 0);
    trace_fault_only("renameat");
    trace_hook(push_before_the_first_move, fixture);
    (void)verify_store(&fixture->store, &report, &error);
    return 99;
}

static void a_blob_that_a_push_mends_is_there_when_the_repair_ends_too_soon(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");

    put_file(fixture->store.root, layout_blob(&digest).text, "c");
    put_file(fixture->store.root, LAYOUT_DAMAGED "/earlier", "");
    run_in_child(repair_a_little, fixture);
    assert_false(is_there(fixture->store.root, layout_blob(&digest).text));
    assert_content(fixture);
}

/* Moves the bytes to where they go back from. */
static struct path move_away(struct fixture *fixture, const struct digest *digest)
{
    struct path path = layout_blob(digest);
    struct path kept = layout_trash(TRASH_COLLECTED, path.text);
    struct error error = ERROR_INIT;

    assert_returns(0, file_publish((struct file_place){fixture->store.root, path.text},
                                   (struct file_place){fixture->store.root, kept.text}, &error));
    return kept;
}

/* Whoever finds it there relies on it, and may not believe what was known of its name before. */
static void a_blob_that_is_missed_is_durable_in_its_place_before_it_is_found(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct path above = layout_above(layout_blob(&digest).text);
    struct path kept = move_away(fixture, &digest);
    struct error error = ERROR_INIT;
    struct blob blob;
    size_t moved;

    assert_true(settle_is_done_at(&fixture->store, kept.text));
    trace_begin();
    assert_returns(1, blob_find(&fixture->repository, &digest, &blob, &error));
    (void)trace_end();
    assert_false(blob.is_settled);
    moved = trace_find("renameat ", layout_blob(&digest).text, 0);
    assert_true(moved < trace_count());
    assert_true(trace_find("fsync ", above.text, moved) < trace_count());
    assert_content(fixture);
}

/* Some network filesystems cannot rename without replacing. */
static void a_blob_that_is_missed_comes_back_by_a_link_as_well(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct path kept = move_away(fixture, &digest);
    struct error error = ERROR_INIT;
    struct blob blob;

    trace_begin_with_fault(0, EINVAL);
    trace_fault_only("renameat");
    assert_returns(1, blob_find(&fixture->repository, &digest, &blob, &error));
    assert_true(trace_end());
    assert_content(fixture);
    assert_false(is_there(fixture->store.root, kept.text));
    /* And does not replace what is newer. */
    put_file(fixture->store.root, kept.text, "damaged");
    trace_begin_with_fault(0, EINVAL);
    trace_fault_only("renameat");
    assert_returns(
        0, file_publish_new((struct file_place){fixture->store.root, kept.text},
                            (struct file_place){fixture->store.root, layout_blob(&digest).text},
                            &error));
    assert_true(trace_end());
    assert_content(fixture);
}

static void who_only_looks_sees_a_blob_and_leaves_it_where_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct path kept = move_away(fixture, &digest);
    struct verify_report report = {.problem = ignore};
    struct store looked = STORE_INIT;
    struct error error = ERROR_INIT;

    assert_returns(0, store_look(&looked, fixture->store.options, &error));
    assert_returns(0, verify_store(&looked, &report, &error));
    store_close(&looked);
    assert_int_equal(report.problems, 0);
    assert_int_equal(report.blobs, 1);
    assert_true(is_there(fixture->store.root, kept.text));
}

static void what_was_pushed_meanwhile_is_not_replaced(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct path path = layout_blob(&digest);
    struct path kept = move_away(fixture, &digest);
    struct file_place place = {fixture->store.root, path.text};
    struct error error = ERROR_INIT;

    put_file(fixture->store.root, kept.text, "damaged");
    (void)push_blob(&fixture->repository, "content");
    assert_returns(
        0, file_publish_new((struct file_place){fixture->store.root, kept.text}, place, &error));
    assert_content(fixture);
    assert_returns(
        0, file_publish_new((struct file_place){fixture->store.root, "gone"}, place, &error));
}

/* The bytes come back between the look and the removal; their publisher finds the link there. */
static void a_link_whose_blob_is_pushed_stays(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct path link = layout_link("team/app", LINK_LAYER, &digest);
    struct meddler meddler = begin_meddler(fixture, push_content);

    assert_int_equal(unlinkat(fixture->store.root, layout_blob(&digest).text, 0), 0);
    meddler.prefix = "renameat ";
    meddler.suffix = link.text;
    (void)repair(fixture, &meddler);
    end_meddler(&meddler);
    assert_true(meddler.was_blocked);
    assert_content(fixture);
}

static void a_link_whose_blob_comes_back_unseen_is_put_back(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct path link = layout_link("team/app", LINK_LAYER, &digest);
    struct meddler meddler = begin_meddler(fixture, push_content_elsewhere);

    assert_int_equal(unlinkat(fixture->store.root, layout_blob(&digest).text, 0), 0);
    meddler.prefix = "renameat ";
    meddler.suffix = link.text;
    assert_int_equal(repair(fixture, &meddler), 0);
    end_meddler(&meddler);
    assert_content(fixture);
}

static void a_garbled_link_that_a_push_mends_stays(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct path link = layout_link("team/app", LINK_LAYER, &digest);
    struct meddler meddler = begin_meddler(fixture, push_content);

    put_file(fixture->store.root, link.text, "");
    meddler.prefix = "renameat ";
    meddler.suffix = link.text;
    assert_int_equal(repair(fixture, &meddler), 1);
    end_meddler(&meddler);
    assert_content(fixture);
}

/* What is removed when the manifest's bytes are missing: its revision, and its tag. */
static void check_pushed_again(struct fixture *fixture, const char *removed)
{
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    struct digest digest = push_manifest(&fixture->repository, MANIFEST, "v1");
    struct meddler meddler = begin_meddler(fixture, push_tag);
    struct error error = ERROR_INIT;

    assert_int_equal(unlinkat(fixture->store.root, layout_blob(&digest).text, 0), 0);
    meddler.prefix = "renameat ";
    meddler.suffix = removed;
    (void)repair(fixture, &meddler);
    end_meddler(&meddler);
    assert_true(meddler.was_blocked);
    assert_returns(1, repository_get_manifest(&fixture->repository, "v1", &stored, &error));
    assert_string_equal(stored.content.data, MANIFEST);
}

static void a_manifest_that_is_pushed_again_stays(void **state)
{
    struct digest digest = sha256(MANIFEST);

    check_pushed_again(*state, layout_link("team/app", LINK_REVISION, &digest).text);
}

static void a_tag_that_is_pushed_again_stays(void **state)
{
    check_pushed_again(*state, layout_tag_current("team/app", "v1").text);
}

static void there_is_one_repair_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    struct verify_report report = {.problem = ignore, .repair = true};
    struct file_place place = {fixture->store.root, LAYOUT_REPAIR_LOCK};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error error = ERROR_INIT;

    assert_returns(LOCK_TAKEN, lock_take_or_make(&lock, place, LOCK_TRY, &error));
    assert_fails(ERROR_INTERNAL, verify_store(&fixture->store, &report, &error));
    assert_non_null(strstr(error.message, "another repair"));
    report.repair = false;
    assert_returns(0, verify_store(&fixture->store, &report, &error));
    lock_release(&lock);
    report.repair = true;
    assert_returns(0, verify_store(&fixture->store, &report, &error));
}

static int delete_content(struct fixture *fixture)
{
    struct digest digest = sha256("content");
    struct error error = ERROR_INIT;

    EXPECT(repository_delete_blob(&fixture->repository, &digest, &error) == 1);
    return 0;
}

/* Between a push's look at what its manifest names and the manifest there is no gap. */
static void a_layer_is_deleted_before_or_after_a_push_but_not_within(void **state)
{
    struct fixture *fixture = *state;
    struct meddler meddler = begin_meddler(fixture, delete_content);
    AUTO_BUFFER struct buffer json = BUFFER_INIT;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct error error = ERROR_INIT;
    struct blob blob;

    fixture->damaged = true; /* the manifest will lack the layer */
    buffer_format(&json,
                  "{\"schemaVersion\":2,\"layers\":[{\"digest\":\"%s\",\"size\":7}],\"config\":"
                  "{\"digest\":\"%s\",\"size\":7}}",
                  digest.text, digest.text);
    meddler.prefix = "";
    meddler.suffix = "";
    trace_begin();
    trace_hook(meddle, &meddler);
    (void)push_manifest(&fixture->repository, json.data, "v1");
    (void)trace_end();
    assert_true(meddler.was_blocked);
    end_meddler(&meddler);
    assert_returns(0, blob_find(&fixture->repository, &digest, &blob, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(a_blob_that_a_push_mends_is_put_back),
        cmocka_unit_test(a_blob_that_is_pushed_at_any_moment_stays),
        IN_STORE(a_blob_that_a_push_mends_is_there_when_the_repair_ends_too_soon),
        IN_STORE(a_blob_that_is_missed_is_durable_in_its_place_before_it_is_found),
        IN_STORE(a_blob_that_is_missed_comes_back_by_a_link_as_well),
        IN_STORE(who_only_looks_sees_a_blob_and_leaves_it_where_it_is),
        IN_STORE(what_was_pushed_meanwhile_is_not_replaced),
        IN_STORE(a_link_whose_blob_is_pushed_stays),
        IN_STORE(a_link_whose_blob_comes_back_unseen_is_put_back),
        IN_STORE(a_garbled_link_that_a_push_mends_stays),
        IN_STORE(a_manifest_that_is_pushed_again_stays),
        IN_STORE(a_tag_that_is_pushed_again_stays),
        IN_STORE(there_is_one_repair_at_a_time),
        IN_STORE(a_layer_is_deleted_before_or_after_a_push_but_not_within),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
